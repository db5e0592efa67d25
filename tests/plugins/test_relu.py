"""The rectified linear unit."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import Context
from nnplug.gradcheck import relative_error
from nnplug_builtins.relu import Relu


def test_forward_on_the_cs231n_example():
    """The numbers that the course prints, with the error that it prints."""
    out, _ = Relu().forward({}, np.linspace(-0.5, 0.5, 12).reshape(3, 4), Context())
    printed = [[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364], [0.22727273, 0.31818182, 0.40909091, 0.5]]
    assert relative_error(out, np.array(printed)) < 5.1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradient_at_zero_is_zero(dtype):
    """The gradient is dout for x > 0 and 0 otherwise, at 0 and at -0 too."""
    x = np.array([[-1, -0.0, 0, 1e-30]], dtype)
    out, cache = Relu().forward({}, x, Context())
    dx = Relu().backward({}, {}, cache, np.array([[5, 6, 7, 8]], dtype), Context())
    np.testing.assert_array_equal(out, np.array([[0, 0, 0, 1e-30]], dtype))
    np.testing.assert_array_equal(dx, [[0, 0, 0, 8]])


def test_infinity_and_large_values():
    """Nothing is bounded above, nothing passes below."""
    out, _ = Relu().forward({}, np.array([[-np.inf, np.inf, -1e4, 1e4]], "float32"), Context())
    np.testing.assert_array_equal(out, [[0, np.inf, 0, 1e4]])
