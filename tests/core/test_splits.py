"""The splits of a data set: opened, checked, held out, weighed by class."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import ConfigError, DataError, Dataset, Model
from nnplug.config import TrainConfig
from nnplug.data import hold_out
from nnplug.order import Order
from nnplug.rows import Rows
from nnplug.splits import class_weights, measured, open_splits


def model(units: int = 3, loss: str = "softmax", **options: Any) -> Model:
    """A model of samples (2,)."""
    layers = [{"type": "affine", "units": units}]
    return nnplug.build({"layers": layers, "loss": loss}, **{"input_shape": 2, **options})


def split(rows: int, classes: int = 3) -> tuple[Any, Any]:
    """Some rows."""
    return np.zeros((rows, 2)), np.arange(rows) % classes


class Stream:
    """A Source of zeros."""

    def __init__(self, rows: int | None = None) -> None:
        self.rows = rows

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield one batch."""
        yield np.zeros((2, 2)), np.zeros(2, int), None


def opened(data: Dataset, of: Model | None = None, **options: Any) -> dict[str, Any]:
    """The sources of a data set."""
    of = of or model()
    return dict(open_splits(of, data, TrainConfig(**{"batch_size": 2, **options}), of.metrics()))


def test_what_is_given_is_opened() -> None:
    """Every split there is becomes a source; those there are not stay away."""
    assert {name: s.rows for name, s in opened(Dataset(split(6), split(4), split(2))).items()} == {
        "train": 6,
        "validation": 4,
        "test": 2,
    }
    assert set(opened(Dataset(split(6)))) == {"train"}
    assert set(opened(Dataset(Stream(), test=split(3)))) == {"train", "test"}


def test_validation_rows_come_out_of_train() -> None:
    """A fraction is held out where there is no validation split; no row is in both."""
    x = np.arange(40.0).reshape(20, 2)
    found = opened(Dataset((x, np.arange(20) % 3), test=split(5)), validation=0.25)
    assert (found["train"].rows, found["validation"].rows, found["test"].rows) == (15, 5, 5)
    rows = [set(found[name].order.blocks) for name in ("train", "validation")]
    assert rows[0] | rows[1] == set(range(20))
    given = opened(Dataset(split(20), split(4)), validation=0.25)
    assert (given["train"].rows, given["validation"].rows) == (20, 4)


def test_the_seed_alone_decides_what_is_held_out() -> None:
    """A model trained further holds out the same rows, or it would validate on what it was trained on."""
    of, data = model(seed=4), Dataset(split(40))
    first = opened(data, of, validation=0.25)["validation"].order.blocks
    of.streams.get("shuffle").random(7)
    np.testing.assert_array_equal(opened(data, of, validation=0.25)["validation"].order.blocks, first)
    assert not np.array_equal(opened(data, model(seed=5), validation=0.25)["validation"].order.blocks, first)


def test_small_training_data_is_converted_once() -> None:
    """What is larger than bytes is scaled in memory ahead of training; what is evaluated stays as it is."""
    raw = np.full((6, 2), 8, np.uint16), np.arange(6) % 3
    found = opened(Dataset(raw, raw), model(scale=(0.0, 0.5)))
    assert found["train"].x.dtype == np.float32
    assert found["validation"].x.dtype == np.uint16
    for source in found.values():
        x, _, _ = next(iter(source.batches(2, None)))
        np.testing.assert_array_equal(x, np.full((2, 2), 4, np.float32))


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (split(0), "the {} split is empty: x has shape (0, 2)"),
        ((np.zeros((4, 3)), np.zeros(4, int)), "the {} split has samples of shape (3,), the model takes (2,)"),
        ((np.zeros(4), np.zeros(4, int)), "the {} split has samples of shape (), the model takes (2,)"),
        ((np.zeros((4, 2)), np.zeros(3, int)), "the {} split has 4 rows in x but 3 in y"),
        (
            (np.zeros((4, 2)), np.zeros(4)),
            "the {} split: softmax: class indices must be integers, given float64; convert them with y.astype(int)",
        ),
        (
            (np.zeros((4, 2)), np.array([0, 1, 3, 2])),
            (
                "the {} split: softmax: targets[2] is 3, but a class index must be from 0 to 2 for 3 scores; "
                "number the classes from 0 or give the last layer more units"
            ),
        ),
        (
            (np.zeros((4, 2)), np.array([0, -1, 3, 2])),
            (
                "the {} split: softmax: targets[1] is -1, but a class index must be from 0 to 2 for 3 scores; "
                "number the classes from 0 or give the last layer more units"
            ),
        ),
        (
            (np.zeros((4, 2)), np.zeros((4, 1), int)),
            "the {} split: softmax: class indices must be a vector (N,), given a column (4, 1); use y.ravel()",
        ),
        (
            (np.array([[0, 0], [0, 0], [np.nan, 0], [0, 0]]), np.zeros(4, int)),
            (
                "the {} split's x holds NaN or infinity in 1 of 4 rows, the first is row 2; "
                "remove such rows or fill in the values"
            ),
        ),
    ],
)
def test_every_split_is_checked_before_training(name: str, wrong: Any, message: str) -> None:
    """A mistake in any split is told with the split's name, before anything is trained."""
    data = Dataset(**{"train": split(6), name: wrong})
    with pytest.raises(DataError) as caught:
        opened(data)
    assert str(caught.value) == message.format(name)


