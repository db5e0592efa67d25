"""Classes by name: targets of data that numbers the same classes otherwise than a model does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve

from nnplug.errors import DataError
from nnplug.naming import quote
from nnplug.specs import Array, Batch, Dataset, Source

if TYPE_CHECKING:
    from numpy.random import Generator


def renumbered(data: Dataset, names: tuple[str, ...] | None) -> Dataset:
    """The data with its targets numbered as ``names`` are; as it is where one of the two names no classes.

    A loader that numbers whatever classes it finds gives another number to a class where a file lacks the one before.

    Raises:
        DataError: the data has a class that is not among the names, or targets that are no class indices.
    """
    if names is None or data.class_names is None or tuple(data.class_names) == names:
        return data
    for name in data.class_names:
        if name not in names:
            known = ", ".join(map(quote, names[:10])) + (", ..." if len(names) > 10 else "")
            raise DataError(f"the data has a class {quote(name)}, which the model does not know; it knows {known}")
    numbers = np.array([names.index(name) for name in data.class_names])
    splits = {split: _renumbered(getattr(data, split), numbers) for split in ("train", "validation", "test")}
    return evolve(data, **splits, classes=len(names), class_names=names)


def _renumbered(split: Any, numbers: Array) -> Any:
    if hasattr(split, "batches"):
        return _Renumbered(split, numbers)
    if isinstance(split, tuple | list) and len(split) > 1:
        return (split[0], _take(numbers, split[1]), *split[2:])
    return split


class _Renumbered:
    """A stream with its targets renumbered."""

    def __init__(self, source: Source, numbers: Array) -> None:
        self._source, self._numbers = source, numbers
        self.rows = source.rows

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch; see `Source.batches`."""
        for x, y, weight in self._source.batches(batch_size, rng, start):
            yield x, _take(self._numbers, y), weight


def _take(numbers: Array, targets: Any) -> Array:
    targets = np.asanyarray(targets)
    if targets.ndim != 1 or targets.dtype.kind not in "iu" or not np.isin(targets, np.arange(len(numbers))).all():
        raise DataError(
            f"the data numbers its classes otherwise than the model does, and its targets are no indices of its "
            f"{len(numbers)} classes; give (N,) integers from 0 to {len(numbers) - 1}"
        )
    taken: Array = numbers[targets]
    return taken
