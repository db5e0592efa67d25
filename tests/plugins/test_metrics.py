"""The built-in metrics, against plain loops."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from nnplug import ArraySpec, DataError, ShapeError
from nnplug_builtins.accuracy import Accuracy
from nnplug_builtins.binary_accuracy import BinaryAccuracy
from nnplug_builtins.mean_absolute_error import MeanAbsoluteError
from nnplug_builtins.r2 import R2
from nnplug_builtins.top_k import TopK

twenty_seeds = pytest.mark.parametrize("seed", range(20))
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def refusal(metric, scores, targets, error=DataError):
    """What check says about them."""
    with pytest.raises(error) as caught:
        metric.check(scores, targets)
    return str(caught.value)


@twenty_seeds
@every_dtype
def test_accuracy(seed, dtype):
    """The share of rows whose best class is right, from indices and one-hot alike, with as many rows as classes too."""
    rng = np.random.default_rng(seed)
    for n in (5, 30):
        scores, y = rng.standard_normal((n, 5)).astype(dtype), rng.integers(0, 5, n)
        right = sum(max(range(5), key=lambda j: scores[i, j]) == y[i] for i in range(n))
        for targets in (y.astype("uint8"), np.eye(5)[y], np.eye(5, dtype=bool)[y]):
            value = Accuracy()(scores, targets)
            assert type(value) is float
            assert value == pytest.approx(right / n)


@twenty_seeds
def test_top_k(seed):
    """The share of rows with fewer than k scores above that of the right class."""
    rng = np.random.default_rng(seed)
    scores, y = rng.standard_normal((30, 6)).astype("float32"), rng.integers(0, 6, 30)
    for k in (1, 2, 5):
        right = sum(sum(scores[i, j] > scores[i, y[i]] for j in range(6)) < k for i in range(30))
        assert TopK(k)(scores, y.astype("uint8")) == pytest.approx(right / 30)
        assert TopK(k)(scores, np.eye(6)[y]) == pytest.approx(right / 30)


def test_top_1_is_the_accuracy_even_where_scores_are_equal():
    """A network that says the same about everything gets no credit for ties."""
    scores, y = np.zeros((100, 100)), np.arange(100)
    assert TopK(1)(scores, y) == Accuracy()(scores, y) == 0.01
    assert TopK(5)(scores, y) == 0.05
    rng = np.random.default_rng(0)
    scores, y = rng.integers(0, 3, (300, 100)).astype("float32"), rng.integers(0, 100, 300)
    y[:50] = scores[:50].argmax(axis=1)
    assert TopK(1)(scores, y) == Accuracy()(scores, y) >= 1 / 6


@twenty_seeds
def test_binary_accuracy(seed):
    """The share of right answers over all rows and labels."""
    rng = np.random.default_rng(seed)
    scores, labels = rng.standard_normal((20, 3)).astype("float32"), rng.integers(0, 2, (20, 3))
    right = sum((scores[i, j] > 0) == (labels[i, j] == 1) for i in range(20) for j in range(3))
    assert BinaryAccuracy()(scores, labels) == pytest.approx(right / 60)
    one_right = sum((scores[i, 0] > 0) == (labels[i, 0] == 1) for i in range(20))
    for targets in (labels[:, 0], labels[:, :1], labels[:, 0].astype(bool), labels[:, 0] * 0.8 + 0.1):
        assert BinaryAccuracy()(scores[:, :1], targets) == pytest.approx(one_right / 20)


@twenty_seeds
def test_mean_absolute_error(seed):
    """The mean over all rows and outputs; less of it is better."""
    rng = np.random.default_rng(seed)
    scores, targets = rng.standard_normal((20, 3)), rng.standard_normal((20, 3))
    expected = sum(abs(scores[i, j] - targets[i, j]) for i in range(20) for j in range(3)) / 60
    assert MeanAbsoluteError()(scores, targets) == pytest.approx(expected, rel=1e-12)
    one = sum(abs(scores[i, 0] - targets[i, 0]) for i in range(20)) / 20
    assert MeanAbsoluteError()(scores[:, :1], targets[:, 0]) == pytest.approx(one, rel=1e-12)
    assert not MeanAbsoluteError.higher_is_better


def r2_of_one_output(s, t):
    """The definition, written out."""
    mean = sum(t) / len(t)
    return 1 - sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / sum((b - mean) ** 2 for b in t)


@twenty_seeds
def test_r2(seed):
    """Each output by itself, then their plain mean."""
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal((20, 3)) * [1, 10, 100] + [0, 5, -50]
    scores = targets + rng.standard_normal((20, 3)) * [0.5, 1, 200]
    each = [r2_of_one_output(scores[:, j].tolist(), targets[:, j].tolist()) for j in range(3)]
    assert R2()(scores, targets) == pytest.approx(sum(each) / 3, rel=1e-10)
    assert R2()(scores[:, :1], targets[:, 0]) == pytest.approx(each[0], rel=1e-10)
    assert R2()(scores.reshape(20, 3, 1), targets.reshape(20, 3, 1)) == pytest.approx(sum(each) / 3, rel=1e-10)


def test_r2_of_float32_is_summed_in_float64():
    """Targets far from 0 keep their digits."""
    targets = (1000 + np.arange(40000) % 4 // 2).astype("float32").reshape(-1, 2)
    assert R2()(targets + np.float32(0.5), targets) == 0.0


@pytest.mark.parametrize("constant", [0.0, 0.1, 3.0])
def test_r2_of_constant_targets(constant):
    """1 where the scores are exact, 0 where not, though the mean of many 0.1 is not quite 0.1."""
    targets = np.full(7, constant)
    assert R2()(targets.reshape(7, 1), targets) == 1.0
    assert R2()(targets.reshape(7, 1) + 1e-3, targets) == 0.0
    both = np.stack([targets, np.arange(7.0)], axis=1)
    assert R2()(both + np.array([1, 0]), both) == 0.5


@pytest.mark.parametrize("metric", [MeanAbsoluteError(), BinaryAccuracy(), R2()], ids=repr)
def test_a_vector_of_targets_is_not_spread_over_a_column_of_scores(metric):
    """(N, 1) against (N,) would be (N, N) comparisons; perfect scores would not look perfect."""
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    assert metric((y - 0.5 * isinstance(metric, BinaryAccuracy)).reshape(5, 1), y) == float(metric.higher_is_better)


def test_metrics_of_classes_refuse_other_targets():
    """In their own name."""
    assert refusal(Accuracy(), ArraySpec((3,)), np.array([0.0, 1.5])) == (
        "accuracy: class indices must be integers, given float64; convert them with y.astype(int)"
    )
    assert refusal(Accuracy(), ArraySpec((1,)), np.array([0, 1]), ShapeError) == (
        "accuracy needs a score for each of at least 2 classes, the network gives (1,); "
        "for one yes or no take the loss binary_cross_entropy"
    )
    assert refusal(TopK(2), ArraySpec((3,)), np.array([0, 3])) == (
        "top_k: targets[1] is 3, but a class index must be from 0 to 2 for 3 scores; "
        "number the classes from 0 or give the last layer more units"
    )
    Accuracy().check(ArraySpec((3,)), np.array([0, 2]))
    Accuracy().check(ArraySpec((3,)), np.eye(3))


@pytest.mark.parametrize("classes", [4, 5])
def test_top_k_of_no_more_than_k_classes(classes):
    """It would be 1 whatever the network says."""
    assert refusal(TopK(), ArraySpec((classes,)), np.array([0])) == (
        f"top_k with k=5 is always 1 for {classes} classes; take k below {classes}"
    )
    TopK().check(ArraySpec((6,)), np.array([0]))


@pytest.mark.parametrize("metric", [MeanAbsoluteError(), R2(), BinaryAccuracy()], ids=repr)
def test_metrics_of_values_refuse_other_shapes(metric):
    """In their own name, and accept what their loss accepts."""
    name = {"MeanAbsoluteError": "mean_absolute_error", "R2": "r2", "BinaryAccuracy": "binary_accuracy"}
    assert refusal(metric, ArraySpec((3,)), np.zeros(5)) == (
        f"{name[type(metric).__name__]}: targets must be (N, 3) for scores (3,) a row, given (5,); "
        "change the last layer's units or reshape the targets"
    )
    metric.check(ArraySpec((3,)), np.zeros((5, 3)))
    metric.check(ArraySpec((1,)), np.zeros(5))


def test_k_is_at_least_1():
    """Among no classes there is none that is right."""
    with pytest.raises(ValueError, match="'k' must be >= 1: 0"):
        TopK(0)


@pytest.mark.parametrize("name", ["accuracy", "binary_accuracy", "top_k", "mean_absolute_error", "r2"])
def test_the_hook_provides_the_name(name):
    """Each module's hook returns its one metric under the entry point's name."""
    provided = import_module(f"nnplug_builtins.{name}").nnplug_metrics()
    assert [*provided] == [name]
    assert provided[name].__name__ == name.title().replace("_", "")
