"""What the fully connected layer does beside its products."""

from __future__ import annotations

from nnplug import Array
from nnplug_numba._kernels.kernel import kernel


@kernel
def add_bias(out: Array, b: Array) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] += b[j]
