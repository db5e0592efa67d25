"""AdamW: Adam with weight decay apart from the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, sqrt

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, gt, lt

from nnplug import Array, Step, UpdateRule, hookimpl

TINY = 1e-30


@frozen
class AdamW(UpdateRule):
    """AdamW: every step shrinks the weights by a fixed part, then does what Adam does.

        w = w - learning_rate * weight_decay * w                    (weights, not biases)
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        w = w - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    An L2 term in the loss would pass through m and v: weights with large gradients would hardly decay. Here all decay
    alike. The paper's decay rate is ``learning_rate * weight_decay``. The slots are scaled as in ``adam``.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.

    Args:
        weight_decay: how strongly weights are drawn to zero.
        beta1: the part of the mean gradient that each step keeps, from 0 to below 1.
        beta2: the part of the mean square that each step keeps, from 0 to below 1.
        eps: keeps the quotient finite where gradients are zero.
        learning_rate: the step size, before the schedule.
    """

    slots = ("m", "v")
    decays = True

    weight_decay: float = field(default=0.01, validator=ge(0))
    beta1: float = field(default=0.9, validator=[ge(0), lt(1)])
    beta2: float = field(default=0.999, validator=[ge(0), lt(1)])
    eps: float = field(default=1e-8, validator=gt(0))
    learning_rate: float = field(default=1e-3, kw_only=True, validator=[gt(0), lt(inf)])

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w``, m and v in place; ``dw`` is overwritten."""
        if step.decay:
            w *= 1 - step.learning_rate * self.weight_decay
        m, v = slots["m"], slots["v"]
        m *= self.beta1
        m += dw
        v *= self.beta2
        dw *= dw
        v += dw
        if step.t % 16 == 0:  # keeps m and v out of the subnormal numbers, which are slow; see adam
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
    """Register ``adamw``."""
    return {"adamw": AdamW}
