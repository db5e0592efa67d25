"""The rectified linear unit that leaks."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen
from attrs.validators import gt, lt

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_builtins._constant import scalar


@frozen
class LeakyRelu(Layer):
    """Leaky rectified linear unit, elementwise ``out = x`` where x > 0, else ``slope * x``.

    ``dx = dout`` where x > 0, else ``slope * dout``, so that no unit stops learning for good. At 0 the slope is taken.

    Maas, Hannun and Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.

    Args:
        slope: the derivative for negative x, between 0 and 1; for 0 there is relu.
    """

    slope: float = field(default=0.01, validator=[gt(0), lt(1)])

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``max(x, slope * x)``; the cache is the output, which has x's sign."""
        out = np.multiply(x, self.slope, out=ctx.empty(x.shape, x.dtype))
        np.maximum(x, out, out=out)
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return ``dout * max(1 if x > 0 else 0, slope)``."""
        dx = np.greater(cache, scalar(0.0, cache.dtype), out=ctx.empty(dout.shape, dout.dtype))
        np.maximum(dx, self.slope, out=dx)
        dx *= dout
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``leaky_relu``."""
    return {"leaky_relu": LeakyRelu}
