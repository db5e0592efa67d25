"""Global average pooling."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_conv._windows import image_shape


@frozen
class GlobalAvgPool2d(Layer):
    """The mean of every channel, (N, C, H, W) -> (N, C); its gradient goes to all pixels alike, ``dout / (H * W)``.

    M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014.
    """

    def plan(self, x: ArraySpec) -> Plan:
        """An image (C, H, W) becomes (C,).

        Raises:
            ShapeError: samples are no images.
        """
        return Plan(out=x.with_shape(image_shape("global_avg_pool2d", x)[0]))

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[int, ...]]:
        """Return the means; the cache is the shape of x."""
        return np.mean(x, axis=(2, 3), out=ctx.empty(x.shape[:2], x.dtype)), x.shape

    def backward(
        self, params: Params, grads: Params, cache: tuple[int, ...], dout: Array, ctx: Context
    ) -> Array | None:
        """Spread each channel's dout evenly over its pixels."""
        if not ctx.need_dx:
            return None
        dx = ctx.empty(cache, dout.dtype)
        np.multiply(dout[:, :, None, None], 1 / (cache[2] * cache[3]), out=dx)
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``global_avg_pool2d``."""
    return {"global_avg_pool2d": GlobalAvgPool2d}
