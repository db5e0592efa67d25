"""The step of RMSProp and AdaGrad."""

from __future__ import annotations

import numpy as np

from nnplug import Array
from nnplug_numba._kernel import kernel
from nnplug_numba._subnormal import without_subnormal


@kernel
def root_step(w: Array, dw: Array, cache: Array, keep: float, eps: float, rate: float) -> None:
    """``cache = keep * cache + dw**2``, then ``w = w - rate * dw / (sqrt(cache) + eps)``, in place."""
    number = w.dtype.type
    kept, small, step = number(keep), number(eps), number(rate)
    for i in range(w.size):
        cache[i] = without_subnormal(kept * cache[i] + dw[i] * dw[i])
        w[i] -= dw[i] / (np.sqrt(cache[i]) + small) * step
