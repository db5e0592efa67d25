"""Splits of a data set as streams of batches, checked before anything is learned from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.errors import DataError, ShapeError
from nnplug.mapped import on_disk
from nnplug.rows import Rows, Scale, locked, rescale
from nnplug.specs import Array, ArraySpec, Batch, Source

if TYPE_CHECKING:
    from numpy.random import Generator

PIECE = 2**20  # rows of a mapped file that are looked at together


class Prepared:
    """Somebody's `Source` with x cast and scaled as the model wants it."""

    def __init__(self, source: Source, dtype: np.dtype[Any], scale: Scale | None) -> None:
        _check_source(source)
        self._source, self._dtype, self._scale = source, dtype, scale
        self.rows = source.rows

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch; see `Source.batches`."""
        batches: Iterator[Any] = self._source.batches(batch_size, rng, start)
        seen = weighs = False
        for batch in batches:
            if not isinstance(batch, tuple | list) or len(batch) != 3:
                got = f"{len(batch)} values" if isinstance(batch, tuple | list) else type(batch).__name__
                raise DataError(f"a batch of a source is (x, y, weight), with None for no weights; it yielded {got}")
            x, y, weight = np.asanyarray(batch[0]), np.asanyarray(batch[1]), batch[2]
            if y.ndim == 0 or len(x) != len(y):
                raise DataError(f"a source yielded {len(x)} rows with targets {y.shape}; expected one for each row")
            if weight is not None:
                weight = _batch_weight(np.asanyarray(weight), len(x)).astype(np.float64, copy=False)
            seen, weighs = True, weighs or weight is None or bool(weight.any())
            yield rescale(x, self._dtype, self._scale), y, weight
        if seen and not weighs and start == 0:
            raise DataError("all rows that a source yielded in an epoch weigh nothing; some must weigh more than 0")


def _check_source(source: Any) -> None:
    """Refuse what has no ``rows``, or a ``batches`` that takes other arguments."""
    from inspect import signature

    if not hasattr(source, "rows"):
        raise DataError(f"{type(source).__name__} has no attribute rows; a Source tells how many there are, or None")
    try:
        signature(source.batches).bind(1, None, 0)
    except TypeError:
        told = "batches(batch_size, rng, start=0)"
        raise DataError(f"{type(source).__name__}.batches takes other arguments than {told} of a Source") from None
    except ValueError:  # it tells nothing
        pass


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
    y = np.ascontiguousarray(y, y.dtype.newbyteorder("="))  # a column of a table is not; each batch would copy all
    if y.dtype.kind not in "biuf":
        how = ": class_names, y = np.unique(y, return_inverse=True)" if y.dtype.kind in "SU" else ""
        raise DataError(f"the {name} split's targets have dtype {y.dtype}; give numbers, for classes 0 to C-1{how}")
    if weight is not None:
        weight = _checked_weight(np.asarray(as_array(weight, f"the {name} split's weights")), len(x), name)
    return Rows(x, y, weight, dtype, scale)


def as_array(values: Any, what: str) -> Any:
    """Values as an array; what has a shape and a dtype of its own stays as it is.

    Raises:
        DataError: rows of different lengths.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError(f"{what} has values that are masked; leave out such rows, or fill them in with .filled()")
    if hasattr(values, "toarray"):
        raise DataError(f"{what} is a sparse {type(values).__name__}; give .toarray()")
    if hasattr(values, "shape") and isinstance(getattr(values, "dtype", None), np.dtype):
        return values
    if isinstance(values, Iterator):
        raise DataError(f"{what} is a {type(values).__name__}, which can be gone through once; give an array or a list")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what} cannot be made an array: {error}") from None


def shaped(x: Any, sample: ArraySpec) -> Any:
    """A batch of samples as an array of their shape; not read, if it lies on a disk.

    Raises:
        ShapeError: it has another shape.
    """
    x = as_array(x, "x")
    if len(x.shape) == 0 or tuple(x.shape[1:]) != sample.shape:
        one = "; for a single sample give x[None]" if tuple(x.shape) == sample.shape else ""
        wanted = ", ".join(["N", *map(str, sample.shape)]) if sample.shape else "N,"
        raise ShapeError(f"x has shape {tuple(x.shape)}, the model takes ({wanted}){one}")
    return x


