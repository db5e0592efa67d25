"""RMSProp, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.rmsprop import RMSProp as BuiltIn
from nnplug_numba._load import kernels


@frozen
class RMSProp(BuiltIn):
    """RMSProp, in one pass over the parameters; otherwise the built-in.

        cache = rho * cache + (1 - rho) * dw**2
        w     = w - learning_rate * dw / (sqrt(cache) + eps)

    The slot is shared with the built-in: either goes on from the other's checkpoint.
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and the cache in place."""
        scale = sqrt(1 - self.rho)  # the slot holds cache / (1 - rho)
        kernels().root_step(w, dw, slots["cache"], self.rho, self.eps / scale, step.learning_rate / scale)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``rmsprop``."""
    return {"rmsprop": RMSProp}
