"""Parameters that start at zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.random import Generator

from nnplug import Array, Initializer, ParamSpec, hookimpl


@frozen
class Zeros(Initializer):
    """All zeros: for biases. Weights that start equal get equal gradients and stay equal."""

    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Return zeros."""
        return np.zeros(spec.shape, dtype)


@hookimpl
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Register ``zeros``."""
    return {"zeros": Zeros}
