"""AdaGrad, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.adagrad import AdaGrad as BuiltIn
from nnplug_numba._load import kernels


@frozen
class AdaGrad(BuiltIn):
    """AdaGrad, in one pass over the parameters; otherwise the built-in.

        cache = cache + dw**2
        w     = w - learning_rate * dw / (sqrt(cache) + eps)

    The slot is shared with the built-in: either goes on from the other's checkpoint.
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and the cache in place."""
        kernels().root_step(w, dw, slots["cache"], 1.0, self.eps, step.learning_rate)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``adagrad``."""
    return {"adagrad": AdaGrad}
