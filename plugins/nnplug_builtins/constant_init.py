"""Parameters that start at one given value."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.random import Generator

from nnplug import Array, Initializer, ParamSpec, hookimpl


@frozen
class Constant(Initializer):
    """Every element the same.

    Args:
        value: what every element is; the default suits a factor that shall change nothing at first.
    """

    value: float = 1.0

    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Return an array filled with ``value``."""
        return np.full(spec.shape, self.value, dtype)


@hookimpl
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Register ``constant``."""
    return {"constant": Constant}
