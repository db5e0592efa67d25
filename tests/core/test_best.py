"""The best parameters: which are kept, and put back whole."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

import nnplug
from nnplug.best import Best
from nnplug.buffers import Buffers


@pytest.fixture
def buffers() -> Buffers:
    """Some arrays."""
    return nnplug.build([{"type": "affine", "units": 2}], input_shape=2).network.buffers


@pytest.mark.parametrize(
    ("higher", "values", "kept"),
    [
        (True, [0.1, 0.3, 0.2], 1),
        (False, [0.3, 0.1, 0.2], 1),
        (True, [0.5, 0.5, 0.5], 0),
        (False, [0.5, 0.5, 0.5], 0),
        (True, [nan, 0.1, nan], 1),
        (False, [nan, 0.1, nan], 1),
        (True, [0.2, nan, 0.3, nan], 2),
        (False, [inf, inf, 3.0], 2),
        (True, [-inf, -inf, 3.0], 2),
        (True, [-inf], 0),
        (False, [inf, nan], 0),
        (True, [-3.0, -2.0], 1),
    ],
)
def test_the_first_of_the_best_is_kept(buffers: Buffers, higher: bool, values: list[float], kept: int) -> None:
    """What is better than all before is kept; the same value again is not, NaN never."""
    best = Best(higher)
    offered = []
    for i, value in enumerate(values):
        buffers.vector[...] = i
        offered.append(best.offer(value, buffers))
    assert max(i for i, taken in enumerate(offered) if taken) == kept
    buffers.vector[...] = -1
    best.put_back(buffers)
    np.testing.assert_array_equal(buffers.vector, np.full(6, kept))


@pytest.mark.parametrize("values", [[], [nan], [nan, nan]])
def test_without_a_best_nothing_is_put_back(buffers: Buffers, values: list[float]) -> None:
    """Where nothing was kept, the arrays stay as they are."""
    best = Best(True)
    for value in values:
        assert not best.offer(value, buffers)
    buffers.vector[...] = 5
    best.put_back(buffers)
    assert (buffers.vector == 5).all()


def test_what_is_kept_is_a_copy(buffers: Buffers) -> None:
    """Training goes on in the arrays; what was kept does not move, and can be put back twice."""
    best = Best(False)
    buffers.vector[...] = 1
    best.offer(0.5, buffers)
    for _ in range(2):
        buffers.vector[...] = 2
        best.put_back(buffers)
        assert (buffers.vector == 1).all()
