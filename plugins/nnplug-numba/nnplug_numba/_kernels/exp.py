"""The exponential function as plain arithmetic, which the processor can do on many numbers at once.

A kernel that calls ``np.exp`` computes one number after the other: numba knows no exponential for vectors. This one
takes a quarter of the time that NumPy's takes for an array, and is off by at most one and a half units in the last
place.
"""

from __future__ import annotations

from collections.abc import Callable
from math import expm1, factorial, log
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from nnplug_numba._kernels.kernel import OPTIONS

# log(2) in two parts: the first ends in zeros, so that its product with a small integer is exact.
LN2_32 = (0.693359375, -2.1219444005469057e-4)
LN2_64 = (0.6931471803691238, 1.9082149292705877e-10)


def two_to_the(x: float) -> tuple[float, float]:
    """``2**n`` and q with ``exp(x) = 2**n * (1 + q)``, where n is ``x / log(2)`` rounded and q between -0.3 and 0.42.

    They give ``exp(x)`` and, without losing digits near zero, ``exp(x) - 1``. This body says what it means; what is
    compiled needs x up to 88, or NaN, and gives zero for a power of two that would be subnormal.
    """
    n = round(x / log(2))
    return 2.0**n, expm1(x - n * log(2))


def _compiled(dtype: Any, integer: Any, degree: int, ln2: tuple[float, float]) -> Callable[[Any], tuple[Any, Any]]:
    """`two_to_the` for one dtype; ``degree`` is that of the Taylor series of ``exp(r) - 1``, for |r| < 0.35."""
    series = tuple(dtype(1 / factorial(k)) for k in range(1, degree + 1))
    mantissa = np.finfo(dtype).nmant
    # So large a number has no digits behind the point: adding it to another rounds that, and leaves n in the last bits.
    rounder = dtype(1.5 * 2**mantissa)
    log2_e, head, rest = dtype(1 / log(2)), dtype(ln2[0]), dtype(ln2[1])
    bias, shift = integer(np.finfo(dtype).maxexp - 1), integer(mantissa)
    lowest, zero = np.log(np.finfo(dtype).tiny), dtype(0)

    def compiled(x: Any) -> tuple[Any, Any]:
        bounded = lowest if x < lowest else x
        rounded = dtype(bounded * log2_e + rounder)
        n = rounded - rounder
        r = bounded - n * head - n * rest
        q = series[degree - 1]
        for k in range(degree - 2, -1, -1):
            q = q * r + series[k]
        two_to_n = integer((rounded.view(integer) + bias) << shift).view(dtype)
        return zero if x < lowest else two_to_n, q * r

    return compiled


_compiled_32 = _compiled(np.float32, np.int32, 7, LN2_32)
_compiled_64 = _compiled(np.float64, np.int64, 13, LN2_64)


@overload(two_to_the, jit_options=OPTIONS)
def _choose(x: Any) -> Callable[[Any], tuple[Any, Any]]:
    return _compiled_32 if x == types.float32 else _compiled_64
