"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_builtins._constant import scalar


@frozen
class Tanh(Layer):
    """Hyperbolic tangent, elementwise ``out = tanh(x)``, between -1 and 1.

    ``dx = dout * (1 - out**2)``.
    """

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``tanh(x)``; the cache is the output."""
        out = np.tanh(x, out=ctx.empty(x.shape, x.dtype))
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return ``dout * (1 - out**2)``."""
        dx = np.multiply(cache, cache, out=ctx.empty(dout.shape, dout.dtype))
        np.subtract(scalar(1.0, dx.dtype), dx, out=dx)
        dx *= dout
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``tanh``."""
    return {"tanh": Tanh}
