"""Parameters drawn from a normal distribution."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from attrs.validators import ge
from numpy.random import Generator

from nnplug import Array, Initializer, ParamSpec, hookimpl


@frozen
class Normal(Initializer):
    """Normal distribution around zero, as wide as told: ``W ~ N(0, std**2)``.

    Deep networks need a width that fits the layer's size: see ``he`` and ``xavier``.

    Args:
        std: the standard deviation; CS231n calls it ``weight_scale``.
    """

    std: float = field(default=0.01, validator=ge(0))

    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Draw in float64 whatever the dtype, so that every dtype starts from the same numbers."""
        return rng.normal(0.0, self.std, spec.shape).astype(dtype, copy=False)


@hookimpl
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Register ``normal``."""
    return {"normal": Normal}
