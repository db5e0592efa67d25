"""The rectified linear unit, compiled."""

from __future__ import annotations

from attrs import frozen

from nnplug import Array, Context, Layer, Params, hookimpl
from nnplug_builtins.relu import Relu as BuiltIn
from nnplug_numba._kernel import kernel


@kernel
def _forward(x: Array, out: Array) -> None:
    x, out = x.ravel(), out.ravel()
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = zero if x[i] <= zero else x[i]  # so written, NaN stays NaN


@kernel
def _backward(out: Array, dout: Array, dx: Array) -> None:
    out, dout, dx = out.ravel(), dout.ravel(), dx.ravel()
    zero = out.dtype.type(0)
    for i in range(out.size):
        dx[i] = dout[i] if out[i] > zero else zero


@frozen
class Relu(BuiltIn):
    """Rectified linear unit, elementwise ``out = max(x, 0)``, in one pass each way; otherwise the built-in.

    ``dx = dout`` where x > 0 and 0 elsewhere, at 0 itself, too. NaN stays NaN.
    """

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``max(x, 0)``; the cache is the output, which is positive where x is."""
        out = ctx.empty(x.shape, x.dtype)
        _forward(x, out)
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return dout where x > 0, else 0."""
        dx = ctx.empty(dout.shape, dout.dtype)
        _backward(cache, dout, dx)
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``relu``."""
    return {"relu": Relu}
