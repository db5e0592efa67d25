"""The exponential function of the kernels."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from nnplug_numba._kernels.exp import two_to_the
from nnplug_numba._kernels.kernel import kernel


@kernel
def both(x, e, e_minus_1):
    for i in range(x.size):
        two_to_n, q = two_to_the(x[i])
        e[i] = two_to_n * q + two_to_n
        e_minus_1[i] = two_to_n * q + (two_to_n - x.dtype.type(1))


@pytest.mark.parametrize("seed", range(3))
def test_off_by_at_most_one_and_a_half_units_in_the_last_place(dtype, seed):
    """All over its range, held against more precision."""
    info, rng = np.finfo(dtype), np.random.default_rng(seed)
    near = np.concatenate([rng.uniform(-1, 1, 100_000), [0.0]])
    for x in (rng.uniform(log(info.tiny), 88, 100_000).astype(dtype), near.astype(dtype)):
        e, e_minus_1 = np.empty_like(x), np.empty_like(x)
        both(x, e, e_minus_1)
        precise = x.astype(np.longdouble if dtype == "float64" else np.float64)
        assert np.max(np.abs(e - np.exp(precise)) / np.spacing(e)) < 1.5
        right = np.expm1(precise)
        assert np.max(np.abs(e_minus_1 - right) / np.spacing(np.abs(e_minus_1))) < 3


def test_below_its_range(dtype):
    """What would be subnormal is zero."""
    x = np.array([-1e4, -np.inf], dtype)
    e, e_minus_1 = np.empty_like(x), np.empty_like(x)
    both(x, e, e_minus_1)
    assert e.tolist() == [0, 0]
    assert e_minus_1.tolist() == [-1, -1]


@pytest.mark.parametrize("x", [-30.0, -0.4, 0.0, 0.3, 20.0])
def test_the_plain_body_says_the_same(x):
    """The function as it is written, uncompiled."""
    two_to_n, q = two_to_the(x)
    assert two_to_n * (1 + q) == pytest.approx(np.exp(x), rel=1e-14)
    assert -0.3 < q < 0.42
