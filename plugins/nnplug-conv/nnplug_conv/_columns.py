"""Images as a matrix whose columns are their windows: what turns a convolution into one matrix product."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnplug import Array, Context
from nnplug_conv._windows import Windows

CHUNK = 2 * 2**20  # bytes of columns at a time: enough for large products, few enough for the caches


class Columns:
    """The windows of images (N, C, H, W) as the columns of a matrix (C*K*K, P*Q*N).

    The matrix repeats most pixels K*K times, so it is made of a part of the batch at a time, always in the same
    memory. The rows of the batch come last: one place of all windows is then copied in runs of Q*N numbers.

    Args:
        images: their shape (N, C, H, W).
        windows: size and stride.
        padding: zeros on all four sides.
        dtype: that of the matrix.
        ctx: where memory comes from.

    Attributes:
        down: the number of windows below each other, P.
        across: the number of windows beside each other, Q.
        parts: which rows of the batch belong to each part.
        rows: how many rows are in a part, at most.
    """

    def __init__(
        self, images: tuple[int, ...], windows: Windows, padding: int, dtype: np.dtype[Any], ctx: Context
    ) -> None:
        n, channels, height, width = images
        self._windows, self._padding = windows, padding
        self._image = (channels, height + 2 * padding, width + 2 * padding)
        self.down, self.across = windows.count(*self._image[1:])
        self._columns = (channels, windows.size**2, self.down, self.across)
        self.rows = max(1, min(n, CHUNK // (prod(self._columns) * dtype.itemsize)))
        self.parts = [slice(i, min(i + self.rows, n)) for i in range(0, n, self.rows)]
        self._image_memory = ctx.empty((prod(self._image) * self.rows,), dtype)
        self._column_memory = ctx.empty((prod(self._columns) * self.rows,), dtype)

    def gather(self, x: Array) -> Array:
        """The columns of a part of the batch, valid until the next part's; they may be written to."""
        padded, inner = self._zeros(len(x))
        np.copyto(inner, x)
        columns = carve(self._column_memory, (*self._columns, len(x)))
        for k, place in enumerate(self._windows.places(padded, axis=1)):
            np.copyto(columns[:, k], place)
        return columns.reshape(self._columns[0] * self._columns[1], -1)

    def scatter(self, columns: Array, dx: Array) -> None:
        """The reverse: add each number to the pixel that it came from, and put the sums into ``dx``."""
        padded, inner = self._zeros(len(dx))
        columns = columns.reshape(*self._columns, len(dx))
        for k, place in enumerate(self._windows.places(padded, axis=1)):
            place += columns[:, k]
        np.copyto(dx, inner)

    def _zeros(self, n: int) -> tuple[Array, Array]:
        """Zeros for n padded images, (C, H + 2 * padding, W + 2 * padding, n), and their inside as (n, C, H, W)."""
        padded = carve(self._image_memory, (*self._image, n))
        padded.fill(0)
        _, height, width = self._image
        p = self._padding
        return padded, padded[:, p : height - p, p : width - p].transpose(3, 0, 1, 2)


def carve(memory: Array, shape: tuple[int, ...]) -> Array:
    """An array of a shape out of the beginning of flat memory."""
    return memory[: prod(shape)].reshape(shape)
