"""Standardisation by what has been seen in training."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, ShapeError, StateSpec, hookimpl


@frozen
class Standardize(Layer):
    """Standardises every element of a sample, by mean mu and variance var of all n rows it has seen in training.

    ::

        xhat = (x - mu) / sqrt(var)
        dx = (dout - sum(dout) / n - xhat * sum(dout * xhat) / n) / sqrt(var)

    The sums are over the rows of the batch, which counts among the n. In inference, and in a frozen layer, mu and var
    stay as they are, and ``dx = dout / sqrt(var)``. An element that does not vary is divided by 1; before the first
    training step, all are, and mu is 0.

    As the first layer it brings features of different sizes, metres beside years, to one: after an epoch mu and var are
    those of the training rows. They are kept in float64 and joined with the batch's as in Chan, Golub and LeVeque,
    "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays.

        Raises:
            ShapeError: samples are not floating point.
        """
        if x.dtype.kind != "f":
            raise ShapeError(f"standardize needs floating-point samples, given {x}; set input_dtype to float32")
        mean, var = StateSpec(x.shape, dtype="float64"), StateSpec(x.shape, 1.0, dtype="float64")
        return Plan(out=x, state={"rows": StateSpec((), dtype="int64"), "mean": mean, "var": var})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return xhat; the cache is xhat, 1 / sqrt(var), and n if the batch is among the rows, else None."""
        own = ctx.training and ctx.trainable
        if own:
            self._take_in(params, x)
        rows, mean = int(params["rows"]), params["mean"]
        inverse = _inverse_deviation(params["var"], mean, rows)
        apart = np.subtract(x, mean, out=ctx.empty(x.shape, np.float64))
        xhat = np.multiply(apart, inverse, out=ctx.empty(x.shape, x.dtype), casting="same_kind")
        return xhat, (xhat, inverse, rows if own else None)

    def _take_in(self, params: Params, x: Array) -> None:
        """Join mean and variance of the rows before with those of the batch."""
        mean, var, now, before = params["mean"], params["var"], len(x), int(params["rows"])
        total = before + now
        batch_mean, batch_var = x.mean(axis=0, dtype=np.float64), x.var(axis=0, dtype=np.float64)
        apart = batch_mean - mean
        var *= before / total
        var += batch_var * (now / total) + apart**2 * (before / total * (now / total))
        mean += apart * (now / total)
        params["rows"][...] = total

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Return dx, or None where nobody needs it."""
        if not ctx.need_dx:
            return None
        xhat, inverse, rows = cache
        dx: Array = np.multiply(dout, inverse, out=ctx.empty(dout.shape, dout.dtype), casting="same_kind")
        if rows is not None:
            dx -= inverse * (np.add.reduce(dout) / rows)
            dx -= xhat * (inverse * (np.add.reduce(dout * xhat) / rows))
        return dx


def _inverse_deviation(var: Array, mean: Array, rows: int) -> Array:
    """``1 / sqrt(var)``, and 1 where var is nothing but the rounding of equal numbers."""
    rounding = (max(rows, 1) * np.finfo(np.float64).eps * mean) ** 2
    inverse: Array = 1 / np.sqrt(np.where(var > rounding, var, 1.0))
    return inverse


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``standardize``."""
    return {"standardize": Standardize}
