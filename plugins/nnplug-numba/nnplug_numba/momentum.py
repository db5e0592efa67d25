"""Gradient descent with momentum, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.momentum import Momentum as BuiltIn
from nnplug_numba._kernel import kernel
from nnplug_numba._subnormal import without_subnormal


@kernel
def _step(w: Array, dw: Array, v: Array, momentum: float, rate: float) -> None:
    keep, step = w.dtype.type(momentum), w.dtype.type(rate)
    for i in range(w.size):
        v[i] = without_subnormal(keep * v[i] - step * dw[i])
        w[i] += v[i]


@kernel
def _nesterov(w: Array, dw: Array, v: Array, momentum: float, rate: float) -> None:
    keep, step = w.dtype.type(momentum), w.dtype.type(rate)
    for i in range(w.size):
        down = step * dw[i]
        v[i] = without_subnormal(keep * v[i] - down)
        w[i] += keep * v[i] - down


@frozen
class Momentum(BuiltIn):
    """Gradient descent with momentum, in one pass; otherwise the built-in.

        v = momentum * v - learning_rate * dw
        w = w + v                                     (Nesterov's: w + momentum * v - learning_rate * dw)
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and v in place."""
        (_nesterov if self.nesterov else _step)(w, dw, slots["v"], self.momentum, step.learning_rate)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``momentum``."""
    return {"momentum": Momentum}
