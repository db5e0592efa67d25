"""The mean absolute error."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Metric, hookimpl
from nnplug_builtins._targets import check_values


@frozen
class MeanAbsoluteError(Metric):
    """The mean of ``|s - t|`` over all rows and outputs; scores and targets (N, T), or (N, 1) and (N,)."""

    higher_is_better: ClassVar[bool] = False
    mean_of_rows: ClassVar[bool] = True

    def __call__(self, scores: Array, targets: Array) -> float:
        """``mean(|scores - targets|)``."""
        return float(np.abs(scores - targets.reshape(scores.shape)).mean(dtype=np.float64))

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept finite targets of the scores' shape, and (N,) where the network has one output.

        Raises:
            DataError: another shape, no numbers, NaN or infinity.
        """
        check_values("mean_absolute_error", scores, targets)


@hookimpl
def nnplug_metrics() -> dict[str, type[Metric]]:
    """Provide ``mean_absolute_error``."""
    return {"mean_absolute_error": MeanAbsoluteError}
