"""What the fully connected layer does beside its matrix products."""

from __future__ import annotations

from nnplug import Array
from nnplug_numba._kernels.kernel import kernel


@kernel
def add_bias(out: Array, b: Array) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] += b[j]


@kernel
def sum_rows(dout: Array, db: Array) -> None:
    for j in range(dout.shape[1]):
        db[j] = 0
    for i in range(dout.shape[0]):
        for j in range(dout.shape[1]):
            db[j] += dout[i, j]
