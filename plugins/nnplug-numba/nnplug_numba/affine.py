"""The fully connected layer, with the bias compiled."""

from __future__ import annotations

from attrs import frozen

from nnplug import Array, Context, Layer, Params, hookimpl
from nnplug_builtins.affine import Affine as BuiltIn
from nnplug_numba._load import kernels


@frozen
class Affine(BuiltIn):
    """Fully connected layer, ``out = x @ W + b``: the bias added by compiled code; otherwise the built-in."""

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``x @ W + b``, (N, M); the cache is x."""
        W, b = params["W"], params["b"]
        n = len(x)
        out = x.reshape(n, len(W)).dot(W, ctx.empty((n, len(b)), W.dtype))
        kernels().add_bias(out, b)
        return out, x


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``affine``."""
    return {"affine": Affine}
