"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl


@frozen
class SGD(UpdateRule):
    """Stochastic gradient descent: a step straight down the gradient of the batch.

        w = w - learning_rate * dw

    Robbins and Monro, "A stochastic approximation method", 1951.
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` in place; ``dw`` is overwritten."""
        dw *= step.learning_rate
        w -= dw


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Register ``sgd``."""
    return {"sgd": SGD}
