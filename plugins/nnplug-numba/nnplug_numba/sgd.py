"""Stochastic gradient descent, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.sgd import SGD as BuiltIn
from nnplug_numba._kernel import kernel


@kernel
def _step(w: Array, dw: Array, rate: float) -> None:
    step = w.dtype.type(rate)
    for i in range(w.size):
        w[i] -= step * dw[i]


@frozen
class SGD(BuiltIn):
    """Stochastic gradient descent, ``w = w - learning_rate * dw``, in one pass; otherwise the built-in."""

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` in place."""
        _step(w, dw, step.learning_rate)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``sgd``."""
    return {"sgd": SGD}
