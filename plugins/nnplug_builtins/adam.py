"""Adam: momentum, and a learning rate for each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, sqrt

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, gt, lt

from nnplug import Array, Step, UpdateRule, hookimpl

TINY = 1e-30


@frozen
class Adam(UpdateRule):
    """Adam: the mean of recent gradients divided by the root of the mean of their squares.

        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        w = w - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    Both means start at zero; dividing by ``1 - beta**t`` at step t corrects for it. The slots hold ``m / (1 - beta1)``
    and ``v / (1 - beta2)``, so that all the factors meet in two scalars: ten passes over the parameters, not fourteen.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Args:
        beta1: the part of the mean gradient that each step keeps, from 0 to below 1.
        beta2: the part of the mean square that each step keeps, from 0 to below 1.
        eps: keeps the quotient finite where gradients are zero.
        learning_rate: the step size, before the schedule.
    """

    slots = ("m", "v")

    beta1: float = field(default=0.9, validator=[ge(0), lt(1)])
    beta2: float = field(default=0.999, validator=[ge(0), lt(1)])
    eps: float = field(default=1e-8, validator=gt(0))
    learning_rate: float = field(default=1e-3, kw_only=True, validator=[gt(0), lt(inf)])

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w``, m and v in place; ``dw`` is overwritten."""
        m, v = slots["m"], slots["v"]
        m *= self.beta1
        m += dw
        v *= self.beta2
        dw *= dw
        v += dw
        if step.t % 16 == 0:
            # Rounds m and v to multiples of 1e-37 in float32. Where gradients stay zero they would shrink into the
            # subnormal numbers and get stuck there, and those slow every operation down.
            for slot in (m, v):
                slot += TINY
                slot -= TINY
        m_scale = (1 - self.beta1) / (1 - self.beta1**step.t)
        v_scale = sqrt((1 - self.beta2) / (1 - self.beta2**step.t))
        update = np.sqrt(v, out=dw)
        update += self.eps / v_scale
        np.divide(m, update, out=update)
        update *= step.learning_rate * m_scale / v_scale
        w -= update


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Register ``adam``."""
    return {"adam": Adam}
