"""Samples of any shape as vectors."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context
from nnplug_builtins.flatten import Flatten


@pytest.mark.parametrize(("shape", "size"), [((2, 3, 4), 24), ((5,), 5), ((), 1), ((0, 3), 0)])
def test_there_and_back(shape, size):
    """(N, d1, ..., dk) becomes (N, D), the last axis fastest, and the gradient takes x's shape again."""
    x = np.arange(2.0 * size).reshape(2, *shape)
    out, cache = Flatten().forward({}, x, Context())
    np.testing.assert_array_equal(out, np.arange(2.0 * size).reshape(2, size))
    np.testing.assert_array_equal(Flatten().backward({}, {}, cache, out, Context()), x)
    assert Flatten().plan(ArraySpec(shape, "float32")).out == ArraySpec((size,), "float32")
