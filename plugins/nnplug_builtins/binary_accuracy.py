"""How often a yes or no is right."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from nnplug import Array, ArraySpec, Metric, hookimpl
from nnplug_builtins._targets import check_labels


@frozen
class BinaryAccuracy(Metric):
    """The share of right answers, where a score above 0 says yes (p > 0.5) and a label above 0.5 means yes.

    Scores are (N, T) with labels of the same shape, or (N, 1) with labels (N,); every label counts alike.
    """

    mean_of_rows: ClassVar[bool] = True

    def __call__(self, scores: Array, targets: Array) -> float:
        """``mean((scores > 0) == (targets > 0.5))``."""
        return float(((scores > 0) == (targets.reshape(scores.shape) > 0.5)).mean())

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept labels from 0 to 1 of the scores' shape, and (N,) where the network has one output.

        Raises:
            DataError: another shape, no numbers, NaN, or a value outside 0 to 1.
        """
        check_labels("binary_accuracy", scores, targets)


@hookimpl
def nnplug_metrics() -> dict[str, type[Metric]]:
    """Provide ``binary_accuracy``."""
    return {"binary_accuracy": BinaryAccuracy}
