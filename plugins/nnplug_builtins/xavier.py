"""Weights as wide as a layer before a tanh or a sigmoid needs them."""

from __future__ import annotations

from math import sqrt
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import in_
from numpy.random import Generator

from nnplug import Array, Initializer, ParamSpec, hookimpl


@frozen
class Xavier(Initializer):
    """Xavier, or Glorot: variance ``1 / fan``, between what keeps signals and what keeps gradients at their size.

        fan = (fan_in + fan_out) / 2
        W ~ U(-sqrt(3 / fan), sqrt(3 / fan))    or    N(0, 1 / fan)

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010,
    equations 12 and 16.

    Args:
        mode: which fan: ``fan_avg`` as in the paper; ``fan_in`` keeps signals alone, ``fan_out`` gradients alone.
        distribution: ``uniform`` as in the paper, or ``normal``.
    """

    mode: Literal["fan_avg", "fan_in", "fan_out"] = field(
        default="fan_avg", validator=in_(("fan_avg", "fan_in", "fan_out"))
    )
    distribution: Literal["uniform", "normal"] = field(default="uniform", validator=in_(("uniform", "normal")))

    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Draw in float64 whatever the dtype, so that every dtype starts from the same numbers."""
        fans = {"fan_avg": (spec.fan_in + spec.fan_out) / 2, "fan_in": spec.fan_in, "fan_out": spec.fan_out}
        std = sqrt(1 / fans[self.mode])
        if self.distribution == "normal":
            drawn = rng.normal(0.0, std, spec.shape)
        else:
            limit = sqrt(3) * std
            drawn = rng.uniform(-limit, limit, spec.shape)
        return drawn.astype(dtype, copy=False)


@hookimpl
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Register ``xavier``."""
    return {"xavier": Xavier}
