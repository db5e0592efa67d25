"""Gradient descent with momentum, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.momentum import Momentum as BuiltIn
from nnplug_numba._load import kernels


@frozen
class Momentum(BuiltIn):
    """Gradient descent with momentum, in one pass; otherwise the built-in.

        v = momentum * v - learning_rate * dw
        w = w + v                                     (Nesterov's: w + momentum * v - learning_rate * dw)

    The slot is shared with the built-in: either goes on from the other's checkpoint.
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and v in place."""
        kernel = kernels().nesterov_step if self.nesterov else kernels().momentum_step
        kernel(w, dw, slots["v"], self.momentum, step.learning_rate)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``momentum``."""
    return {"momentum": Momentum}
