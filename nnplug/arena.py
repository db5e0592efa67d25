"""Scratch memory that training steps recycle, so that a step allocates nothing."""

from __future__ import annotations

from math import prod
from operator import length_hint
from sys import getrefcount
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Holder: TypeAlias = list[NDArray[Any]]  # of one array: however many requests it serves, the arena refers to it once

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register
LOOK_BACK = 64  # requests: what was used longer ago is in no cache any more, and looking for it takes time


class _Memory(np.ndarray[Any, Any]):
    """The bytes of an array.

    Were they a plain array, a view of the array would refer to them alone (NumPy shortens chains of views), and nobody
    could tell from the references to an array whether there are views of it.
    """

    __slots__ = ()


def aligned_empty(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Like ``numpy.empty``, with the first element on a 64-byte boundary.

    Raises:
        TypeError: the dtype is one of references to Python objects, or of arrays.
        ValueError: a dimension is negative.
    """
    dtype, shape = np.dtype(dtype), _as_tuple(shape)
    if dtype.hasobject or dtype.subdtype is not None:
        raise TypeError(f"scratch memory is for numbers, not for {dtype!r}")
    if min(shape, default=0) < 0:
        raise ValueError(f"the shape {shape} of scratch memory has a negative dimension")
    memory = _Memory(prod(shape) * dtype.itemsize + ALIGNMENT, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.ctypes.data % ALIGNMENT)


def _as_tuple(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)


def _references(holder: Holder) -> int:
    (array,) = holder
    return getrefcount(array)


def _references_when_free() -> int:
    """What `_references` says of an array that nobody else refers to: in CPython 2 or 3, and never more.

    A debugger may refer to it as well while this is worked out, and other interpreters may not count at all; then 0,
    which is said of no array.
    """
    array = np.empty(0)
    alone, with_another = _references([np.empty(0)]), _references([array])
    return min(alone, 3) if with_another == alone + 1 else 0


FREE = _references_when_free()


class Arena:
    """Hands out scratch arrays, and hands each out again when nobody refers to it any more.

    The n-th request after `start` gets what the n-th request got the last time, if that is free and fits; a step asks
    for the same arrays in the same order every time. Else it gets the last of those before that is free and fits, or a
    new one: what one layer is done with serves another one, while it is still in the processor's cache. Views of an
    array are references to it, too.

    Each number of rows has a pool of its own, so that the short last batch of an epoch does not throw the others away
    (and each shape of an update's blocks).

    Attributes:
        dtype: what is handed out where nothing else is asked for.
        allocations: how many arrays were made so far.
    """

    def __init__(self) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self._pools: dict[int | tuple[int, ...], list[Holder]] = {}
        self._pool: list[Holder] = []
        self._left = iter(self._pool)  # what this step has not asked for yet
        self.allocations = 0

    def start(self, rows: int | tuple[int, ...]) -> None:
        """Begin a step on ``rows`` rows, which will ask for what the last one on as many rows asked for."""
        pool = self._pools.get(rows)
        if pool is None:
            pool = self._pools[rows] = []
        self._pool, self._left = pool, iter(pool)

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> NDArray[Any]:
        """An array with arbitrary contents, which are nobody else's for as long as somebody refers to it."""
        if dtype is None:
            dtype = self.dtype
        if type(shape) is not tuple:
            shape = _as_tuple(shape)
        for (array,) in self._left:  # the next one, if there is one
            if array.shape == shape and array.dtype == dtype and getrefcount(array) == FREE:
                return array
            return self._put(len(self._pool) - length_hint(self._left) - 1, shape, dtype)
        return self._put(len(self._pool), shape, dtype)

    def _put(self, place: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        holder = self._free_before(place, shape, dtype)
        if holder is None:
            holder = [aligned_empty(shape, dtype)]
            self.allocations += 1
        self._pool[place : place + 1] = [holder]
        return holder[0]

    def _free_before(self, place: int, shape: tuple[int, ...], dtype: DTypeLike) -> Holder | None:
        for holder in reversed(self._pool[max(0, place - LOOK_BACK) : place]):
            if holder[0].shape == shape and holder[0].dtype == dtype and _references(holder) == FREE:
                return holder
        return None
