"""How often the highest score is the right one."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from nnplug import Array, ArraySpec, Metric, hookimpl
from nnplug_builtins._targets import check_classes


@frozen
class Accuracy(Metric):
    """The share of rows whose highest score (N, C) is that of their class; targets are indices (N,) or one-hot (N, C).

    Of targets that are probabilities, the most probable class counts; of equal scores, the first.
    """

    mean_of_rows: ClassVar[bool] = True

    def __call__(self, scores: Array, targets: Array) -> float:
        """``mean(argmax(scores) == y)``."""
        y = targets if targets.ndim == 1 else targets.argmax(axis=1)
        return float((scores.argmax(axis=1) == y).mean())

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept scores (C,) with class indices (N,), or one-hot or probabilities (N, C).

        Raises:
            ShapeError: scores are not (C,) with at least two classes.
            DataError: the targets name no classes.
        """
        check_classes("accuracy", scores, targets)


@hookimpl
def nnplug_metrics() -> dict[str, type[Metric]]:
    """Provide ``accuracy``."""
    return {"accuracy": Accuracy}
