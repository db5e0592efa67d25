"""Arrays of one value, made once."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import DTypeLike

from nnplug import Array, Context


@cache
def scalar(value: float, dtype: DTypeLike) -> Array:
    """A constant as an array without dimensions: of a Python number NumPy makes one anew in every call."""
    made = np.array(value, dtype)
    made.flags.writeable = False
    return made


@lru_cache(maxsize=64)
def ones(count: int, dtype: DTypeLike) -> Array:
    """A vector of ones, whose product with as many rows is their sum. Nobody can write to it."""
    made = np.ones(count, dtype)
    made.flags.writeable = False
    return made


def constant(ctx: Context, like: Array, value: float) -> Array:
    """An array like another, full of one value; the layer's context keeps it. Nobody may write to it.

    Vector instructions want two arrays: ``np.maximum(x, zeros)`` takes a third of the time of ``np.maximum(x, 0)``.
    """
    kept = ctx.notes.get(value)
    if kept is None or kept.shape != like.shape or kept.dtype != like.dtype:
        kept = ctx.notes[value] = np.full(like.shape, value, like.dtype)
    return kept
