"""AdaGrad: a learning rate for each parameter, from all gradients so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from attrs import field, frozen
from attrs.validators import gt

from nnplug import Array, Step, UpdateRule, hookimpl


@frozen
class AdaGrad(UpdateRule):
    """AdaGrad: parameters that saw large gradients take smaller steps; steps only ever shrink.

        cache = cache + dw**2
        w     = w - learning_rate * dw / (sqrt(cache) + eps)

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011.

    Args:
        eps: keeps the quotient finite where all gradients were zero.
    """

    slots = ("cache",)

    eps: float = field(default=1e-8, validator=gt(0))

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Update ``w`` and the cache in place; ``dw`` is overwritten."""
        cache = slots["cache"]
        root = np.multiply(dw, dw, out=step.empty(dw.shape, dw.dtype))
        cache += root
        np.sqrt(cache, out=root)
        root += self.eps
        dw /= root
        dw *= step.learning_rate
        w -= dw


@hookimpl
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Register ``adagrad``."""
    return {"adagrad": AdaGrad}
