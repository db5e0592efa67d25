"""Softmax cross-entropy."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Loss, hookimpl
from nnplug_builtins._by_class import by_class
from nnplug_builtins._constant import ones, scalar
from nnplug_builtins._targets import check_classes, check_scores


@frozen
class Softmax(Loss):
    """Softmax cross-entropy of raw scores s (N, C); targets are class indices y (N,), one-hot or probabilities (N, C).

    With ``p = exp(s) / sum(exp(s))``, a row's ``loss = -log(p[y]) = log(sum(exp(s))) - s[y]``, for targets t the sum of
    ``-t * log(p)``, and ``dscores = p - t`` where t is 1 for the class y and 0 elsewhere. Each row is first shifted so
    that its largest score is 0: that changes no p, and no exponential can overflow and no logarithm see a 0.
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Return each row's cross-entropy (N,) and its gradient ``p - t`` (N, C)."""
        n, classes = scores.shape
        s = by_class(scores, ctx)  # (C, N)
        row = np.maximum.reduce(s, axis=0, out=ctx.empty((n,), s.dtype))
        s -= row
        indices = targets.ndim == 1
        if indices:
            place = _starts(n, classes) + targets.astype(np.intp, copy=False)
            target_score = scores.reshape(-1).take(place)
            target_score -= row
        else:
            target_score = np.einsum("cn,nc->n", s, targets)
        exp = np.exp(s, out=s)
        total = ones(classes, exp.dtype).dot(exp, row)  # exp.sum(axis=0) takes three times as long

        dscores = ctx.empty(scores.shape, scores.dtype)
        np.divide(exp, total, out=dscores.T)
        if indices:
            dscores.reshape(-1)[place] -= scalar(1.0, dscores.dtype)
        else:
            dscores -= targets
        losses = np.log(total, out=total)
        losses -= target_score
        return losses, dscores

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept scores (C,) with class indices (N,), or one-hot or probabilities (N, C).

        Raises:
            ShapeError: scores are not (C,) with at least two classes.
            DataError: targets of another shape or dtype; an index out of range; rows that do not sum to 1.
        """
        check_classes("softmax", scores, targets)

    def predict(self, scores: Array) -> Array:
        """The class of the highest score, (N,)."""
        check_scores("softmax", scores)
        best: Array = scores.argmax(axis=1)
        return best

    def probabilities(self, scores: Array) -> Array:
        """The probability of each class, ``exp(s) / sum(exp(s))``, (N, C)."""
        check_scores("softmax", scores)
        p: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p


@lru_cache(maxsize=8)
def _starts(rows: int, classes: int) -> Array:
    """Where each row of scores begins in one long row: the class y of row i stands at ``starts[i] + y``."""
    return np.arange(0, rows * classes, classes)


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    """Provide ``softmax``."""
    return {"softmax": Softmax}