def test_targets_of_values_are_checked() -> None:
    """NaN among the targets of a regression is told with its row."""
    y = np.array([1.0, 2.0, np.nan, 0.0])
    with pytest.raises(DataError, match=r"^the train split: mse: targets\[2\] is nan, but targets must be finite;"):
        opened(Dataset((np.zeros((4, 2)), y)), model(1, "mse"))


def test_a_network_that_does_not_fit_its_loss_is_a_shape_error() -> None:
    """One score is no classifier for softmax, whatever the data."""
    with pytest.raises(nnplug.ShapeError, match="softmax needs a score for each of at least 2 classes"):
        opened(Dataset(split(6, 1)), model(1))


def test_there_must_be_something_to_train_on() -> None:
    """No train split is told as such."""
    with pytest.raises(DataError, match=r"^the data has no train split$"):
        opened(Dataset(None, test=split(3)))


@pytest.mark.parametrize(("rows", "options"), [(6, {"batch_size": 7}), (8, {"batch_size": 7, "validation": 0.25})])
def test_a_batch_cannot_be_larger_than_the_data(rows: int, options: dict[str, Any]) -> None:
    """A batch size beyond the rows that are left to train on is refused."""
    with pytest.raises(DataError) as caught:
        opened(Dataset(split(rows)), **options)
    assert str(caught.value) == "train.batch_size is 7, but the train split has 6 rows; make it smaller"


def test_the_default_batch_may_be_larger_than_the_data() -> None:
    """Nobody asked for so many rows: all there are make one batch."""
    (batch,) = opened(Dataset(split(6)))["train"].batches(TrainConfig().batch_size, np.random.default_rng(0))
    assert len(batch[0]) == 6
    history = nnplug.Solver(model(), split(6), epochs=3).fit()
    assert history.column("step") == [1, 2, 3]


def test_rows_of_a_stream_cannot_be_held_out() -> None:
    """A fraction of a stream would silently be ignored; it is refused, unless there is a validation split."""
    with pytest.raises(ConfigError) as caught:
        opened(Dataset(Stream()), validation=0.1)
    told = "train.validation: rows of a stream cannot be held out; give a validation split"
    assert str(caught.value) == told
    assert set(opened(Dataset(Stream(), split(3)), validation=0.1)) == {"train", "validation"}


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((np.zeros((2, 3)), [0, 1]), "the train split has samples of shape (3,), the model takes (2,)"),
        (
            (np.zeros((2, 2)), [0, 3]),
            (
                "the train split: softmax: targets[1] is 3, but a class index must be from 0 to 2 for 3 scores; "
                "number the classes from 0 or give the last layer more units"
            ),
        ),
        (
            (np.zeros((2, 2)), [0, -1]),
            (
                "the train split: softmax: targets[1] is -1, but a class index must be from 0 to 2 for 3 scores; "
                "number the classes from 0 or give the last layer more units"
            ),
        ),
        (
            (np.zeros((2, 2)), [0.0, 1.0]),
            "the train split: softmax: class indices must be integers, given float64; convert them with y.astype(int)",
        ),
    ],
)
def test_batches_of_a_stream_are_checked_as_they_come(batch: Any, message: str) -> None:
    """Nothing is known of a stream before it is read; a wrong batch, even a late one, is told like a wrong split."""
    good = (np.zeros((2, 2)), [0, 1])

    class Late(Stream):
        """Two good batches, then a wrong one."""

        def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
            for x, y in (good, good, batch):
                yield x, y, None

    solver = nnplug.Solver(model(), Late(), iterations=9, batch_size=2, evaluate=())
    with pytest.raises(DataError) as caught:
        solver.fit()
    assert str(caught.value) == message
    assert len(solver.history.losses) == 2


