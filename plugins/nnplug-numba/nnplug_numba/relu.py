"""The rectified linear unit, compiled."""

from __future__ import annotations

from attrs import frozen

from nnplug import Array, Context, Layer, Params, hookimpl
from nnplug_builtins.relu import Relu as BuiltIn
from nnplug_numba._load import kernels


@frozen
class Relu(BuiltIn):
    """Rectified linear unit, elementwise ``out = max(x, 0)``, in one pass each way; otherwise the built-in.

    ``dx = dout`` where x > 0 and 0 elsewhere, at 0 itself, too. NaN stays NaN.
    """

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``max(x, 0)``; the cache is the output, which is positive where x is."""
        out = ctx.empty(x.shape, x.dtype)
        kernels().relu_forward(x, out)
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return dout where x > 0, else 0."""
        dx = ctx.empty(dout.shape, dout.dtype)
        kernels().relu_backward(cache, dout, dx)
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``relu``."""
    return {"relu": Relu}
