"""Two-dimensional convolution."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen
from attrs.validators import ge

from nnplug import Array, ArraySpec, Context, Initializer, Layer, Params, ParamSpec, Plan, ShapeError, hookimpl
from nnplug_conv._columns import Columns, carve
from nnplug_conv._windows import Windows, check_fits, image_shape


@frozen
class Conv2d(Layer):
    """Convolution of images x (N, C, H, W) with M filters W (M, C, K, K), each with a bias.

    ``out[n, m, p, q] = b[m] + sum over c, i, j of W[m, c, i, j] * x[n, c, p*stride + i, q*stride + j]``, where x is
    padded with zeros on all four sides: a cross-correlation, as in every neural network library. With the windows of x
    as the columns of a matrix X (C*K*K, P*Q*N), and everything else in that order::

        out = W @ X + b
        dW = dout @ X.T
        db = sum of dout over images and pixels
        dX = W.T @ dout        every number of it is added to the pixel of dx that it came from

    K. Chellapilla, S. Puri, P. Simard, "High performance convolutional neural networks for document processing", 2006.

    Args:
        filters: the number of filters M, at least 1.
        size: height and width of a filter, K.
        stride: the distance between windows.
        padding: zeros around the image, no more than it is high or wide, or K; (K - 1) / 2 keeps its size at stride 1.
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
            ShapeError: samples are no images, or smaller than a filter; or the padding is wider.
        """
        channels, height, width = image_shape("conv2d", x)
        if self.padding > max(self.size, height, width):
            told = "no wider than the image or the filters, which would see nothing but zeros"
            raise ShapeError(f"conv2d needs a padding {told}; given {self.padding} for {x}")
        height, width = height + 2 * self.padding, width + 2 * self.padding
        check_fits("conv2d", self.size, height, width, ", padding included" if self.padding else "")
        area = self.size * self.size
        shape = (self.filters, channels, self.size, self.size)
        return Plan(
            out=x.with_shape(self.filters, *self._windows().count(height, width)),
            params={
                "W": ParamSpec(shape, self.weight_init, fan_in=channels * area, fan_out=self.filters * area),
                "b": ParamSpec((self.filters,), decay=False),
            },
        )

    def _windows(self) -> Windows:
        return Windows(self.size, self.stride)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return out (N, M, P, Q); the cache is x."""
        W, b = params["W"].reshape(self.filters, -1), params["b"][:, None, None]
        columns = Columns(x.shape, self._windows(), self.padding, W.dtype, ctx)
        out = ctx.empty((len(x), self.filters, columns.down, columns.across), W.dtype)
        memory = ctx.empty((out[: columns.rows].size,), W.dtype)
        for rows in columns.parts:
            product = carve(memory, (*out.shape[1:], rows.stop - rows.start))
            np.matmul(W, columns.gather(x[rows]), out=product.reshape(self.filters, -1))
            np.add(product.transpose(3, 0, 1, 2), b, out=out[rows])
        return out, x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array | None:
        """Assign dW and db; return dx, or None where nobody needs it."""
        x, W = cache, params["W"].reshape(self.filters, -1)
        np.einsum("nmpq->m", dout, out=grads["b"])  # half the time of np.sum
        dW = grads["W"].reshape(W.shape)
        dW.fill(0)
        part = ctx.empty(W.shape, W.dtype)
        dx = ctx.empty(x.shape, W.dtype) if ctx.need_dx else None
        columns = Columns(x.shape, self._windows(), self.padding, W.dtype, ctx)
        memory = ctx.empty((dout[: columns.rows].size,), W.dtype)
        for rows in columns.parts:
            d = carve(memory, (*dout.shape[1:], rows.stop - rows.start))
            np.copyto(d, dout[rows].transpose(1, 2, 3, 0))
            d = d.reshape(self.filters, -1)
            X = columns.gather(x[rows])
            dW += np.matmul(d, X.T, out=part)
            if dx is not None:
                columns.scatter(np.matmul(W.T, d, out=X), dx[rows])
        return dx


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    """Provide ``conv2d``."""
    return {"conv2d": Conv2d}
