"""How often the right class is among the first k."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from attrs import field, frozen
from attrs.validators import ge

from nnplug import Array, ArraySpec, DataError, Metric, hookimpl
from nnplug_builtins._targets import check_classes


@frozen
class TopK(Metric):
    """The share of rows whose class is among the k highest scores (N, C); targets are indices (N,) or one-hot (N, C).

    Of equal scores the first come first, so that ``k=1`` is the accuracy.

    Args:
        k: how many classes may be named, at least 1 and fewer than there are.
    """

    mean_of_rows: ClassVar[bool] = True

    k: int = field(default=5, validator=ge(1))

    def __call__(self, scores: Array, targets: Array) -> float:
        """The mean of ``y in argsort(-scores)[:k]``."""
        y = targets if targets.ndim == 1 else targets.argmax(axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.k]
        return float((best == y[:, None]).any(axis=1).mean())

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept what accuracy does, with more than k classes.

        Raises:
            ShapeError: scores are not (C,) with at least two classes.
            DataError: the targets name no classes, or there are not more than k of them.
        """
        check_classes("top_k", scores, targets)
        if self.k >= scores.shape[0]:
            raise DataError(
                f"top_k with k={self.k} is always 1 for {scores.shape[0]} classes; take k below {scores.shape[0]}"
            )


@hookimpl
def nnplug_metrics() -> dict[str, type[Metric]]:
    """Provide ``top_k``."""
    return {"top_k": TopK}