# What is evaluated


class Numbers(Stream):
    """A Source of rows that tell their number."""

    def __init__(self, rows: int, tells: bool) -> None:
        self.rows = rows if tells else None
        self._rows = rows

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield them in the natural order or another."""
        numbers = np.arange(self._rows) if rng is None else rng.permutation(self._rows)
        for i in range(start * batch_size, self._rows, batch_size):
            yield numbers[i : i + batch_size, None] * np.ones(2), numbers[i : i + batch_size], None


def read(source: Any, start: int = 0) -> list[int]:
    """The numbers of the rows that come when a source is evaluated, in batches of 8."""
    return [int(i) for _, y, _ in source.batches(8, None, start) for i in y]


@pytest.mark.parametrize("tells", [True, False])
def test_of_many_training_rows_a_sample_is_evaluated(tells: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rows as a sample has, drawn once by the seed, from the whole split; other splits are left whole."""
    monkeypatch.setattr("nnplug.splits.SAMPLE", 64)
    splits = {"train": Numbers(1000, tells), "validation": Numbers(1000, tells)}
    found = measured(splits, model(seed=1))
    sample = read(found["train"])
    assert len(set(sample)) == 64
    assert found["train"].rows == (64 if tells else None)
    assert max(sample) > 500
    assert read(found["train"]) == sample
    assert read(found["train"], 3) == sample[24:]
    assert read(measured(splits, model(seed=2))["train"]) != sample
    assert found["validation"] is splits["validation"]


def test_training_rows_that_are_not_many_are_all_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """In their natural order; a stream that does not tell its number is read to its end if that comes soon."""
    monkeypatch.setattr("nnplug.splits.SAMPLE", 64)
    train = Numbers(64, tells=True)
    assert measured({"train": train}, model())["train"] is train
    assert sorted(read(measured({"train": Numbers(60, tells=False)}, model())["train"])) == list(range(60))


def test_a_solver_evaluates_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training rows' figures come from it; each of the other splits' from all its rows; training sees them all."""
    monkeypatch.setattr("nnplug.splits.SAMPLE", 1024)
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(n, 2)), rng.integers(0, 3, n)) for n in (4000, 3000))
    of = model()
    solver = nnplug.Solver(of, Dataset(train, test=test), epochs=1, batch_size=500)
    assert len(solver.fit().losses) == 8
    order = of.streams.fresh("evaluation").permutation(4000)[:1024]
    assert solver.evaluate("train") == pytest.approx(of.evaluate(train[0][order], train[1][order]))
    assert solver.evaluate("test") == pytest.approx(of.evaluate(*test))


# Weights of classes


def source(y: Any, index: Any = None) -> Rows:
    """Training rows with these targets."""
    y = np.asarray(y)
    return Rows(np.zeros((len(y), 2)), y, None, np.dtype("float32"), None, Order(len(y), blocks=index))


@pytest.mark.parametrize("y", [[0, 0, 0, 1], [0, 1, 2, 2, 2, 2], [2, 0, 2, 2], [5], [1, 1, 3, 3, 3, 7]])
def test_balanced_weights_follow_scikit_learns_formula(y: list[int]) -> None:
    """rows / (classes * rows of the class); a class without rows gets 0."""
    found = class_weights("balanced", source(y), 9)
    assert found is not None
    present = sorted(set(y))
    for label in present:
        assert found[label] == pytest.approx(len(y) / (len(present) * y.count(label)))
    assert np.delete(found, present).sum() == 0


def test_only_training_rows_are_counted() -> None:
    """Rows that were held out have no say in the balance."""
    found = class_weights("balanced", source([0, 0, 0, 0, 1, 1], index=np.array([0, 4, 5])), 2)
    np.testing.assert_allclose(found, [1.5, 0.75])  # type: ignore[arg-type]


def test_classes_of_mapped_rows_are_counted_in_pieces() -> None:
    """However the pieces fall, and whichever classes they hold."""
    y = np.array([0] * 12 + [3] * 5 + [1] * 3)
    rows = Rows(np.zeros((20, 2)), y, None, np.dtype("float32"), None, Order(20, 3, 2))
    np.testing.assert_allclose(class_weights("balanced", rows, 4), [20 / 36, 20 / 9, 0, 20 / 15])  # type: ignore[arg-type]


def test_weights_are_taken_as_given() -> None:
    """A weight a class, those included that only the model knows; one score tells two apart; none means none."""
    for weights, scores in (((1.0, 0.0, 2.5), 3), ((1.0, 0.5), 1)):
        np.testing.assert_array_equal(class_weights(weights, source([0, 1]), scores), weights)  # type: ignore[arg-type]
    assert class_weights(None, source([0, 1]), 2) is None


NEEDS = "needs targets that are class indices in an array, integers (N,)"


@pytest.mark.parametrize(
    ("wanted", "train", "message"),
    [
        ((1.0, 2.0), source([0, 1, 2]), "holds 2 weights, but the targets have 3 classes"),
        ((1.0, 2.0, 3.0, 4.0), source([0, 1]), "holds 4 weights, but there are 3 classes"),
        ((1.0, -2.0), source([0, 1]), "must be finite numbers, none negative and not all zero, got [1.0, -2.0]"),
        ((1.0, np.inf), source([0, 1]), "must be finite numbers, none negative and not all zero, got [1.0, inf]"),
        ((1.0, np.nan), source([0, 1]), "must be finite numbers, none negative and not all zero, got [1.0, nan]"),
        ((0.0, 0.0), source([0, 1]), "must be finite numbers, none negative and not all zero, got [0.0, 0.0]"),
        ((1.0, 2.0), source([0.0, 1.0]), f"{NEEDS}, given float64 (2,)"),
        ("balanced", source([[0, 1], [1, 0]]), f"{NEEDS}, given int64 (2, 2)"),
        ("balanced", Stream(), f"{NEEDS}, given a stream"),
    ],
)
def test_weights_that_make_no_sense_are_refused(wanted: Any, train: Any, message: str) -> None:
    """Each refusal stands under the option's path."""
    with pytest.raises(ConfigError) as caught:
        class_weights(wanted, train, 3)
    assert str(caught.value) == f"train.class_weights: {message}"


