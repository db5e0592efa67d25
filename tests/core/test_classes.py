"""Targets are numbered as the model numbers its classes, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import DataError, Dataset
from nnplug.classes import renumbered

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
