"""Gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, lt

from nnplug import Array, Step, UpdateRule, hookimpl

TINY = 1e-30


@frozen
class Momentum(UpdateRule):
    """Gradient descent with momentum: steps gather speed v where gradients keep agreeing.

        v = momentum * v - learning_rate * dw
        w = w + v

    Nesterov's form looks ahead: it takes the gradient where the momentum is about to carry the parameters. Kept at
    that point, as CS231n does, they move by ``-momentum * v_before + (1 + momentum) * v``; with v put in, that is

        w = w + momentum * v - learning_rate * dw

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever et al., "On the
    importance of initialization and momentum in deep learning", ICML 2013.

    Args:
        momentum: the part of the speed that each step keeps, from 0 to below 1.
        nesterov: whether to look ahead.
    """

    slots = ("v",)

    momentum: float = field(default=0.9, validator=[ge(0), lt(1)])
    nesterov: bool = False

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and v in place; ``dw`` is overwritten."""
        v = slots["v"]
        v *= self.momentum
        dw *= step.learning_rate
        v -= dw
        if step.t % 16 == 0:
            # Rounds v to multiples of 1e-37 in float32. Where gradients stay zero it would shrink into the subnormal
            # numbers and get stuck there, and those slow every operation down.
            v += TINY
            v -= TINY
        if self.nesterov:
            w -= dw
            w += np.multiply(v, self.momentum, out=dw)
        else:
            w += v


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Register ``momentum``."""
    return {"momentum": Momentum}
