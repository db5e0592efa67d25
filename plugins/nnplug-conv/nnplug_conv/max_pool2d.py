"""Max pooling."""

from __future__ import annotations

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
        return Plan(out=x.with_shape(channels, *self._windows().count(height, width)))

    def _windows(self) -> Windows:
        return Windows(self.size, self.stride or self.size)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Array]]:
        """Return the maxima; the cache is x and the maxima."""
        windows = self._windows()
        out = ctx.empty((*x.shape[:2], *windows.count(*x.shape[2:])), x.dtype)
        first, *others = windows.places(x, axis=2)
        np.copyto(out, first)
        for place in others:
            np.maximum(out, place, out=out)
        return out, (x, out)

    def backward(
        self, params: Params, grads: Params, cache: tuple[Array, Array], dout: Array, ctx: Context
    ) -> Array | None:
        """Give each window's dout to the first of its largest pixels."""
        if not ctx.need_dx:
            return None
        x, out = cache
        windows = self._windows()
        dx = ctx.empty(x.shape, dout.dtype)
        dx.fill(0)
        waiting, here = ctx.empty(out.shape, bool), ctx.empty(out.shape, bool)
        waiting.fill(True)
        share = ctx.empty(out.shape, dout.dtype)
        for place, dplace in zip(windows.places(x, axis=2), windows.places(dx, axis=2), strict=True):
            np.equal(place, out, out=here)
            here &= waiting
            waiting ^= here
            if windows.overlap:
                dplace += np.multiply(dout, here, out=share)
            else:
                np.multiply(dout, here, out=dplace)  # a pixel stands in one window: nothing to add to
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``max_pool2d``."""
    return {"max_pool2d": MaxPool2d}
