"""Two-dimensional convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import ge

from nnplug import Array, ArraySpec, Context, Initializer, Layer, Params, ParamSpec, Plan, hookimpl
from nnplug_conv._windows import Windows, check_fits, image_shape


@frozen
class Conv2d(Layer):
    """Convolution of images x (N, C, H, W) with M filters W (M, C, K, K), each with a bias.

    ``out[n, m, p, q] = b[m] + sum over c, i, j of W[m, c, i, j] * x[n, c, p*stride + i, q*stride + j]``, where x is
    padded with zeros on all four sides: a cross-correlation, as in every neural network library. The windows of each
    image are written side by side as the columns of a matrix, (C*K*K, P*Q), so that one matrix product a row of the
    batch does the rest; backwards its transposes do.

    K. Chellapilla, S. Puri, P. Simard, "High performance convolutional neural networks for document processing", 2006.

    Args:
        filters: the number of filters M, at least 1.
        size: height and width of a filter, K.
        stride: the distance between windows.
        padding: zeros around the image; (K - 1) / 2 keeps its size at stride 1.
        weight_init: how W starts; b (M,) starts at zero.
    """

    filters: int = field(validator=ge(1))
    size: int = field(default=3, validator=ge(1))
    stride: int = field(default=1, validator=ge(1))
    padding: int = field(default=0, validator=ge(0))
    weight_init: Initializer | str = "he"

    def plan(self, x: ArraySpec) -> Plan:
        """An image (C, H, W) becomes (M, P, Q), ``P = (H + 2 * padding - K) // stride + 1``.

        Raises:
            ShapeError: samples are no images, or smaller than a filter.
        """
        channels, height, width = image_shape("conv2d", x)
        height, width = height + 2 * self.padding, width + 2 * self.padding
        check_fits("conv2d", self.size, height, width)
        windows = Windows(self.size, self.stride)
        area = self.size * self.size
        shape = (self.filters, channels, self.size, self.size)
        return Plan(
            out=x.with_shape(self.filters, windows.count(height), windows.count(width)),
            params={
                "W": ParamSpec(shape, self.weight_init, fan_in=channels * area, fan_out=self.filters * area),
                "b": ParamSpec((self.filters,), decay=False),
            },
        )

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return out (N, M, P, Q); the cache is the columns (N, C*K*K, P*Q) and the shapes."""
        W, b = params["W"], params["b"]
        padded = self._pad(x, ctx)
        windows = Windows(self.size, self.stride)
        n, channels = x.shape[:2]
        down, across = windows.count(padded.shape[2]), windows.count(padded.shape[3])
        columns = ctx.empty((n, channels, self.size, self.size, down, across), x.dtype)
        for i, j, place in windows.places(padded):
            columns[:, :, i, j] = place
        columns = columns.reshape(n, channels * self.size * self.size, down * across)
        out = ctx.empty((n, self.filters, down * across), W.dtype)
        np.matmul(W.reshape(self.filters, -1), columns, out=out)
        out += b[:, None]
        return out.reshape(n, self.filters, down, across), (columns, x.shape)

    def _pad(self, x: Array, ctx: Context) -> Array:
        if self.padding == 0:
            return x
        p = self.padding
        n, channels, height, width = x.shape
        padded = ctx.empty((n, channels, height + 2 * p, width + 2 * p), x.dtype)
        padded.fill(0)
        padded[:, :, p:-p, p:-p] = x
        return padded

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Assign dW and db; return dx, or None where nobody needs it."""
        columns, shape = cache
        n, _, down, across = dout.shape
        flat = dout.reshape(n, self.filters, down * across)
        per_row = ctx.empty((n, self.filters, columns.shape[1]), dout.dtype)
        np.matmul(flat, columns.transpose(0, 2, 1), out=per_row)
        np.add.reduce(per_row, axis=0, out=grads["W"].reshape(self.filters, -1))
        np.add.reduce(flat, axis=(0, 2), out=grads["b"])
        if not ctx.need_dx:
            return None
        dcolumns = np.matmul(params["W"].reshape(self.filters, -1).T, flat, out=ctx.empty(columns.shape, dout.dtype))
        return self._spread(dcolumns.reshape(n, shape[1], self.size, self.size, down, across), shape, ctx)

    def _spread(self, dcolumns: Array, shape: tuple[int, ...], ctx: Context) -> Array:
        """Add every window's gradient back to the pixels it came from."""
        p = self.padding
        n, channels, height, width = shape
        dpadded = ctx.empty((n, channels, height + 2 * p, width + 2 * p), dcolumns.dtype)
        dpadded.fill(0)
        for i, j, place in Windows(self.size, self.stride).places(dpadded):
            place += dcolumns[:, :, i, j]
        return dpadded[:, :, p : p + height, p : p + width]


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``conv2d``."""
    return {"conv2d": Conv2d}
