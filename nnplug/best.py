"""The best parameters so far, kept beside those in training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

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

    def state(self, buffers: Buffers) -> dict[str, Any] | None:
        """What is kept, by path; None if nothing is."""
        if self._vector is None:
            return None
        return {"value": self._sign * self._value, "params": buffers.named(self._vector), "state": self._state}

    def restore(self, state: Mapping[str, Any] | None, buffers: Buffers) -> None:
        """Keep what `state` gave."""
        if state is None:
            return
        self._value = self._sign * float(state["value"])
        self._vector = buffers.vector.copy()
        for path, array in buffers.named(self._vector).items():
            array[...] = state["params"][path]
        self._state = {path: np.array(state["state"][path]) for path in buffers.state}

    def put_back(self, buffers: Buffers) -> None:
        """Write what was kept into ``buffers``; nothing if nothing was."""
        if self._vector is None:
            return
        buffers.vector[...] = self._vector
        for path, array in self._state.items():
            buffers.state[path][...] = array
