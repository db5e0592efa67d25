"""Stochastic gradient descent, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins import sgd
from nnplug_numba._load import kernels


@frozen
class SGD(sgd.SGD):
    """Stochastic gradient descent, ``w = w - learning_rate * dw``, in one pass; otherwise the built-in."""

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` in place."""
        kernels().sgd_step(w, dw, step.learning_rate)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``sgd``."""
    return {"sgd": SGD}
