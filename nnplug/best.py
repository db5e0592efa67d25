"""The best parameters so far, kept beside those in training."""

from __future__ import annotations

import math

from nnplug.buffers import Buffers


class Best:
    """Remembers a model's parameters and state at the best value of something.

    Args:
        higher_is_better: False for losses and errors.
    """

    def __init__(self, higher_is_better: bool) -> None:
        self._sign = 1.0 if higher_is_better else -1.0
        self._value = math.nan
        self._kept: Buffers | None = None

    def offer(self, value: float, buffers: Buffers) -> bool:
        """Keep a copy if ``value`` is better than all before; NaN never is. Returns whether it was."""
        if not (math.isnan(self._value) or self._sign * value > self._sign * self._value):
            return False
        self._value, self._kept = value, buffers.twin(buffers.vector.dtype)
        return True

    def put_back(self, buffers: Buffers) -> None:
        """Write what was kept into ``buffers``; nothing if nothing was."""
        if self._kept is None:
            return
        buffers.vector[...] = self._kept.vector
        for path, array in self._kept.state.items():
            buffers.state[path][...] = array
