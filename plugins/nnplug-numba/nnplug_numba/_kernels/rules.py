"""The steps of update rules, in place on vectors; slots are kept out of the subnormal numbers."""

from __future__ import annotations

import numpy as np

from nnplug import Array
from nnplug_numba._kernels.kernel import kernel
from nnplug_numba._kernels.subnormal import without_subnormal


@kernel
def sgd_step(w: Array, dw: Array, rate: float) -> None:
    step = w.dtype.type(rate)
    for i in range(w.size):
        w[i] -= step * dw[i]


@kernel
def momentum_step(w: Array, dw: Array, v: Array, momentum: float, rate: float) -> None:
    keep, step = w.dtype.type(momentum), w.dtype.type(rate)
    for i in range(w.size):
        v[i] = without_subnormal(keep * v[i] - step * dw[i])
        w[i] += v[i]


@kernel
def nesterov_step(w: Array, dw: Array, v: Array, momentum: float, rate: float) -> None:
    keep, step = w.dtype.type(momentum), w.dtype.type(rate)
    for i in range(w.size):
        down = step * dw[i]
        v[i] = without_subnormal(keep * v[i] - down)
        w[i] += keep * v[i] - down


@kernel
def adam_step(
    w: Array, dw: Array, m: Array, v: Array, beta1: float, beta2: float, eps: float, rate: float, keep: float
) -> None:
    number = w.dtype.type
    b1, b2, small, step, kept = number(beta1), number(beta2), number(eps), number(rate), number(keep)
    for i in range(w.size):
        m[i] = without_subnormal(b1 * m[i] + dw[i])
        v[i] = without_subnormal(b2 * v[i] + dw[i] * dw[i])
        w[i] = kept * w[i] - m[i] / (np.sqrt(v[i]) + small) * step


@kernel
def root_step(w: Array, dw: Array, cache: Array, keep: float, eps: float, rate: float) -> None:
    number = w.dtype.type
    kept, small, step = number(keep), number(eps), number(rate)
    for i in range(w.size):
        cache[i] = without_subnormal(kept * cache[i] + dw[i] * dw[i])
        w[i] -= dw[i] / (np.sqrt(cache[i]) + small) * step
