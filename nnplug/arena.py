"""Scratch memory that training steps recycle, so that a step allocates nothing."""

from __future__ import annotations

from math import prod
from operator import length_hint
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Kept: TypeAlias = tuple[int | tuple[int, ...], np.dtype[Any], NDArray[Any]]  # the shape as it was asked for first

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned_empty(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Like ``numpy.empty``, with the first element on a 64-byte boundary."""
    dtype, shape = np.dtype(dtype), _as_tuple(shape)
    size = prod(shape) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def _as_tuple(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)


class Arena:
    """Hands out scratch arrays and takes all of them back at once.

    The n-th request after `start` gets the n-th array of the pool again, as long as its dtype is the same and the shape
    given in the same way; a step asks for the same arrays in the same order every time. Each number of rows has a pool
    of its own, so that the short last batch of an epoch does not throw the others away (and each shape of an update's
    blocks).

    Attributes:
        dtype: what is handed out where nothing else is asked for.
        allocations: how many arrays were made so far.
    """

    def __init__(self) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self._pools: dict[int | tuple[int, ...], list[Kept]] = {}
        self._pool: list[Kept] = []
        self._left = iter(self._pool)  # what this step has not asked for yet
        self.allocations = 0

    def start(self, rows: int | tuple[int, ...]) -> None:
        """Begin a step on ``rows`` rows: every array handed out for as many rows before is free again."""
        pool = self._pools.get(rows)
        if pool is None:
            pool = self._pools[rows] = []
        self._pool, self._left = pool, iter(pool)

    def empty(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> NDArray[Any]:
        """An array with arbitrary contents, valid until the next `start`."""
        if dtype is None:
            dtype = self.dtype
        for kept_shape, kept_dtype, array in self._left:  # the next one, if there is one
            if kept_shape == shape and (kept_dtype is dtype or kept_dtype == dtype):
                return array
            return self._put(len(self._pool) - length_hint(self._left) - 1, shape, dtype)
        return self._put(len(self._pool), shape, dtype)

    def _put(self, place: int, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        array = aligned_empty(shape, dtype)
        self.allocations += 1
        self._pool[place : place + 1] = [(shape, array.dtype, array)]
        return array
