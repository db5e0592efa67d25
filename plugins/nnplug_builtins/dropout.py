"""Dropout."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, lt

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl


@frozen
class Dropout(Layer):
    """Dropout: in training each element is zero with probability ``rate``, else scaled by ``1 / (1 - rate)``.

    The expected output is x ("inverted" dropout), so that outside training nothing is left to do: there ``out is x``.
    With the mask m of zeros and ``1 / (1 - rate)``, ``out = x * m`` and ``dx = dout * m``.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Args:
        rate: the probability that an element is dropped, at least 0 and below 1.
    """

    rate: float = field(default=0.5, validator=[ge(0), lt(1)])

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array | None]:
        """Return ``x * mask`` in training, else x; the cache is the mask, or None where there is none."""
        if not ctx.training or self.rate == 0:
            return x, None
        draws = ctx.empty(x.shape, np.float32)  # 24 random bits are plenty, and cheaper than 53
        ctx.rng.random(dtype=np.float32, out=draws)
        mask = np.greater_equal(draws, self.rate, out=ctx.empty(x.shape, x.dtype))
        mask *= 1 / (1 - self.rate)
        return np.multiply(x, mask, out=ctx.empty(x.shape, x.dtype)), mask

    def backward(self, params: Params, grads: Params, cache: Array | None, dout: Array, ctx: Context) -> Array:
        """Return ``dout * mask``."""
        if cache is None:
            return dout
        return np.multiply(dout, cache, out=ctx.empty(dout.shape, dout.dtype))


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``dropout``."""
    return {"dropout": Dropout}
