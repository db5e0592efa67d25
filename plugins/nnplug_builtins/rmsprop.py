"""RMSProp: a learning rate for each parameter, from its recent gradients."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, sqrt

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, gt, lt

from nnplug import Array, Step, UpdateRule, hookimpl

TINY = 1e-30


@frozen
class RMSProp(UpdateRule):
    """RMSProp: gradients divided by the root of the mean of their recent squares.

        cache = rho * cache + (1 - rho) * dw**2
        w     = w - learning_rate * dw / (sqrt(cache) + eps)

    The slot holds ``cache / (1 - rho)``, which saves a pass over the parameters.

    Tieleman and Hinton, "Lecture 6.5: rmsprop", COURSERA: Neural Networks for Machine Learning, 2012.

    Args:
        rho: the part of the mean square that each step keeps, from 0 to below 1.
        eps: keeps the quotient finite where gradients are zero.
        learning_rate: the step size, before the schedule.
    """

    slots = ("cache",)

    rho: float = field(default=0.99, validator=[ge(0), lt(1)])
    eps: float = field(default=1e-8, validator=gt(0))
    learning_rate: float = field(default=1e-3, kw_only=True, validator=[gt(0), lt(inf)])

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and the cache in place; ``dw`` is overwritten."""
        cache = slots["cache"]
        root = np.multiply(dw, dw, out=step.empty(dw.shape, dw.dtype))
        cache *= self.rho
        cache += root
        if step.t % 16 == 0:
            # Rounds the cache to multiples of 1e-37 in float32. Where gradients stay zero it would shrink into the
            # subnormal numbers and get stuck there, and those slow every operation down.
            cache += TINY
            cache -= TINY
        scale = sqrt(1 - self.rho)
        np.sqrt(cache, out=root)
        root += self.eps / scale
        dw /= root
        dw *= step.learning_rate / scale
        w -= dw


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Register ``rmsprop``."""
    return {"rmsprop": RMSProp}
