"""Softmax cross-entropy, compiled."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from nnplug import Array, Context, Loss, hookimpl
from nnplug_builtins.softmax import Softmax as BuiltIn
from nnplug_numba._load import kernels


@frozen
class Softmax(BuiltIn):
    """Softmax cross-entropy of raw scores s (N, C), in one pass over the rows; otherwise the built-in.

    With ``p = exp(s) / sum(exp(s))``, a row's loss is ``-log(p[y])`` for a class index y, the sum of ``-t * log(p)``
    for one-hot targets or probabilities t (N, C); ``dscores = p - t``. A probability below 1e-37 counts as 0.
    """

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Return each row's cross-entropy (N,) and its gradient ``p - t`` (N, C)."""
        losses, dscores = ctx.empty(scores.shape[:1], scores.dtype), ctx.empty(scores.shape, scores.dtype)
        indices = targets.ndim == 1
        kernel = kernels().softmax_by_index if indices else kernels().softmax_by_probability
        # In our own byte order: compiled code would take any other for it.
        kernel(scores, targets.astype(np.intp if indices else scores.dtype, copy=False), losses, dscores)
        return losses, dscores


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    """Provide ``softmax``."""
    return {"softmax": Softmax}