def prepared(x: Any, sample: ArraySpec, scale: Scale | None) -> Array:
    """A batch as a network takes it: in its dtype, and scaled.

    Raises:
        ShapeError: it has another shape.
        DataError: it is none of numbers.
    """
    array = np.asanyarray(shaped(x, sample))
    if array.dtype.kind not in "biuf":
        raise DataError(f"x has dtype {array.dtype}; the model takes numbers")
    return rescale(locked(array), sample.dtype, scale)


def _check_x(x: Any, name: str) -> None:
    if len(x.shape) == 0 or 0 in x.shape:
        raise DataError(f"the {name} split is empty: x has shape {tuple(x.shape)}")
    if x.dtype.kind not in "biuf":
        raise DataError(f"the {name} split's x has dtype {x.dtype}; give numbers")
    if not on_disk(x) and x.dtype.kind == "f" and not (np.isfinite(x.min()) and np.isfinite(x.max())):
        finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
        row = int(np.argmin(finite))
        raise DataError(
            f"the {name} split's x holds NaN or infinity in {int((~finite).sum())} of {len(x)} rows, "
            f"the first is row {row}; remove such rows or fill in the values"
        )


def _are_weights(weight: Array) -> bool:
    """Whether they are finite numbers, and none negative."""
    pieces = (weight[i : i + PIECE] for i in range(0, len(weight), PIECE))
    return weight.dtype.kind in "biuf" and all(np.isfinite(piece).all() and piece.min() >= 0 for piece in pieces)


def _batch_weight(weight: Array, rows: int) -> Array:
    if weight.shape != (rows,):
        raise DataError(f"a source yielded {rows} rows with weights {weight.shape}, expected one per row, ({rows},)")
    if not _are_weights(weight):
        raise DataError("a source yielded weights that are not all finite numbers and none of them negative")
    return weight


def _checked_weight(weight: Array, rows: int, name: str) -> Array:
    if weight.shape != (rows,):
        raise DataError(f"the {name} split's weights have shape {weight.shape}, expected one per row, ({rows},)")
    if not _are_weights(weight) or not weight.any():
        raise DataError(f"the {name} split's weights must be finite numbers, none negative and not all zero")
    return weight


def sample_spec(split: Any, dtype: str | np.dtype[Any]) -> ArraySpec | None:
    """What one row of a split looks like to the model; None for a Source that does not say."""
    if hasattr(split, "batches"):
        shape = getattr(split, "sample_shape", None)
        return None if shape is None else ArraySpec(shape, dtype)
    if not isinstance(split, tuple | list) or not split:
        return None
    return ArraySpec(np.shape(split[0])[1:], dtype)


def hold_out(rows: Rows, fraction: float, rng: Generator) -> tuple[Rows, Rows]:
    """Split rows at random into ``(kept, held out)``; class indices keep their proportions.

    Where rows lie on a disk in blocks, whole blocks are held out, and a block counts as the class of its first row.

    Raises:
        DataError: one of the two would be empty, or weigh nothing.
    """
    order = rows.order
    held = round(order.count * fraction)
    if not 0 < held < order.count:
        raise _wrong_fraction(fraction, rows, held)
    drawn = rng.permutation(order.count)
    labels = rows.y[order.first_rows()] if rows.y.ndim == 1 and rows.y.dtype.kind in "iu" else None
    if labels is not None:
        drawn = drawn[np.argsort(labels[drawn], kind="stable")]
    chosen = np.zeros(order.count, bool)
    chosen[drawn[((np.arange(held) + 0.5) * order.count / held).astype(int)]] = True
    if labels is not None:  # no class is held out as a whole
        lost = np.flatnonzero(chosen & ~np.isin(labels, labels[~chosen]))
        chosen[lost[np.unique(labels[lost], return_index=True)[1]]] = False
    if not chosen.any():
        raise _wrong_fraction(fraction, rows, 0)
    parts = rows.subset(np.flatnonzero(~chosen)), rows.subset(np.flatnonzero(chosen))
    if not all(part.weighs() for part in parts):
        raise DataError(f"with a validation fraction of {fraction}, all rows of one part weigh nothing; change either")
    return parts


def _wrong_fraction(fraction: float, rows: Rows, held: int) -> DataError:
    blocks = f"blocks of {rows.order.size} " if rows.order.size > 1 else ""
    return DataError(
        f"a validation fraction (train.validation) of {fraction} of {rows.rows} rows is {held} {blocks}rows; "
        "choose another one"
    )
