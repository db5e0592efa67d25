"""Batch normalisation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, gt, lt

from nnplug import Array, ArraySpec, Context, Layer, Params, ParamSpec, Plan, ShapeError, StateSpec, hookimpl


@frozen
class BatchNorm(Layer):
    """Normalises every feature of (N, D), or every channel of images (N, C, H, W), over the batch.

    With mean mu and variance var (divided by n) over all n rows, or rows and pixels, of the batch::

        xhat = (x - mu) / sqrt(var + eps)
        out = gamma * xhat + beta
        dx = gamma / sqrt(var + eps) * (dout - mean(dout) - xhat * mean(dout * xhat))

    Each training step also moves the running averages of mu and var, which start at 0 and 1::

        running = momentum * running + (1 - momentum) * now

    A batch of a single number a feature has no variance, and moves nothing. In inference the averages stand in for mu
    and var, and ``dx = gamma / sqrt(var + eps) * dout``. A frozen layer, or one inside a frozen layer, uses them in
    training, too, and leaves them as they are.

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
        """Return out; the cache is xhat as (N, C, S), 1 / sqrt(var + eps) and whether they are the batch's own."""
        gamma, beta = params["gamma"], params["beta"]
        own = ctx.training and ctx.trainable
        rows = x.reshape(*x.shape[:2], prod(x.shape[2:]))  # (N, C, S): S is H * W, or 1
        n = rows.size // len(gamma)
        mean = _sums(rows) / n if own else params["mean"]
        xhat = np.subtract(rows, mean[:, None], out=ctx.empty(rows.shape, gamma.dtype))
        var = _sums(xhat, xhat) / n if own else params["var"]
        if own and n > 1:
            self._follow(params["mean"], mean)
            self._follow(params["var"], var)
        inverse = 1 / np.sqrt(var + self.eps)
        xhat *= inverse[:, None]
        out = np.multiply(xhat, gamma[:, None], out=ctx.empty(rows.shape, gamma.dtype))
        out += beta[:, None]
        return out.reshape(x.shape), (xhat, inverse, own)

    def _follow(self, running: Array, now: Array) -> None:
        """Move a running average a step towards the batch's value."""
        running *= self.momentum
        running += (1 - self.momentum) * now

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Assign the gradients of gamma and beta; return dx, or None where nobody needs it."""
        xhat, inverse, own = cache
        rows = dout.reshape(xhat.shape)
        dgamma, dbeta = _sums(rows, xhat, out=grads["gamma"]), _sums(rows, out=grads["beta"])
        if not ctx.need_dx:
            return None
        dx = ctx.empty(xhat.shape, xhat.dtype)
        if own:
            n = xhat.size // len(inverse)
            np.multiply(xhat, (dgamma / -n)[:, None], out=dx)
            dx -= (dbeta / n)[:, None]
            dx += rows
        else:
            np.copyto(dx, rows)
        dx *= (params["gamma"] * inverse)[:, None]
        return dx.reshape(dout.shape)


def _sums(a: Array, b: Array | None = None, out: Array | None = None) -> Array:
    """The sum of a, or of a * b, over each channel of (N, C, S); half the time of np.sum, and no product in memory."""
    sums: Array = np.einsum("ncs->c", a, out=out) if b is None else np.einsum("ncs,ncs->c", a, b, out=out)
    return sums


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``batch_norm``."""
    return {"batch_norm": BatchNorm}
