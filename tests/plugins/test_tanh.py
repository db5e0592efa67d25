"""The hyperbolic tangent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnplug import Context
from nnplug_builtins.tanh import Tanh


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(dtype):
    """As the standard library has it; exact and silent at the ends."""
    x = np.array([[-1e4, -0.5, 0, 0.25, 3, 1e4]], dtype)
    out, _ = Tanh().forward({}, x, Context())
    np.testing.assert_allclose(out, [[math.tanh(value) for value in x[0]]], rtol=4 * np.finfo(dtype).eps)
    assert (out[0, 0], out[0, -1]) == (-1, 1)


def test_backward_by_hand():
    """At 0 the slope is 1; where it has levelled out, 0; where tanh is 1/2, three quarters."""
    _, cache = Tanh().forward({}, np.array([[0.0, 1e4, math.atanh(0.5)]]), Context())
    np.testing.assert_allclose(Tanh().backward({}, {}, cache, np.array([[8.0, 8, 8]]), Context()), [[8, 0, 6]])
