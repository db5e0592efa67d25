"""Agreement of data with a model that learned from other data: the same scale, the same features, the same classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve

from nnplug.errors import DataError
from nnplug.naming import quote
from nnplug.specs import Array, Batch, Dataset, Source

if TYPE_CHECKING:
    from numpy.random import Generator


def check_agreement(data: Dataset, scale: tuple[float, float] | None, features: tuple[str, ...] | None) -> None:
    """Refuse data that means something else by its numbers than a model does; data that does not tell is believed.

    Args:
        data: what is to be learned from, or evaluated on.
        scale: the model's.
        features: the model's names for the columns of x.

    Raises:
        DataError: the data is scaled otherwise, or its columns are others, or in another order.
    """
    if data.scale is not None and (scale is None or not np.array_equal(data.scale, scale)):
        made = f"for {scale}" if scale else "for data that is not scaled"
        raise DataError(
            f"the data is scaled with (offset, factor) {data.scale}, the model was made {made}; "
            "load it with that scale, or build a new model for it"
        )
    given = data.feature_names
    if given is None or features is None or tuple(given) == tuple(features):
        return
    if missing := [name for name in features if name not in given]:
        told = f"the data lacks {listed(missing)}, which the model was made for"
    elif others := [name for name in given if name not in features]:
        told = f"the data has {listed(others)}, which the model was not made for"
    else:
        told = f"the data has the model's features in another order; bring them into this one: {listed(features)}"
    raise DataError(f"{told} (features go by their names)")


def renumbered(data: Dataset, names: tuple[str, ...] | None) -> Dataset:
    """The data with its targets numbered as ``names`` are; as it is where one of the two names no classes.

    A loader that numbers whatever classes it finds gives another number to a class where a file lacks the one before.

    Raises:
        DataError: the data has a class that is not among the names, or targets that are no class indices.
    """
    if names is None or data.class_names is None or tuple(data.class_names) == names:
        return data
    index = {name: number for number, name in enumerate(names)}
    values: dict[float | None, int] = {
        value: number for number, name in enumerate(names) if (value := _value(name)) is not None
    }
    numbers = []
    for name in data.class_names:
        number = index.get(name, values.get(_value(name)))
        if number is None:
            raise DataError(
                f"the data has a class {quote(name)}, which the model does not know; it knows {listed(names)}"
            )
        numbers.append(number)
    splits = {split: _renumbered(getattr(data, split), np.array(numbers)) for split in ("train", "validation", "test")}
    return evolve(data, **splits, classes=len(names), class_names=names)


def _value(name: str) -> float | None:
    """The number that a class is called, if it is one: the same class is 1 in one file and 1.0 in another."""
    try:
        return float(name)
    except ValueError:
        return None


def listed(names: Sequence[str]) -> str:
    """Names in quotes, the first ten of them."""
    return ", ".join(map(quote, names[:10])) + (", ..." if len(names) > 10 else "")


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
