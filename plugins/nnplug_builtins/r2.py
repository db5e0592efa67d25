"""The coefficient of determination."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Metric, hookimpl
from nnplug_builtins._targets import check_values


@frozen
class R2(Metric):
    """Coefficient of determination, ``1 - sum((s - t)**2) / sum((t - mean(t))**2)``, averaged over the outputs.

    1 is exact, 0 as good as always saying the mean, below 0 worse. An output whose targets are all the same counts 1 if
    the scores are exact and 0 if not. Scores and targets are (N, T), or (N, 1) and (N,).
    """

    def __call__(self, scores: Array, targets: Array) -> float:
        """The mean of each output's coefficient."""
        n = len(scores)
        s = scores.reshape(n, -1)
        t = targets.reshape(s.shape).astype(np.float64)  # sums over a whole split want the digits
        residual = np.square(s - t).sum(axis=0)
        total = np.square(t - t.mean(axis=0)).sum(axis=0)
        constant = (t == t[0]).all(axis=0)  # total is not quite 0 then: the mean is rounded
        explained = 1 - residual / np.where(constant, 1, total)
        return float(np.where(constant, residual == 0, explained).mean())

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept finite targets of the scores' shape, and (N,) where the network has one output.

        Raises:
            DataError: another shape, no numbers, NaN or infinity.
        """
        check_values("r2", scores, targets)


@hookimpl
def nnplug_metrics() -> dict[str, type[Metric]]:
    """Provide ``r2``."""
    return {"r2": R2}
