"""The rectified linear unit that leaks."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import Context
from nnplug_builtins.leaky_relu import LeakyRelu


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(dtype):
    """Negative values and their gradients are a quarter; at 0 the slope is taken."""
    x, dout = np.array([[-8, -4, 0, 4]], dtype), np.array([[16, 12, 8, 4]], dtype)
    out, cache = LeakyRelu(0.25).forward({}, x, Context())
    np.testing.assert_array_equal(out, [[-2, -1, 0, 4]])
    np.testing.assert_array_equal(LeakyRelu(0.25).backward({}, {}, cache, dout, Context()), [[4, 3, 2, 4]])


def test_the_default_slope():
    """It is 0.01."""
    out, _ = LeakyRelu().forward({}, np.array([[-1e4, 1e4]]), Context())
    np.testing.assert_array_equal(out, [[-100, 1e4]])


@pytest.mark.parametrize("slope", [-0.1, 0.0, 1.0, 1.5, np.nan])
def test_slope_is_between_0_and_1(slope):
    """At 0 it would be relu, at 1 nothing at all, above 1 not the maximum of both lines."""
    with pytest.raises(ValueError, match=r"'slope' must be [<>] [01]"):
        LeakyRelu(slope)
