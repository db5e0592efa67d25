"""Max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, optional

from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, hookimpl
from nnplug_conv._windows import Windows, check_fits, image_shape


@frozen
class MaxPool2d(Layer):
    """The largest pixel of every K x K window of images (N, C, H, W).

    Its gradient goes to that pixel alone, to the first of them (row by row) where several are equally large.

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
        channels, height, width = image_shape("max_pool2d", x)
        check_fits("max_pool2d", self.size, height, width)
        return Plan(out=x.with_shape(channels, self._windows().count(height), self._windows().count(width)))

    def _windows(self) -> Windows:
        return Windows(self.size, self.stride or self.size)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return the maxima; the cache is x and the maxima."""
        windows = self._windows()
        shape = (*x.shape[:2], windows.count(x.shape[2]), windows.count(x.shape[3]))
        out = ctx.empty(shape, x.dtype)
        for i, j, place in windows.places(x):
            if i == j == 0:
                np.copyto(out, place)
            else:
                np.maximum(out, place, out=out)
        return out, (x, out)

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array:
        """Give each window's dout to the first of its largest pixels."""
        x, out = cache
        dx = ctx.empty(x.shape, dout.dtype)
        dx.fill(0)
        waiting, here = ctx.empty(out.shape, bool), ctx.empty(out.shape, bool)
        part = ctx.empty(out.shape, dout.dtype)
        waiting.fill(True)
        places = zip(self._windows().places(x), self._windows().places(dx), strict=True)
        for (_, _, place), (_, _, dplace) in places:
            np.equal(place, out, out=here)
            here &= waiting
            waiting ^= here
            np.multiply(dout, here, out=part)
            dplace += part
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``max_pool2d``."""
    return {"max_pool2d": MaxPool2d}
