"""Softmax cross-entropy, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from nnplug import Array, Context, Loss, hookimpl
from nnplug_builtins.softmax import Softmax as BuiltIn
from nnplug_numba._exp import two_to_the
from nnplug_numba._kernel import kernel


@kernel
def _exponentials(s: Array, e: Array) -> tuple[Any, Any]:
    """Assign ``exp(s - max(s))`` to e, a row; return the maximum and the sum."""
    zero, low = s.dtype.type(0), s.dtype.type(-87)
    largest = s[0]
    for j in range(1, s.size):
        largest = max(largest, s[j])
    total = zero
    for j in range(s.size):
        shifted = s[j] - largest
        two_to_n, q = two_to_the(low if shifted < low else shifted)
        e[j] = zero if shifted < low else two_to_n * q + two_to_n
    for j in range(s.size):
        total += e[j]
    return largest, total


@kernel
def _by_index(s: Array, y: Array, losses: Array, ds: Array) -> None:
    one = s.dtype.type(1)
    for i in range(s.shape[0]):
        largest, total = _exponentials(s[i], ds[i])
        losses[i] = np.log(total) - (s[i, y[i]] - largest)
        for j in range(s.shape[1]):
            ds[i, j] /= total
        ds[i, y[i]] -= one


@kernel
def _by_probability(s: Array, t: Array, losses: Array, ds: Array) -> None:
    for i in range(s.shape[0]):
        largest, total = _exponentials(s[i], ds[i])
        log_total = np.log(total)
        loss = s.dtype.type(0)
        for j in range(s.shape[1]):
            target = s.dtype.type(t[i, j])
            loss += target * (log_total - (s[i, j] - largest))
            ds[i, j] = ds[i, j] / total - target
        losses[i] = loss


@frozen
class Softmax(BuiltIn):
    """Softmax cross-entropy of raw scores s (N, C), loss and gradient in one pass over the rows; otherwise the built-in.

    With ``p = exp(s) / sum(exp(s))``, a row's loss is ``-log(p[y])`` for a class index y, the sum of ``-t * log(p)`` for
    one-hot targets or probabilities t (N, C); ``dscores = p - t``. A probability below 1e-37 counts as 0.
    """

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Return each row's cross-entropy (N,) and its gradient ``p - t`` (N, C)."""
        losses, dscores = ctx.empty(scores.shape[:1], scores.dtype), ctx.empty(scores.shape, scores.dtype)
        (_by_index if targets.ndim == 1 else _by_probability)(scores, targets, losses, dscores)
        return losses, dscores


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    """Provide ``softmax``."""
    return {"softmax": Softmax}
