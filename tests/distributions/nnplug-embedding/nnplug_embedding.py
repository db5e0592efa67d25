"""An embedding for nnplug: a learned vector for each of the first integers."""

import numpy as np
from attrs import field, frozen
from attrs.validators import ge

from nnplug import (
    Array,
    ArraySpec,
    Context,
    DataError,
    Initializer,
    Layer,
    Params,
    ParamSpec,
    Plan,
    ShapeError,
    hookimpl,
)


@frozen
class Embedding(Layer):
    """Puts vectors in the place of indices: x (N, d1, ..., dk) of integers, out (N, d1, ..., dk, D).

    ``out[n, ...] = W[x[n, ...]]``, with W (V, D). Each row of dW is the sum of dout wherever its index stands. Indices
    have no gradient.

    Args:
        count: the number V of different indices; they go from 0 to V - 1.
        units: the length D of each vector.
        weight_init: how W starts.
    """

    count: int = field(validator=ge(1))
    units: int = field(validator=ge(1))
    weight_init: Initializer | str = "normal"

    def plan(self, x: ArraySpec) -> Plan:
        """A sample gets one more dimension.

        Raises:
            ShapeError: samples are not integers.
        """
        if x.dtype.kind not in "iu":
            raise ShapeError(f'embedding needs integer samples, given {x}; set input_dtype = "int64" in [model]')
        out = ArraySpec((*x.shape, self.units))
        return Plan(out=out, params={"W": ParamSpec((self.count, self.units), self.weight_init)})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``W[x]``; the cache is x.

        Raises:
            DataError: there is an index without a vector.
        """
        if x.size and not 0 <= x.min() <= x.max() < self.count:
            wrong = x.min() if x.min() < 0 else x.max()
            raise DataError(f"embedding has vectors for 0 to {self.count - 1}, given {wrong}; set count higher")
        return params["W"][x], x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> None:
        """Assign dW; indices have no gradient."""
        dW = grads["W"]
        dW[...] = 0
        np.add.at(dW, cache, dout)


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``embedding``."""
    return {"embedding": Embedding}
