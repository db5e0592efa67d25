"""Adam, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.adam import Adam as BuiltIn
from nnplug_numba._adam import adam_step


@frozen
class Adam(BuiltIn):
    """Adam, in one pass over the parameters; otherwise the built-in.

        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        w = w - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    The slots are shared with the built-in: either goes on from the other's checkpoint.
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w``, m and v in place."""
        adam_step(w, dw, slots, step, self.beta1, self.beta2, self.eps)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``adam``."""
    return {"adam": Adam}
