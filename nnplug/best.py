"""The best parameters so far, kept beside those in training."""

from __future__ import annotations

import math

from nnplug.buffers import Buffers
from nnplug.specs import Array


class Best:
    """Remembers a model's parameters and state at the best value of something.

    Args:
        higher_is_better: False for losses and errors.
    """

    def __init__(self, higher_is_better: bool) -> None:
        self._sign = 1.0 if higher_is_better else -1.0
        self._value = -math.inf
        self._vector: Array | None = None
        self._state: dict[str, Array] = {}

    def offer(self, value: float, buffers: Buffers) -> bool:
        """Keep a copy if ``value`` is better than all before; NaN never is. Returns whether it was."""
        if math.isnan(value) or (self._vector is not None and self._sign * value <= self._value):
            return False
        self._value = self._sign * value
        self._vector = buffers.vector.copy()
        self._state = {path: array.copy() for path, array in buffers.state.items()}
        return True

    def put_back(self, buffers: Buffers) -> None:
        """Write what was kept into ``buffers``; nothing if nothing was."""
        if self._vector is None:
            return
        buffers.vector[...] = self._vector
        for path, array in self._state.items():
            buffers.state[path][...] = array
