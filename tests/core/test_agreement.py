"""Targets are numbered as the model numbers its classes, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import DataError, Dataset
from nnplug.agreement import check_agreement, renumbered

X = np.eye(4)
NAMES = ("cat", "dog", "owl")


class Stream:
    """One batch."""

    rows = 4

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield it."""
        yield X, np.array([0, 1, 1, 0]), None


def test_targets_follow_the_names() -> None:
    """Arrays, weights and streams; what the data lacks leaves a gap."""
    weight = np.ones(4)
    data = Dataset((X, [0, 1, 1, 0], weight), test=Stream(), classes=2, class_names=("owl", "dog"))
    found = renumbered(data, NAMES)
    assert found.train[1].tolist() == [2, 1, 1, 2]
    assert found.train[2] is weight
    assert [y.tolist() for _, y, _ in found.test.batches(4, None)] == [[2, 1, 1, 2]]
    assert (found.classes, found.class_names, found.validation) == (3, NAMES, None)
    assert data.train[1] == [0, 1, 1, 0]


def test_a_class_called_by_a_number() -> None:
    """1 in one file may be 1.0 in another."""
    data = Dataset((X, [0, 1, 1, 0]), classes=2, class_names=("1.0", "3"))
    assert renumbered(data, ("1", "2", "3")).train[1].tolist() == [0, 2, 2, 0]


@pytest.mark.parametrize("names", [None, ("owl", "dog")])
def test_the_same_names_or_none_change_nothing(names: tuple[str, ...] | None) -> None:
    """Nothing is copied."""
    data = Dataset((X, [0, 1, 1, 0]), classes=2, class_names=("owl", "dog"))
    assert renumbered(data, names) is data
    nameless = Dataset((X, [0, 1, 1, 0]))
    assert renumbered(nameless, NAMES) is nameless


@pytest.mark.parametrize(
    ("y", "names", "told"),
    [
        (
            [0, 1, 1, 0],
            ("cat", "kitten"),
            "a class 'kitten', which the model does not know; it knows 'cat', 'dog', 'owl'",
        ),
        ([0, 1, 1, 2], ("owl", "dog"), "the data numbers its classes otherwise .* give \\(N,\\) integers from 0 to 1"),
        (np.eye(4)[:, :2], ("owl", "dog"), "the data numbers its classes otherwise"),
    ],
)
def test_what_cannot_be_renumbered(y: Any, names: tuple[str, ...], told: str) -> None:
    """Unknown classes, and targets that are no indices."""
    with pytest.raises(DataError, match=told):
        renumbered(Dataset((X, y), classes=2, class_names=names), NAMES)


def test_a_model_learns_on_with_its_own_numbers() -> None:
    """A Solver for a model that knows its classes takes data that lacks one of them."""
    model = nnplug.build([{"type": "affine", "units": 3}], input_shape=4, classes=3, class_names=NAMES)
    data = Dataset((X, [0, 1, 1, 0]), classes=2, class_names=("dog", "owl"))
    nnplug.Solver(model, data, update={"type": "sgd", "learning_rate": 1.0}, epochs=50, batch_size=4).fit()
    assert model.predict(X).tolist() == [1, 2, 2, 1]
    assert model.class_names == NAMES


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ("a", "c", "b", "d"),
            "the data has the model's features in another order; bring them into this one: 'a', 'b', ",
        ),
        (("a", "b", "c", "e"), "the data lacks 'd', which the model was made for"),
        (("a", "b", "c", "d", "e"), "the data has 'e', which the model was not made for"),
    ],
)
def test_other_features_are_refused(names: tuple[str, ...], told: str) -> None:
    """In evaluation and in further training; data that names none is believed."""
    known = ("a", "b", "c", "d")
    data = Dataset((X, [0, 1, 1, 0]), classes=2, feature_names=names)
    with pytest.raises(DataError) as caught:
        check_agreement(data, None, known)
    assert str(caught.value).startswith(told)
    check_agreement(data, None, names)
    check_agreement(data, None, None)
    check_agreement(Dataset((X, [0, 1, 1, 0])), None, known)
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=4, feature_names=known)
    with pytest.raises(DataError, match="model"):
        nnplug.Solver(model, data)


def test_a_scale_is_compared_by_its_numbers() -> None:
    """Whatever holds them."""
    data = Dataset((X, [0, 1, 1, 0]), scale=[0, np.float32(0.5)])  # type: ignore[arg-type]
    check_agreement(data, (0.0, 0.5), None)
    with pytest.raises(DataError, match=r"made for \(0.0, 0.25\)"):
        check_agreement(data, (0.0, 0.25), None)
    with pytest.raises(DataError, match="made for data that is not scaled"):
        check_agreement(data, None, None)
