"""Numbers of another size."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from attrs import field, frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, ShapeError, hookimpl


def _finite(instance: Any, attribute: Any, value: float) -> None:
    if not isfinite(value) or (attribute.name == "factor" and value == 0):
        raise ValueError(f"'{attribute.name}' must be finite{', not 0' * (attribute.name == 'factor')}: {value}")


@frozen
class Rescale(Layer):
    """Multiplies by a number and adds another one, ``out = factor * x + offset``; ``dx = factor * dout``.

    As the last layer of a network that predicts prices or years: with their standard deviation as factor and their mean
    as offset, what comes before has numbers around 0 to 1 to find. Neither number is learned.

    Args:
        factor: what x is multiplied by.
        offset: what is added then.
    """

    factor: float = field(validator=_finite)
    offset: float = field(default=0.0, validator=_finite)

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays.

        Raises:
            ShapeError: samples are not floating point.
        """
        if x.dtype.kind != "f":
            raise ShapeError(f"rescale needs floating-point samples, given {x}")
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """Return ``factor * x + offset``; there is no cache."""
        out = np.multiply(x, self.factor, out=ctx.empty(x.shape, x.dtype))
        out += self.offset
        return out, None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """Return ``factor * dout``."""
        return np.multiply(dout, self.factor, out=ctx.empty(dout.shape, dout.dtype))


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``rescale``."""
    return {"rescale": Rescale}
