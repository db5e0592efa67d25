"""The mean squared error."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Loss, hookimpl
from nnplug_builtins._targets import check_values


@frozen
class Mse(Loss):
    """Mean squared error of scores s and targets t, both (N, T); with one output, targets may be (N,) as well.

    A row's loss is ``mean((s - t)**2)`` over its T outputs, as scikit-learn and Keras have it (some books take half the
    sum instead), and its gradient ``2 * (s - t) / T``. Outputs of more dimensions count as T = d1 * ... * dk.
    """

    metrics: ClassVar[tuple[str, ...]] = ("mean_absolute_error", "r2")

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Return each row's mean squared error (N,) and its gradient, in the scores' shape."""
        # Targets (N,) take the shape (N, 1) of their scores: (N, 1) - (N,) would be (N, N).
        dscores = np.subtract(scores, targets.reshape(scores.shape), out=ctx.empty(scores.shape, scores.dtype))
        outputs = prod(scores.shape[1:])
        difference = dscores.reshape(len(scores), outputs)
        losses = np.vecdot(difference, difference, out=ctx.empty((len(scores),), scores.dtype))
        losses /= outputs
        dscores *= 2 / outputs
        return losses, dscores

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept finite targets of the scores' shape, and (N,) where the network has one output.

        Raises:
            DataError: another shape, no numbers, NaN or infinity.
        """
        check_values("mse", scores, targets)

    def predict(self, scores: Array) -> Array:
        """The scores; (N,) where there is one a row."""
        return scores.reshape(-1) if scores.shape[1:] == (1,) else scores


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    """Provide ``mse``."""
    return {"mse": Mse}
