"""The rectified linear unit."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_builtins._constant import constant, scalar


@frozen
class Relu(Layer):
    """Rectified linear unit, elementwise ``out = max(x, 0)``.

    ``dx = dout`` where x > 0 and 0 elsewhere; at 0 itself, where there is no derivative, 0 is taken. NaN stays NaN.

    Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.
    """

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``max(x, 0)``; the cache is the output, which is positive where x is."""
        out = np.maximum(x, constant(ctx, x, 0.0), out=ctx.empty(x.shape, x.dtype))
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return dout where x > 0, else 0."""
        dx = np.greater(cache, scalar(0.0, cache.dtype), out=ctx.empty(dout.shape, dout.dtype))
        dx *= dout
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``relu``."""
    return {"relu": Relu}
