"""The logistic function, compiled."""

from __future__ import annotations

from attrs import frozen

from nnplug import Array, Context, Layer, Params, hookimpl
from nnplug_builtins.sigmoid import Sigmoid as BuiltIn
from nnplug_numba._exp import two_to_the
from nnplug_numba._kernel import kernel


@kernel
def _forward(x: Array, out: Array) -> None:
    x, out = x.ravel(), out.ravel()
    one, high, low = x.dtype.type(1), x.dtype.type(40), x.dtype.type(-87)
    for i in range(x.size):
        v = high if x[i] > high else x[i]
        two_to_n, q = two_to_the(low if v < low else v)
        e = two_to_n * q + two_to_n
        out[i] = e / (one + e)


@kernel
def _backward(out: Array, dout: Array, dx: Array) -> None:
    out, dout, dx = out.ravel(), dout.ravel(), dx.ravel()
    one = out.dtype.type(1)
    for i in range(out.size):
        dx[i] = dout[i] * out[i] * (one - out[i])


@frozen
class Sigmoid(BuiltIn):
    """Logistic function, elementwise ``out = 1 / (1 + exp(-x))``, in one pass each way; otherwise the built-in.

    As ``e / (1 + e)`` with ``e = exp(x)`` and x held between -87 and 40: outside, nothing changes but that numbers
    below 1.6e-38 become that.
    """

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``1 / (1 + exp(-x))``; the cache is the output."""
        out = ctx.empty(x.shape, x.dtype)
        _forward(x, out)
        return out, out

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return ``dout * out * (1 - out)``."""
        dx = ctx.empty(dout.shape, dout.dtype)
        _backward(cache, dout, dx)
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``sigmoid``."""
    return {"sigmoid": Sigmoid}
