"""Evaluation: a whole split, a batch at a time, gives what all of it at once gives."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug import Array, DataError, Metric
from nnplug.evaluation import BATCH, evaluate, scores
from nnplug.rows import Rows

MODEL = nnplug.build(
    {
        "layers": [{"type": "affine", "units": 8}, "relu", {"type": "dropout"}, {"type": "affine", "units": 3}],
        "l2": 0.1,
    },
    input_shape=4,
    dtype="float64",
)


def data(rows: int) -> tuple[Array, Array, Array]:
    """Samples, classes and weights."""
    rng = np.random.default_rng(rows)
    return rng.normal(size=(rows, 4)), rng.integers(0, 3, rows), rng.uniform(0, 2, rows)


class Pieces:
    """A Source of pieces of any lengths."""

    rows = None

    def __init__(self, *pieces: Any) -> None:
        self._pieces = pieces

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield the pieces."""
        assert rng is None, "evaluation asks for the natural order"
        yield from self._pieces


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [1, 5, BATCH, BATCH + 1, 2 * BATCH + 17])
def test_the_mean_is_over_rows_not_over_batches(rows: int, weighted: bool) -> None:
    """A short last batch counts by its rows (and weights), and the L2 term once."""
    x, y, weight = data(rows)
    weight = weight if weighted else None
    metrics = MODEL.metrics()
    found = evaluate(MODEL.network, Rows(x, y, weight, np.dtype("float64"), None), metrics)
    s = scores(MODEL.network, x)
    losses = np.log(np.exp(s).sum(axis=1)) - s[range(rows), y]
    penalty = 0.05 * sum((a**2).sum() for path, a in MODEL.params.items() if path.endswith("W"))
    assert found["loss"] == pytest.approx(np.average(losses, weights=weight) + penalty)
    assert found["accuracy"] == pytest.approx((s.argmax(axis=1) == y).mean())
    cuts = sorted({0, rows // 3, rows // 2, rows})
    pieces = [(x[a:b], y[a:b], None if weight is None else weight[a:b]) for a, b in pairwise(cuts)]
    assert evaluate(MODEL.network, Pieces(*pieces), metrics) == pytest.approx(found)


def test_metrics_see_all_scores_and_targets_once() -> None:
    """A metric is called once, with every row in order: it may be no mean."""
    calls: list[tuple[Array, Array]] = []

    @frozen
    class Spy(Metric):
        """Remembers what it was given."""

        def __call__(self, scores: Array, targets: Array) -> float:
            calls.append((scores, targets))
            return np.float64(7)

    x, y, _ = data(2 * BATCH + 3)
    found = evaluate(MODEL.network, Rows(x, y, None, np.dtype("float64"), None), {"spy": Spy()})
    assert type(found["spy"]) is float
    ((seen, targets),) = calls
    np.testing.assert_array_equal(targets, y)
    np.testing.assert_array_equal(seen, scores(MODEL.network, x))


def test_rows_that_weigh_nothing_are_no_division_by_zero() -> None:
    """Where no row has weight, the mean is 0, as it is in a training step."""
    x, y, _ = data(4)
    found = evaluate(MODEL.network, Pieces((x, y, np.zeros(4))), {})
    assert found == {"loss": MODEL.network.penalty()}


def test_a_source_that_yields_nothing_is_told() -> None:
    """Nothing to evaluate is a DataError."""
    with pytest.raises(DataError, match=r"^there is nothing to evaluate: the source yielded no batch$"):
        evaluate(MODEL.network, Pieces(), {})


def test_memory_is_that_of_a_batch() -> None:
    """Scores of many rows take the scores' memory and a batch's scratch, not every layer's output of all rows."""
    wide = nnplug.build([{"type": "affine", "units": 256}, "relu", {"type": "affine", "units": 2}], input_shape=4)
    x = np.zeros((40 * BATCH, 4), np.float32)
    wide.scores(x[:10])
    tracemalloc.start()
    try:
        wide.scores(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * BATCH * 256 * 4 < x.shape[0] * 256 * 4 / 4
