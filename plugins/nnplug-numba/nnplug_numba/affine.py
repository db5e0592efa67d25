"""The fully connected layer, with what is not a matrix product compiled."""

from __future__ import annotations

from attrs import frozen

from nnplug import Array, Context, Layer, Params, hookimpl
from nnplug_builtins.affine import Affine as BuiltIn
from nnplug_numba._load import kernels


@frozen
class Affine(BuiltIn):
    """Fully connected layer, ``out = x @ W + b``: NumPy's matrix products, compiled sums; otherwise the built-in."""

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``x @ W + b``, (N, M); the cache is x."""
        W, b = params["W"], params["b"]
        n = len(x)
        out = x.reshape(n, len(W)).dot(W, ctx.empty((n, len(b)), W.dtype))
        kernels().add_bias(out, b)
        return out, x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array | None:
        """Assign dW and db; return dx in x's shape, or None where nobody needs it."""
        x, W = cache, params["W"]
        rows = x.reshape(len(x), len(W))
        rows.T.dot(dout, grads["W"])
        kernels().sum_rows(dout, grads["b"])
        if not ctx.need_dx:
            return None
        return dout.dot(W.T, ctx.empty(rows.shape, W.dtype)).reshape(x.shape)


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``affine``."""
    return {"affine": Affine}
