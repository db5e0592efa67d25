"""Cross-entropy of yes-or-no questions."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Loss, hookimpl
from nnplug_builtins._targets import check_labels


@frozen
class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of raw scores s (N, T) and labels t of 0 or 1; with one output, labels may be (N,) as well.

    With ``p = 1 / (1 + exp(-s))``, a row's loss is the mean over its T labels of
    ``-t * log(p) - (1 - t) * log(1 - p)``, computed as ``max(s, 0) - s * t + log(1 + exp(-|s|))``, which overflows
    nowhere; its gradient is ``(p - t) / T``.
    With several labels a row, each is a question of its own (multi-label); labels between 0 and 1 are probabilities.
    """

    metrics: ClassVar[tuple[str, ...]] = ("binary_accuracy",)

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Return each row's mean cross-entropy (N,) and its gradient, in the scores' shape."""
        # Targets (N,) take the shape (N, 1) of their scores: (N, 1) * (N,) would be (N, N).
        s, t = scores, targets.reshape(scores.shape)
        n, outputs = len(s), prod(s.shape[1:])

        e = np.abs(s, out=ctx.empty(s.shape, s.dtype))
        np.negative(e, out=e)
        np.exp(e, out=e)  # exp(-|s|)

        terms = np.maximum(s, 0, out=ctx.empty(s.shape, s.dtype))
        part = np.multiply(s, t, out=ctx.empty(s.shape, s.dtype))
        terms -= part  # this difference first: for t = 1 and large s it is 0, and the logarithm is all that is left
        terms += np.log1p(e, out=part)
        losses = terms.reshape(n, outputs).sum(axis=1, out=ctx.empty((n,), s.dtype))
        losses /= outputs

        p = np.greater_equal(s, 0, out=part)
        np.maximum(p, e, out=p)  # 1 where s >= 0, else exp(s)
        e += 1
        p /= e
        dscores = p
        dscores -= t
        dscores /= outputs
        return losses, dscores

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept labels from 0 to 1 of the scores' shape, and (N,) where the network has one output.

        Raises:
            DataError: another shape, no numbers, NaN, or a value outside 0 to 1.
        """
        check_labels("binary_cross_entropy", scores, targets)

    def predict(self, scores: Array) -> Array:
        """1 where the score is positive, that is p > 0.5, else 0; (N,) where there is one a row."""
        labels = (scores > 0).astype(np.int64)
        return labels.reshape(-1) if scores.shape[1:] == (1,) else labels

    def probabilities(self, scores: Array) -> Array:
        """The probability p of each label; (N,) where there is one a row."""
        e = np.exp(-np.abs(scores))
        p: Array = np.where(scores >= 0, 1, e) / (1 + e)
        return p.reshape(-1) if scores.shape[1:] == (1,) else p


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    """Provide ``binary_cross_entropy``."""
    return {"binary_cross_entropy": BinaryCrossEntropy}
