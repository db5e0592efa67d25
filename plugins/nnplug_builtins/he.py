"""Weights as wide as a layer before a ReLU needs them."""

from __future__ import annotations

from math import sqrt
from typing import Any

from attrs import frozen
from numpy.random import Generator

from nnplug import Array, Initializer, ParamSpec, hookimpl


@frozen
class He(Initializer):
    """He: ``W ~ N(0, 2 / fan_in)``, which keeps the size of the signal from layer to layer through ReLUs.

    A sum of fan_in products has fan_in times the variance of one; a ReLU lets half of it through: hence the 2.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015, equation 10.
    """

    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Draw in float64 whatever the dtype, so that every dtype starts from the same numbers."""
        return rng.normal(0.0, sqrt(2 / spec.fan_in), spec.shape).astype(dtype, copy=False)


@hookimpl
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Register ``he``."""
    return {"he": He}
