"""AdamW, compiled."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from nnplug import Array, Step, UpdateRule, hookimpl
from nnplug_builtins.adamw import AdamW as BuiltIn
from nnplug_numba._adam import adam_step


@frozen
class AdamW(BuiltIn):
    """AdamW, in one pass over the parameters; otherwise the built-in.

        w = w - learning_rate * weight_decay * w                    (weights, not biases)

    and then what ``adam`` does.
    """

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w``, m and v in place."""
        keep = 1 - step.learning_rate * self.weight_decay if step.decay else 1.0
        adam_step(w, dw, slots, step, self.beta1, self.beta2, self.eps, keep)


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Provide ``adamw``."""
    return {"adamw": AdamW}
