"""Rows in many files as a stream of batches: a window of files at a time is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

from nnplug import Array, ArraySpec, Batch, DataError

if TYPE_CHECKING:
    from numpy.random import Generator

WINDOW_BYTES = 2**26  # small shards are read together up to this size, so that their rows are mixed

Arrays = dict[str, Array]  # x, y, and perhaps weight
Specs = dict[str, ArraySpec]  # what one row of each is


@frozen
class Shard:
    """A file of rows that is not read yet.

    Args:
        name: what messages call it.
        rows: how many there are.
        row: what one row of each array is.
        read: reads the arrays.
    """

    name: str
    rows: int
    row: Specs
    read: Callable[[], Arrays]

    @property
    def bytes(self) -> int:
        """The memory that its arrays take."""
        return self.rows * sum(spec.size * spec.dtype.itemsize for spec in self.row.values())


class ShardRows:
    """The rows of shards as a `Source`: each shard is read when its turn comes, and the next ones while it is used.

    The shards of an epoch come in a random order. As many after another as take 64 MiB, or one that takes more, are a
    window: they are in memory together, and their rows come in a random order. The next window is read meanwhile, so
    that two are in memory, and the shard that is being read.

    A batch's arrays are valid until the next batch is asked for.

    Raises:
        DataError: the shards do not fit together.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self.rows = sum(shard.rows for shard in shards)
        first = shards[0]
        self.sample_shape = first.row["x"].shape
        for shard in shards:
            if shard.row != first.row:
                raise DataError(f"{shard.name}: {_told(shard)}; but in {first.name} {_told(first)}")

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch, from batch ``start`` on; windows before it are not read."""
        order, seed = np.arange(len(self._shards)), None
        if rng is not None:
            order, seed = rng.permutation(len(order)), int(rng.integers(2**63))
        batch = _Batch(batch_size, self._shards[0].row)
        for number, skipped, arrays in self._windows(order, start * batch_size):
            rows = len(arrays["x"])
            places = np.arange(rows) if seed is None else np.random.default_rng((seed, number)).permutation(rows)
            places = places[skipped:]
            while len(places):
                places = batch.fill(arrays, places)
                if batch.full:
                    yield batch.take()
        if batch.begun:
            yield batch.take()

    def _windows(self, order: Array, start: int) -> Iterator[tuple[int, int, Arrays]]:
        """The windows from row ``start`` on: their number, how many of their rows to skip, and their arrays."""
        windows = list(_windows([self._shards[i] for i in order]))
        ends = list(accumulate(sum(shard.rows for shard in window) for window in windows))
        first = next((i for i, end in enumerate(ends) if end > start), len(windows))
        with ThreadPoolExecutor(1, "nnplug-shards") as ahead:
            coming = [ahead.submit(_read, window) for window in windows[first : first + 1]]
            for number in range(first, len(windows)):
                arrays = coming.pop().result()
                coming = [ahead.submit(_read, window) for window in windows[number + 1 : number + 2]]
                before = ends[number - 1] if number else 0
                yield number, max(0, start - before), arrays


class _Batch:
    """A batch that is filled from one window or several, in arrays that are used again."""

    def __init__(self, size: int, row: Specs) -> None:
        self._arrays = {name: np.empty((size, *spec.shape), spec.dtype) for name, spec in row.items()}
        self._size, self.begun = size, 0

    @property
    def full(self) -> bool:
        return self.begun == self._size

    def fill(self, arrays: Arrays, places: Array) -> Array:
        """Copy as many of the rows as there is space for; return the places of the others."""
        end = min(self._size, self.begun + len(places))
        now = places[: end - self.begun]
        for name, array in self._arrays.items():
            arrays[name].take(now, 0, array[self.begun : end], "clip")
        self.begun = end
        return places[len(now) :]

    def take(self) -> Batch:
        """The batch; the next one begins."""
        rows, self.begun = self.begun, 0
        parts = {name: array[:rows] for name, array in self._arrays.items()}
        return parts["x"], parts["y"], parts.get("weight")


def _windows(shards: Sequence[Shard]) -> Iterator[list[Shard]]:
    window: list[Shard] = []
    size = 0
    for shard in shards:
        if window and size + shard.bytes > WINDOW_BYTES:
            yield window
            window, size = [], 0
        window.append(shard)
        size += shard.bytes
    yield window


def _read(window: Sequence[Shard]) -> Arrays:
    """The arrays of some shards, one after the other."""
    if len(window) == 1:
        return _finite(window[0])
    rows = sum(shard.rows for shard in window)
    joined = {name: np.empty((rows, *spec.shape), spec.dtype) for name, spec in window[0].row.items()}
    end = 0
    for shard in window:
        start, end = end, end + shard.rows
        for name, array in _finite(shard).items():
            joined[name][start:end] = array
    return joined


def _finite(shard: Shard) -> Arrays:
    """The arrays of a shard.

    Raises:
        DataError: one holds NaN or infinity.
    """
    arrays = shard.read()
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):
            row = int(np.argmin(np.isfinite(array.reshape(len(array), -1)).all(axis=1)))
            raise DataError(f"{shard.name}: {name} holds NaN or infinity, first in row {row}; leave out such rows")
    return arrays


def _told(shard: Shard) -> str:
    return "a row is " + ", ".join(f"{name} {spec}" for name, spec in shard.row.items())
