"""The fully connected layer."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge

from nnplug import Array, ArraySpec, Context, Initializer, Layer, Params, ParamSpec, Plan, ShapeError, hookimpl
from nnplug_builtins._constant import ones


@frozen
class Affine(Layer):
    """Fully connected layer, ``out = x @ W + b``; x is (N, d1, ..., dk), flattened to (N, D).

    With the rows of x as they are after flattening::

        dx = dout @ W.T        (N, D), given back in x's own shape
        dW = x.T @ dout        (D, M)
        db = sum of dout's rows  (M,)

    Args:
        units: the number of outputs M, at least 1.
        weight_init: how W (D, M) starts; b (M,) starts at zero.
    """

    units: int = field(validator=ge(1))
    weight_init: Initializer | str = "he"

    def plan(self, x: ArraySpec) -> Plan:
        """Any floating-point sample (d1, ..., dk) becomes (M,).

        Raises:
            ShapeError: a sample is a bare number, or is not floating point.
        """
        if not x.shape:
            raise ShapeError(
                "affine needs samples of at least one dimension, given bare numbers; "
                "make the data a column, x.reshape(-1, 1)"
            )
        if x.dtype.kind != "f":
            raise ShapeError(
                f"affine needs floating-point samples, given {x}; "
                "set input_dtype to float32 or float64; indices need a layer in front that looks them up"
            )
        return Plan(
            out=x.with_shape(self.units),
            params={"W": ParamSpec((x.size, self.units), self.weight_init), "b": ParamSpec((self.units,), decay=False)},
        )

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``x @ W + b``, (N, M); the cache is x."""
        W, n = params["W"], len(x)
        rows = x if x.ndim == 2 else x.reshape(n, len(W))
        out = rows.dot(W, ctx.empty((n, self.units), W.dtype))
        out += params["b"]
        return out, x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array | None:
        """Assign dW and db; return dx in x's shape, or None where nobody needs it."""
        x, W = cache, params["W"]
        n = len(x)
        rows = x if x.ndim == 2 else x.reshape(n, len(W))
        rows.T.dot(dout, grads["W"])
        ones(n, dout.dtype).dot(dout, grads["b"])  # dout.sum(axis=0) takes three times as long
        if not ctx.need_dx:
            return None  # in a network's first layer this is its largest product
        dx = dout.dot(W.T, ctx.empty(rows.shape, W.dtype))
        return dx if x.ndim == 2 else dx.reshape(x.shape)


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``affine``."""
    return {"affine": Affine}
