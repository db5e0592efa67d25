"""The multiclass support vector machine's loss."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from attrs import field, frozen
from attrs.validators import gt

from nnplug import Array, ArraySpec, Context, Loss, hookimpl
from nnplug_builtins._by_class import by_class
from nnplug_builtins._targets import check_class_indices, check_scores


@frozen
class Svm(Loss):
    """Multiclass hinge loss of scores s (N, C) and class indices y (N,).

    A row's loss is the sum over the wrong classes j of ``max(0, s[j] - s[y] + margin)``: the right class must win by
    the margin. Its gradient is 1 for each wrong class that comes too near and minus their number for y. Exactly at the
    margin, where there is no derivative, 0 is taken.

    Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", 1999.

    Args:
        margin: how far the right class's score must be above every other.
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)

    margin: float = field(default=1.0, validator=gt(0))

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Return each row's hinge loss (N,) and its gradient (N, C)."""
        n = len(scores)
        rows = np.arange(n)

        excess = by_class(scores, ctx)  # (C, N)
        excess -= excess[targets, rows]
        excess += self.margin
        excess[targets, rows] = 0
        np.maximum(excess, 0, out=excess)
        losses = excess.sum(axis=0, out=ctx.empty((n,), scores.dtype))

        too_near = np.greater(excess, 0, out=excess)  # 1 or 0
        dscores = ctx.empty(scores.shape, scores.dtype)
        np.copyto(dscores.T, too_near)
        dscores[rows, targets] = -too_near.sum(axis=0)
        return losses, dscores

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept scores (C,) with class indices (N,).

        Raises:
            ShapeError: scores are not (C,) with at least two classes.
            DataError: targets of another shape or dtype; an index out of range.
        """
        check_class_indices("svm", scores, targets)

    def predict(self, scores: Array) -> Array:
        """The class of the highest score, (N,)."""
        check_scores("svm", scores)
        best: Array = scores.argmax(axis=1)
        return best


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    """Provide ``svm``."""
    return {"svm": Svm}
