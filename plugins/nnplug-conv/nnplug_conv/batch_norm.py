"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, gt, lt

from nnplug import Array, ArraySpec, Context, Layer, Params, ParamSpec, Plan, ShapeError, StateSpec, hookimpl


@frozen
class BatchNorm(Layer):
    """Normalises every feature of (N, D), or every channel of images (N, C, H, W), over the batch.

    With mean mu and variance var over all rows (and pixels) of the batch::

        xhat = (x - mu) / sqrt(var + eps)
        out = gamma * xhat + beta
        dx = gamma / sqrt(var + eps) * (dout - mean(dout) - xhat * mean(dout * xhat))

    In inference the running averages of mu and var stand in for them, and dx is ``dout * gamma / sqrt(var + eps)``.

    S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.

    Args:
        momentum: the part of the running averages that each step keeps, from 0 to below 1.
        eps: keeps the quotient finite where a feature does not vary.
    """

    momentum: float = field(default=0.9, validator=[ge(0), lt(1)])
    eps: float = field(default=1e-5, validator=gt(0))

    def plan(self, x: ArraySpec) -> Plan:
        """Samples keep their shape; gamma and beta are (D,) or (C,).

        Raises:
            ShapeError: samples are neither (D,) nor (C, H, W), or not floating point.
        """
        if len(x.shape) not in (1, 3) or x.dtype.kind != "f":
            raise ShapeError(f"batch_norm needs floating-point samples (D,) or (C, H, W), given {x}")
        features = x.shape[0]
        return Plan(
            out=x,
            params={"gamma": ParamSpec((features,), 1.0, decay=False), "beta": ParamSpec((features,), decay=False)},
            state={"mean": StateSpec((features,)), "var": StateSpec((features,), 1.0)},
        )

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return out; the cache is xhat, 1 / sqrt(var + eps) and whether the batch's own statistics were used."""
        if ctx.training:
            axes = (0, *range(2, x.ndim))
            mean, var = x.mean(axis=axes), x.var(axis=axes)
            for running, now in ((params["mean"], mean), (params["var"], var)):
                running *= self.momentum
                running += (1 - self.momentum) * now
        else:
            mean, var = params["mean"], params["var"]
        inverse = 1 / np.sqrt(var + self.eps)
        xhat = np.subtract(x, _along(mean, x), out=ctx.empty(x.shape, x.dtype))
        xhat *= _along(inverse, x)
        out = np.multiply(xhat, _along(params["gamma"], x), out=ctx.empty(x.shape, x.dtype))
        out += _along(params["beta"], x)
        return out, (xhat, inverse, ctx.training)

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Assign the gradients of gamma and beta; return dx, or None where nobody needs it."""
        xhat, inverse, own_statistics = cache
        axes = (0, *range(2, dout.ndim))
        product = np.multiply(dout, xhat, out=ctx.empty(dout.shape, dout.dtype))
        np.add.reduce(product, axis=axes, out=grads["gamma"])
        np.add.reduce(dout, axis=axes, out=grads["beta"])
        if not ctx.need_dx:
            return None
        dx = ctx.empty(dout.shape, dout.dtype)
        if own_statistics:
            share = 1 / (dout.size // len(inverse))
            np.multiply(xhat, _along(grads["gamma"] * -share, dout), out=dx)
            dx += dout
            dx -= _along(grads["beta"] * share, dout)
        else:
            np.copyto(dx, dout)
        dx *= _along(params["gamma"] * inverse, dout)
        return dx


def _along(values: Array, x: Array) -> Array:
    """One value a feature or channel, shaped to meet x."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``batch_norm``."""
    return {"batch_norm": BatchNorm}
