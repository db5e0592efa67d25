"""Rows of arrays as a stream of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.arena import aligned_empty
from nnplug.errors import DataError
from nnplug.mapped import on_disk, read_ahead
from nnplug.order import Order, cut, order_of
from nnplug.specs import Array, Batch

if TYPE_CHECKING:
    from numpy.random import Generator

Scale = tuple[float, float]
CONVERT_UP_TO = 2**30  # bytes: smaller splits are scaled once in memory instead of batch by batch


class Rows:
    """Rows of arrays as a `Source`: shuffled without replacement, the last short batch kept.

    A batch's arrays are valid until the next batch is asked for.

    Args:
        x: array-like whose first axis is rows; read a batch at a time.
        y: the targets.
        weight: a weight per row.
        dtype: what x is cast to in the batch.
        scale: ``(offset, factor)``, applied in the batch.
        order: which rows, and how an epoch goes through them; default: all, as `order_of` says.
    """

    def __init__(
        self,
        x: Any,
        y: Array,
        weight: Array | None,
        dtype: np.dtype[Any],
        scale: Scale | None,
        order: Order | None = None,
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.order = order_of(x) if order is None else order
        self._dtype, self._scale = dtype, scale
        self.rows: int = self.order.rows

    def subset(self, chosen: Array) -> Rows:
        """Some of the order's blocks, without copying any row."""
        return Rows(self.x, self.y, self.weight, self._dtype, self._scale, self.order.subset(chosen))

    def converted(self) -> Rows:
        """The same rows with x cast, scaled and contiguous, where that is worth its time and memory.

        Bytes stay bytes: fetching a quarter of the memory and casting it in the cache takes no longer.
        """
        if on_disk(self.x) or self.x.size * self._dtype.itemsize > CONVERT_UP_TO:
            return self
        ready = self._scale is None and self.x.dtype == self._dtype
        if self.x.flags.c_contiguous and (ready or self.x.dtype.itemsize == 1):
            return self
        memory = aligned_empty(self.x.shape, self._dtype)
        x = rescale(np.ascontiguousarray(self.x), self._dtype, self._scale, memory)
        return Rows(x, self.y, self.weight, self._dtype, None, self.order)

    def weighs(self) -> bool:
        """Whether any of these rows has a weight."""
        return self.weight is None or any(self.weight[numbers].any() for numbers in self.order.epoch(None))

    def targets(self) -> Iterator[Array]:
        """The targets of these rows, in pieces."""
        for numbers in self.order.epoch(None):
            yield self.y[numbers]

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch; see `Source.batches`."""
        first = start * batch_size
        if rng is None and self.order.blocks is None:
            for i in range(first, self.rows, batch_size):
                yield self._slice(slice(i, i + batch_size))
            return
        gather = _Gather(self, min(batch_size, self.rows))
        for numbers in cut(self.order.epoch(rng, first, read_ahead(self.x)), batch_size):
            yield gather(numbers)

    def rows_of_batch(self, number: int, batch_size: int, rng: Generator) -> Array:
        """Which rows of x the batch of that number of an epoch holds; ``rng`` is where it was when the epoch began."""
        return next(cut(self.order.epoch(rng, number * batch_size), batch_size))

    def _slice(self, rows: slice) -> Batch:
        raw = locked(self.x[rows]) if isinstance(self.x, np.ndarray) else np.asarray(self.x[rows])
        weight = None if self.weight is None else self.weight[rows].astype(np.float64)
        return rescale(raw, self._dtype, self._scale), locked(self.y[rows]), weight


class _Gather:
    """Makes batches of chosen rows, in arrays that are used again for every one."""

    def __init__(self, rows: Rows, batch_size: int) -> None:
        self._rows = rows
        shape = (batch_size, *rows.x.shape[1:])
        self._ready = rows._scale is None and rows.x.dtype == rows._dtype
        self._contiguous = isinstance(rows.x, np.ndarray) and rows.x.flags.c_contiguous
        self._raw = aligned_empty(shape, rows.x.dtype)
        self._x = self._raw if self._ready else aligned_empty(shape, rows._dtype)

    def __call__(self, index: Array) -> Batch:
        rows = self._rows
        if self._contiguous:
            raw = rows.x.take(index, 0, self._raw[: len(index)], "clip")
        elif isinstance(rows.x, np.ndarray):
            raw = rows.x[index]  # take would copy all of x first
        else:
            index = np.sort(index)  # array-likes on disk read ascending rows, and order within a batch is no matter
            raw = np.asarray(rows.x[index])
        weight = None if rows.weight is None else rows.weight.take(index).astype(np.float64, copy=False)
        x = raw if self._ready else rescale(raw, rows._dtype, rows._scale, self._x[: len(raw)])
        return x, rows.y.take(index, 0), weight


def locked(x: Array) -> Array:
    """A view that nobody can write to: a layer that overwrites its input must not overwrite the caller's data."""
    view = x.view()
    view.flags.writeable = False
    return view


def rescale(x: Array, dtype: np.dtype[Any], scale: Scale | None, out: Array | None = None) -> Array:
    """``(x - offset) * factor`` in ``dtype``; x itself where there is nothing to do.

    Raises:
        DataError: ``dtype`` is an integer type that cannot hold all of x.
    """
    if scale is None and x.dtype == dtype:
        return x
    out = np.empty(x.shape, dtype) if out is None else out
    if scale is None:
        with np.errstate(invalid="ignore"):  # NaN is no integer; told below
            out[...] = x
        if dtype.kind in "iu" and not np.can_cast(x.dtype, dtype) and not (out == x).all():
            raise DataError(f"x holds {x[out != x][0]}, which the model's input_dtype {dtype} cannot")
        return out
    if x.dtype != dtype and np.can_cast(x.dtype, dtype):
        np.copyto(out, x)  # one loop over all of x is faster than a cast of every few thousand numbers on the way
        x = out
    offset, factor = float(scale[0]), dtype.type(scale[1])  # a large offset would be rounded to float32
    if offset:
        np.subtract(x, offset, out=out, casting="same_kind")
        x = out
    np.multiply(x, factor, out=out, casting="same_kind")
    return out
