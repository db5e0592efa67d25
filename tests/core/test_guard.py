"""The guard: every element of a gradient is looked at, whatever its size; what is finite is accepted."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug.guard import MANY, ROW, Guard

SIZES = [1, 1000, MANY - 1, MANY, MANY + 1, MANY + ROW - 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_a_gradient_is_accepted_if_it_is_finite(size, dtype):
    """One element is enough to refuse it, wherever it is; and the largest that there are are no reason to."""
    rng = np.random.default_rng(size)
    gradient = rng.standard_normal(size).astype(dtype)
    guard = Guard(gradient)
    assert guard.accepts(0.5)
    for place in {0, size // 2, size // ROW * ROW - 1, size - 1, *rng.integers(size, size=20)}:
        for bad in (np.nan, np.inf, -np.inf):
            before, gradient[place] = gradient[place], bad
            assert not guard.accepts(0.5), (place, bad)
            gradient[place] = before
    assert guard.accepts(0.5)
    gradient[:] = np.finfo(dtype).max
    assert guard.accepts(0.5)
    gradient[-1] = -np.inf
    assert not guard.accepts(0.5)


def test_opposite_infinities_do_not_cancel():
    """Their sum is NaN."""
    gradient = np.zeros(MANY + ROW // 2, np.float32)
    gradient[5], gradient[6], gradient[-1], gradient[-2] = np.inf, -np.inf, np.inf, -np.inf
    assert not Guard(gradient).accepts(0.5)


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_is_accepted_if_it_is_finite(loss):
    """Whatever the gradient."""
    assert not Guard(np.zeros(3)).accepts(loss)
