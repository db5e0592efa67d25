"""Splits of a data set as streams of batches, checked before anything is learned from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.arena import aligned_empty
from nnplug.errors import DataError
from nnplug.specs import Array, ArraySpec, Batch, Source

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
        index: the rows to use, in this order; default: all.
    """

    def __init__(
        self,
        x: Any,
        y: Array,
        weight: Array | None,
        dtype: np.dtype[Any],
        scale: Scale | None,
        index: Array | None = None,
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.index = index
        self._dtype, self._scale = dtype, scale
        self.rows: int = len(x) if index is None else len(index)

    def subset(self, index: Array) -> Rows:
        """Some of the rows, without copying any."""
        chosen = index if self.index is None else self.index[index]
        return Rows(self.x, self.y, self.weight, self._dtype, self._scale, chosen)

    def converted(self) -> Rows:
        """The same rows with x cast, scaled and contiguous, where it is small enough for that to be worth it."""
        mapped = isinstance(self.x, np.memmap) or not isinstance(self.x, np.ndarray)
        if mapped or self.x.size * self._dtype.itemsize > CONVERT_UP_TO:
            return self
        if self._scale is None and self.x.dtype == self._dtype and self.x.flags.c_contiguous:
            return self
        memory = aligned_empty(self.x.shape, self._dtype)
        x = rescale(np.ascontiguousarray(self.x), self._dtype, self._scale, memory)
        return Rows(x, self.y, self.weight, self._dtype, None, self.index)

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch; see `Source.batches`."""
        order = self._order(rng)
        starts = range(start * batch_size, self.rows, batch_size)
        if order is None:
            for i in starts:
                yield self._slice(slice(i, i + batch_size))
            return
        gather = _Gather(self, min(batch_size, self.rows))
        for i in starts:
            yield gather(order[i : i + batch_size])

    def rows_of_batch(self, number: int, batch_size: int, rng: Generator) -> Array:
        """Which rows of x the batch of that number of an epoch holds; ``rng`` is where it was when the epoch began."""
        order = self._order(rng)
        assert order is not None  # noqa: S101  (there is a generator)
        return order[number * batch_size : (number + 1) * batch_size]

    def _order(self, rng: Generator | None) -> Array | None:
        """Rows of x in the order of an epoch; None: as they are."""
        if rng is None:
            return self.index
        order = rng.permutation(self.rows)
        return order if self.index is None else self.index[order]

    def _slice(self, rows: slice) -> Batch:
        raw = np.asanyarray(self.x[rows])
        weight = None if self.weight is None else self.weight[rows]
        return rescale(raw, self._dtype, self._scale), self.y[rows], weight


class _Gather:
    """Copies chosen rows into arrays that are used again for every batch."""

    def __init__(self, rows: Rows, batch_size: int) -> None:
        self._rows = rows
        shape = (batch_size, *rows.x.shape[1:])
        self._ready = rows._scale is None and rows.x.dtype == rows._dtype
        self._contiguous = isinstance(rows.x, np.ndarray) and rows.x.flags.c_contiguous
        self._raw = aligned_empty(shape, rows.x.dtype)
        self._x = self._raw if self._ready else aligned_empty(shape, rows._dtype)

    def __call__(self, index: Array) -> Batch:
        rows, n = self._rows, len(index)
        if self._contiguous:
            raw = rows.x.take(index, 0, self._raw[:n], "clip")
        elif isinstance(rows.x, np.ndarray):
            raw = rows.x[index]  # take would copy all of x first
        else:
            index = np.sort(index)  # array-likes on disk read ascending rows, and order within a batch is no matter
            raw = np.asarray(rows.x[index])
        x = raw if self._ready else rescale(raw, rows._dtype, rows._scale, self._x[:n])
        weight = None if rows.weight is None else rows.weight.take(index)
        return x, rows.y.take(index, 0), weight


class Prepared:
    """Somebody's `Source` with x cast and scaled as the model wants it."""

    def __init__(self, source: Source, dtype: np.dtype[Any], scale: Scale | None) -> None:
        self._source, self._dtype, self._scale = source, dtype, scale
        self.rows = source.rows

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch; see `Source.batches`."""
        for x, y, weight in self._source.batches(batch_size, rng, start):
            weight = None if weight is None else np.asanyarray(weight)
            yield rescale(np.asanyarray(x), self._dtype, self._scale), np.asanyarray(y), weight


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
    offset, factor = dtype.type(scale[0]), dtype.type(scale[1])
    if offset:
        np.subtract(x, offset, out=out, casting="same_kind")
        x = out
    np.multiply(x, factor, out=out, casting="same_kind")
    return out


def open_split(split: Any, name: str, dtype: np.dtype[Any], scale: Scale | None) -> Source:
    """Make a `Source` of a split as a `Dataset` holds it.

    Raises:
        DataError: it is no split, or its arrays cannot be learned from.
    """
    if hasattr(split, "batches"):
        return Prepared(split, dtype, scale)
    if not isinstance(split, tuple | list) or len(split) not in (2, 3):
        raise DataError(f"the {name} split must be (x, y), (x, y, weight) or a Source, not {type(split).__name__}")
    x, y, weight = (*split, None)[:3]
    x = as_array(x, f"the {name} split's x")
    y = np.asanyarray(as_array(y, f"the {name} split's y"))
    _check_x(x, name)
    if y.ndim == 0 or len(y) != len(x):
        raise DataError(f"the {name} split has {len(x)} rows in x but {y.size if y.ndim == 0 else len(y)} in y")
    y = np.ascontiguousarray(y)  # a column of a table is not, and each batch would copy all of it
    if y.dtype.kind not in "biuf":
        raise DataError(f"the {name} split's targets have dtype {y.dtype}; give numbers, for classes 0 to C-1")
    if weight is not None:
        weight = _checked_weight(np.asarray(as_array(weight, f"the {name} split's weights")), len(x), name)
    return Rows(x, y, weight, dtype, scale)


def as_array(values: Any, what: str) -> Any:
    """Values as an array; what has a shape and a dtype of its own stays as it is.

    Raises:
        DataError: rows of different lengths.
    """
    if hasattr(values, "shape") and hasattr(values, "dtype"):
        return values
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what} cannot be made an array: {error}") from None


def _check_x(x: Any, name: str) -> None:
    if len(x.shape) == 0 or 0 in x.shape:
        raise DataError(f"the {name} split is empty: x has shape {tuple(x.shape)}")
    if x.dtype.kind not in "biuf":
        raise DataError(f"the {name} split's x has dtype {x.dtype}; give numbers")
    in_memory = isinstance(x, np.ndarray) and not isinstance(x, np.memmap)
    if in_memory and x.dtype.kind == "f" and not (np.isfinite(x.min()) and np.isfinite(x.max())):
        finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
        row = int(np.argmin(finite))
        raise DataError(
            f"the {name} split's x holds NaN or infinity in {int((~finite).sum())} of {len(x)} rows, "
            f"the first is row {row}; remove such rows or fill in the values"
        )


def _checked_weight(weight: Array, rows: int, name: str) -> Array:
    if weight.shape != (rows,):
        raise DataError(f"the {name} split's weights have shape {weight.shape}, expected one per row, ({rows},)")
    if weight.dtype.kind not in "biuf" or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise DataError(f"the {name} split's weights must be finite numbers, none negative and not all zero")
    return weight.astype(np.float64)


def sample_spec(split: Any, dtype: str | np.dtype[Any]) -> ArraySpec | None:
    """What one row of a split looks like to the model; None for a Source, which does not say."""
    if hasattr(split, "batches") or not isinstance(split, tuple | list) or not split:
        return None
    return ArraySpec(np.shape(split[0])[1:], dtype)


def hold_out(rows: Rows, fraction: float, rng: Generator) -> tuple[Rows, Rows]:
    """Split rows at random into ``(kept, held out)``; class indices keep their proportions.

    Raises:
        DataError: one of the two would be empty, or weigh nothing.
    """
    held = round(rows.rows * fraction)
    if not 0 < held < rows.rows:
        raise DataError(
            f"a validation fraction (train.validation) of {fraction} of {rows.rows} rows is {held} rows; "
            "choose another one"
        )
    order = rng.permutation(rows.rows)
    if rows.y.ndim == 1 and rows.y.dtype.kind in "iu":
        order = order[np.argsort(rows.y[order], kind="stable")]
    chosen = np.zeros(rows.rows, bool)
    chosen[order[((np.arange(held) + 0.5) * rows.rows / held).astype(int)]] = True
    parts = rows.subset(np.flatnonzero(~chosen)), rows.subset(np.flatnonzero(chosen))
    if any(rows.weight is not None and not rows.weight[part.index].any() for part in parts):
        raise DataError(f"with a validation fraction of {fraction}, all rows of one part weigh nothing; change either")
    return parts
