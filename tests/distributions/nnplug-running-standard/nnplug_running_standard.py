"""A layer with state for nnplug: it standardises features by all the training rows it has seen."""

from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import gt

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, ShapeError, StateSpec, hookimpl


@frozen
class RunningStandard(Layer):
    """Standardises each feature, ``out = (x - mean) / std``, by mean and variance of the rows seen so far.

    In training a batch is standardised by the rows before it (the first one stays as it is) and then counted among
    them. So mean and std are constants of the step, and ``dx = dout / std``. They are joined with those of the batch as
    Chan, Golub and LeVeque do, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.

    Args:
        eps: added to the variance, so that a feature that does not vary can be divided by it.
    """

    eps: float = field(default=1e-8, validator=gt(0))

    def plan(self, x: ArraySpec) -> Plan:
        """Samples keep their shape.

        Raises:
            ShapeError: samples are not floating point.
        """
        if x.dtype.kind != "f":
            raise ShapeError(f"running_standard needs floating-point samples, given {x}")
        state = {"count": StateSpec((), dtype="int64"), "mean": StateSpec(x.shape), "var": StateSpec(x.shape, 1.0)}
        return Plan(out=x, state=state)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return the standardised batch; the cache is 1 / std."""
        inverse = 1 / np.sqrt(params["var"] + self.eps)
        out = (x - params["mean"]) * inverse
        if ctx.training and ctx.trainable:
            self._take_in(params, x)
        return out, inverse

    def _take_in(self, params: Params, x: Array) -> None:
        before, now = int(params["count"]), len(x)
        total = before + now
        mean, var = params["mean"], params["var"]
        if before == 0:
            var[...] = 0
        apart = x.mean(axis=0) - mean
        var[...] = (var * before + x.var(axis=0) * now + apart**2 * (before * now / total)) / total
        mean += apart * (now / total)
        params["count"][...] = total

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array:
        """Return ``dout / std``."""
        dx: Array = dout * cache
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``running_standard``."""
    return {"running_standard": RunningStandard}
