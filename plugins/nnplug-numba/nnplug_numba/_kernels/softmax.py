"""Softmax cross-entropy: loss and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnplug import Array
from nnplug_numba._kernels.exp import two_to_the
from nnplug_numba._kernels.kernel import kernel


@kernel
def _exponentials(s: Array, largest: Array, e: Array) -> None:
    """Assign each row's maximum to ``largest``, and ``exp(s - maximum)`` to e, in one piece."""
    for i in range(s.shape[0]):
        highest = s[i, 0]
        for j in range(1, s.shape[1]):
            highest = max(highest, s[i, j])
        largest[i] = highest
        for j in range(s.shape[1]):
            e[i, j] = s[i, j] - highest
    flat = e.ravel()  # rows of ten classes are short for vectors of eight
    for k in range(flat.size):
        two_to_n, q = two_to_the(flat[k])
        flat[k] = two_to_n * q + two_to_n


@kernel
def _sum_of_row(x: Array, i: int) -> Any:  # not of x[i]: to make a view takes as long as to sum ten numbers
    total = x.dtype.type(0)
    for j in range(x.shape[1]):
        total += x[i, j]
    return total


@kernel
def softmax_by_index(s: Array, y: Array, losses: Array, ds: Array) -> None:
    one = s.dtype.type(1)
    for i in range(s.shape[0]):
        if not 0 <= y[i] < s.shape[1]:  # compiled code would read and write anywhere
            raise IndexError("a class index is out of range")
    _exponentials(s, losses, ds)
    for i in range(s.shape[0]):
        total = _sum_of_row(ds, i)
        losses[i] = np.log(total) - (s[i, y[i]] - losses[i])
        for j in range(s.shape[1]):
            ds[i, j] /= total
        ds[i, y[i]] -= one


@kernel
def softmax_by_probability(s: Array, t: Array, losses: Array, ds: Array) -> None:
    _exponentials(s, losses, ds)
    for i in range(s.shape[0]):
        largest, total = losses[i], _sum_of_row(ds, i)
        log_total = np.log(total)
        loss = s.dtype.type(0)
        for j in range(s.shape[1]):
            target = s.dtype.type(t[i, j])
            loss += target * (log_total - (s[i, j] - largest))
            ds[i, j] = ds[i, j] / total - target
        losses[i] = loss
