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
from nnplug import Array, DataError, Metric, evaluation
from nnplug.arena import Arena
from nnplug.evaluation import BATCH, evaluate, names_in_results, scores
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


class Many:
    """A Source of the same rows again and again."""

    rows = None

    def __init__(self, batches: int) -> None:
        self._batches = batches

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield full batches."""
        x, y, weight = data(batch_size)
        for _ in range(self._batches):
            yield x, y, weight


def test_very_many_rows_are_measured_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every metric is a mean of rows: the same numbers, from parts that are as large as they may be."""
    lengths: list[int] = []

    @frozen
    class Spy(Metric):
        """How often the middle score is the highest; remembers how many rows it was given."""

        mean_of_rows = True

        def __call__(self, scores: Array, targets: Array) -> float:
            lengths.append(len(scores))
            return float((scores.argmax(axis=1) == 1).mean())

    x, y, weight = data(4 * BATCH + 100)
    metrics = {"spy": Spy(), **MODEL.metrics(["accuracy", {"type": "top_k", "k": 2}])}
    whole = evaluate(MODEL.network, Rows(x, y, weight, np.dtype("float64"), None), metrics)
    monkeypatch.setattr("nnplug.evaluation.PART", 3 * BATCH + 1)  # three scores a row: two batches
    parts = evaluate(MODEL.network, Rows(x, y, weight, np.dtype("float64"), None), metrics)
    assert parts == pytest.approx(whole, rel=1e-12)
    assert lengths == [4 * BATCH + 100, 2 * BATCH, 2 * BATCH, 100]


def test_a_metric_that_is_no_mean_sees_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """One such metric, and all scores are kept for it: r2 of parts is another number."""
    monkeypatch.setattr("nnplug.evaluation.PART", 1)
    model = nnplug.build({"layers": [{"type": "affine", "units": 1}], "loss": "mse"}, input_shape=4, dtype="float64")
    x, _, _ = data(3 * BATCH)
    y = x.sum(axis=1)
    metrics = model.metrics(["r2", "mean_absolute_error"])
    found = evaluate(model.network, Rows(x, y, None, np.dtype("float64"), None), metrics)
    s = model.scores(x)[:, 0]
    assert found["r2"] == pytest.approx(1 - ((s - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    assert found["mean_absolute_error"] == pytest.approx(np.abs(s - y).mean())


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times as many rows take no more memory."""
    monkeypatch.setattr("nnplug.evaluation.PART", 8 * BATCH)
    peaks = []
    for batches in (10, 200):
        tracemalloc.start()
        try:
            evaluate(MODEL.network, Many(batches), MODEL.metrics())
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_rows_that_weigh_nothing_are_no_division_by_zero() -> None:
    """Where no row has weight, the mean is 0, as it is in a training step."""
    x, y, _ = data(4)
    found = evaluate(MODEL.network, Pieces((x, y, np.zeros(4))), {})
    assert found == {"loss": MODEL.network.penalty()}


def test_a_source_that_yields_nothing_is_told() -> None:
    """Nothing to evaluate is a DataError."""
    with pytest.raises(DataError, match=r"^there is nothing to evaluate: the source yielded no batch$"):
        evaluate(MODEL.network, Pieces(), {})


def test_every_batch_gets_the_memory_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second batch on nothing is allocated."""
    made: list[int] = []

    class Noted(Arena):
        def start(self, rows: int | tuple[int, ...]) -> None:
            made.append(self.allocations)
            super().start(rows)

    monkeypatch.setattr(evaluation, "Arena", Noted)
    x, y, weight = data(6 * BATCH)
    evaluate(MODEL.network, Rows(x, y, weight, x.dtype, None), {})
    assert len(made) == 6
    assert len(set(made[1:])) == 1


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


@frozen
class Nothing(Metric):
    """A metric without a value."""

    def __call__(self, scores: Array, targets: Array) -> float:
        """NaN."""
        return float("nan")


def test_several_metrics_of_one_name_are_counted() -> None:
    """None takes another one's place; what is monitored is the first."""
    data = nnplug.load_data("digits")
    model = nnplug.build([{"type": "affine", "units": 10}], input_shape=64, seed=0, scale=data.scale)
    wanted = [{"type": "top_k", "k": 1}, "accuracy", {"type": "top_k", "k": 5}]
    found = model.evaluate(*data.test, metrics=wanted)
    assert list(found) == ["loss", "top_k1", "accuracy", "top_k2"]
    assert found["top_k1"] == found["accuracy"] < found["top_k2"]
    solver = nnplug.Solver(model, data, epochs=1, metrics=wanted, validation=0.1)
    assert solver.history.monitor == "validation_top_k1"
    assert names_in_results(["a", "b"]) == ["a", "b"]
    for names in (["loss"], ["a", "a", "a2"]):
        with pytest.raises(nnplug.NnplugError, match="their names must differ, also from 'loss'"):
            names_in_results(names)


def test_a_monitor_without_a_value_is_warned_of() -> None:
    """Nothing is the best of nothing."""
    x, y = np.eye(4), np.arange(4) % 2
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=4)
    data = nnplug.Dataset((x, y), validation=(x, y))
    told = "validation_Nothing was NaN after each of 2 epochs, .*; the model holds the last parameters"
    with pytest.warns(UserWarning, match=told):
        history = nnplug.Solver(model, data, epochs=2, metrics=[Nothing()]).fit()
    assert history.best_epoch is None


def test_no_class_is_chosen_by_nan() -> None:
    """Neither of one row nor of many; numbers that are predicted may be NaN, and show it."""
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=1)
    for x in ([[np.nan]], [[0.0], [np.nan], [np.nan]]):
        with pytest.raises(DataError, match=rf"the scores of {max(1, len(x) - 1)} of {len(x)} rows are not finite"):
            model.predict(x)
    regression = nnplug.build({"layers": [{"type": "affine", "units": 1}], "loss": "mse"}, input_shape=1)
    assert np.isnan(regression.predict([[np.nan], [1.0]])).tolist() == [True, False]


def test_what_weighs_nothing_has_no_influence() -> None:
    """Not even where its loss is infinite."""
    model = nnplug.build({"layers": [{"type": "affine", "units": 1}], "loss": "mse"}, input_shape=2)
    x, y = np.random.default_rng(0).normal(size=(6, 2)), np.array([1.0, 2.0, 3.0, 1e30, -1e30, 1e30])
    weight = np.array([1.0, 2.0, 1.0, 0.0, 0.0, 0.0])
    with np.errstate(over="ignore"):
        loss, gradients = model.gradients(x, y, weight)
        evaluated = model.loss(x, y, weight)
    alone, right = model.gradients(x[:3], y[:3], weight[:3])
    assert evaluated == pytest.approx(loss) == pytest.approx(alone)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(gradient, right[path], rtol=1e-5)
