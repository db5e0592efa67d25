"""The logistic function."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_builtins._constant import constant, scalar

SATURATED = 40.0  # 1 / (1 + exp(-40)) is 1 in float64, and exp(40) is far from overflow in float32


@frozen
class Sigmoid(Layer):
    """Logistic function, elementwise ``out = 1 / (1 + exp(-x))``, between 0 and 1.

    ``dx = dout * out * (1 - out)``.
    """

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``1 / (1 + exp(-x))``; the cache is the output."""
        # As e / (1 + e) with e = exp(min(x, 40)): nothing overflows, and every value, however small, is right to a few
        # units in the last place. (1 + tanh(x / 2)) / 2 takes a third less time, but gives 0 for x = -20 in float32;
        # the cases x < 0 and x >= 0 told apart take twice as long.
        e = np.minimum(x, constant(ctx, x, SATURATED), out=ctx.empty(x.shape, x.dtype))
        np.exp(e, out=e)
        out = np.add(e, scalar(1.0, e.dtype), out=ctx.empty(x.shape, x.dtype))
        np.divide(e, out, out=out)
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return ``dout * out * (1 - out)``."""
        dx = np.subtract(scalar(1.0, cache.dtype), cache, out=ctx.empty(dout.shape, dout.dtype))
        dx *= cache
        dx *= dout
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``sigmoid``."""
    return {"sigmoid": Sigmoid}
