"""Average pooling."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, optional

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_conv._windows import Windows, check_fits, image_shape


@frozen
class AvgPool2d(Layer):
    """The mean of every K x K window of images (N, C, H, W); its gradient goes to all pixels alike, ``dout / K**2``.

    Args:
        size: height and width of a window, K.
        stride: the distance between windows; default: K, so that they do not overlap.
    """

    size: int = field(default=2, validator=ge(1))
    stride: int | None = field(default=None, validator=optional(ge(1)))

    def plan(self, x: ArraySpec) -> Plan:
        """An image (C, H, W) becomes (C, (H - K) // stride + 1, (W - K) // stride + 1).

        Raises:
            ShapeError: samples are no images, or smaller than a window.
        """
        channels, height, width = image_shape("avg_pool2d", x)
        check_fits("avg_pool2d", self.size, height, width)
        return Plan(out=x.with_shape(channels, *self._windows().count(height, width)))

    def _windows(self) -> Windows:
        return Windows(self.size, self.stride or self.size)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[int, ...]]:
        """Return the means; the cache is the shape of x."""
        windows = self._windows()
        out = ctx.empty((*x.shape[:2], *windows.count(*x.shape[2:])), x.dtype)
        first, *others = windows.places(x, axis=2)
        np.copyto(out, first)
        for place in others:
            out += place
        out *= 1 / self.size**2
        return out, x.shape

    def backward(
        self, params: Params, grads: Params, cache: tuple[int, ...], dout: Array, ctx: Context
    ) -> Array | None:
        """Spread each window's dout evenly over its pixels."""
        if not ctx.need_dx:
            return None
        windows = self._windows()
        dx = ctx.empty(cache, dout.dtype)
        dx.fill(0)
        share = np.multiply(dout, 1 / self.size**2, out=ctx.empty(dout.shape, dout.dtype))
        for dplace in windows.places(dx, axis=2):
            if windows.overlap:
                dplace += share
            else:
                np.copyto(dplace, share)  # a pixel stands in one window: nothing to add to
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``avg_pool2d``."""
    return {"avg_pool2d": AvgPool2d}