def test_refused_data_leaves_the_model_as_it_was() -> None:
    """So that the right data can still be learned from."""
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=2)
    x, y = np.eye(2), np.array([0, 1])
    wrong = Dataset((x, y + 1), scale=(1.0, 2.0), classes=3, feature_names=("a", "b"))
    with pytest.raises(DataError):
        nnplug.Solver(model, wrong)
    assert (model.scale, model.classes, model.feature_names) == (None, None, None)
    nnplug.Solver(model, Dataset((x, y), scale=(0.0, 1.0)))
    assert model.scale == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_no_class_is_held_out_as_a_whole(seed: int) -> None:
    """One that has a single row is learned from."""
    y = np.array([0] * 5 + [1] + [2] * 4)
    kept, held = hold_out(Rows(np.zeros((10, 1)), y, None, np.dtype("f8"), None), 0.2, np.random.default_rng(seed))
    assert set(np.concatenate(list(kept.targets())).tolist()) == {0, 1, 2}
    assert 1 not in np.concatenate(list(held.targets()))
    alone = Rows(np.zeros((4, 1)), np.arange(4), None, np.dtype("f8"), None)
    with pytest.raises(DataError, match=r"a validation fraction .* of 0.25 of 4 rows is 0 rows; choose another one"):
        hold_out(alone, 0.25, np.random.default_rng(seed))


def test_wrong_classes_are_told_by_name() -> None:
    """A misspelt label is a class more, and no number says which."""
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=2)
    data = Dataset((np.eye(3)[:, :2], np.arange(3)), classes=3, class_names=("ja", "jaa", "nein"))
    with pytest.raises(DataError, match="the data's 3 classes are 'ja', 'jaa', 'nein'"):
        nnplug.Solver(model, data)


@pytest.mark.parametrize(("dtype", "told"), [("float32", True), ("float64", False)])
def test_a_column_that_rounding_makes_one_number_is_told(dtype: str, told: bool) -> None:
    """Seconds since 1970, of one minute: in float32 they are all the same."""
    x = np.stack([np.linspace(0, 1, 8), 1.7e9 + np.linspace(-30, 30, 8)], axis=1)
    data = Dataset((x, np.arange(8) % 2), feature_names=("a", "seconds"))
    for scale, warned in ((None, told), ((1.7e9, 1.0), False)):
        model = nnplug.build([{"type": "affine", "units": 2}], input_shape=2, dtype=dtype, scale=scale)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            nnplug.Solver(model, data)
        expected = "column 'seconds' of x goes from 1699999970 to 1700000030, too little for float32, which rounds it"
        assert [str(w.message).startswith(expected) for w in caught] == [True] * warned
