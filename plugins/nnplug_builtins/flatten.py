"""Samples of any shape as vectors."""

from __future__ import annotations

from math import prod

from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl


@frozen
class Flatten(Layer):
    """Flatten each sample: x (N, d1, ..., dk) becomes (N, D) with D = d1 * ... * dk, the last axis fastest.

    ``dx`` is ``dout`` in x's shape. An affine layer flattens by itself; others may want it done.
    """

    def plan(self, x: ArraySpec) -> Plan:
        """(d1, ..., dk) becomes (D,)."""
        return Plan(out=x.with_shape(x.size))

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[int, ...]]:
        """Return x as (N, D); the cache is x's shape."""
        return x.reshape(len(x), prod(x.shape[1:])), x.shape

    def backward(self, params: Params, grads: Params, cache: tuple[int, ...], dout: Array, ctx: Context) -> Array:
        """Return dout in x's shape."""
        return dout.reshape(cache)


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``flatten``."""
    return {"flatten": Flatten}
