"""Whether something is computed in float32 where everything it is given is float64."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nnplug.specs import Array

FINE, COARSE = 1e-9, 1e-4  # changes of a number: float32 holds seven digits, so that it sees the second alone
SEEN = 0.25  # part of the elements that must follow the coarse change; rounding on purpose lets fewer follow


def nudged(array: Array, by: float, rng: Generator) -> Array:
    """The same numbers, each changed by up to so much of itself; by another part each, or a norm would hide it."""
    return array * (1 + by * rng.uniform(0.5, 1, array.shape))


def is_single(right: Array, fine: Array, coarse: Array) -> bool:
    """Whether a float64 result has the precision of float32.

    Args:
        right: the result.
        fine: what it is after the input was `nudged` by FINE.
        coarse: what it is after the input was `nudged` by COARSE.
    """
    follows = coarse != right  # not: what is zero, cut off, or only the sign of something
    if right.dtype != np.float64 or not follows.mean() >= SEEN:
        return False
    return bool((fine != right)[follows].mean() < 0.5)
