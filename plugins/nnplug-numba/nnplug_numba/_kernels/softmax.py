"""Softmax cross-entropy: loss and gradient, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnplug import Array
from nnplug_numba._kernels.exp import two_to_the
from nnplug_numba._kernels.kernel import kernel


@kernel
def _exponentials(s: Array, e: Array) -> tuple[Any, Any]:
    """Assign ``exp(s - max(s))`` to e, a row; return the maximum and the sum."""
    largest = s[0]
    for j in range(1, s.size):
        largest = max(largest, s[j])
    for j in range(s.size):
        two_to_n, q = two_to_the(s[j] - largest)
        e[j] = two_to_n * q + two_to_n
    total = s.dtype.type(0)
    for j in range(s.size):
        total += e[j]
    return largest, total


@kernel
def softmax_by_index(s: Array, y: Array, losses: Array, ds: Array) -> None:
    one = s.dtype.type(1)
    for i in range(s.shape[0]):
        largest, total = _exponentials(s[i], ds[i])
        losses[i] = np.log(total) - (s[i, y[i]] - largest)
        for j in range(s.shape[1]):
            ds[i, j] /= total
        ds[i, y[i]] -= one


@kernel
def softmax_by_probability(s: Array, t: Array, losses: Array, ds: Array) -> None:
    for i in range(s.shape[0]):
        largest, total = _exponentials(s[i], ds[i])
        log_total = np.log(total)
        loss = s.dtype.type(0)
        for j in range(s.shape[1]):
            target = s.dtype.type(t[i, j])
            loss += target * (log_total - (s[i, j] - largest))
            ds[i, j] = ds[i, j] / total - target
        losses[i] = loss
