"""The rule that divides rows into training and test."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins._hold_out import hold_out


def test_the_rule_never_changes() -> None:
    """These rows were chosen when the rule was written; other ones would change everybody's results."""
    train, test = hold_out(10, 0.3, seed=0)
    assert (train.tolist(), test.tolist()) == ([5, 8, 9, 7, 4, 0, 6], [1, 3, 2])
    train, test = hold_out(10, 0.3, seed=1)
    assert (train.tolist(), test.tolist()) == ([6, 8, 7, 5, 1, 0, 3], [9, 4, 2])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("labelled", [False, True])
def test_every_row_is_in_one_split(seed: int, labelled: bool) -> None:
    """No row is lost and none is in both, and the test split has the size asked for."""
    labels = np.random.default_rng(seed).integers(0, 7, 1003) if labelled else None
    train, test = hold_out(1003, 0.25, seed, labels)
    assert sorted([*train, *test]) == list(range(1003))
    assert len(test) == 251


@pytest.mark.parametrize("seed", range(5))
def test_classes_keep_their_proportions(seed: int) -> None:
    """Each class is cut at its exact share, rounded one way or the other."""
    labels = np.repeat([3, 0, 8], [500, 33, 7])
    _, test = hold_out(540, 0.2, seed, labels)
    counts = {label: int((labels[test] == label).sum()) for label in (3, 0, 8)}
    assert counts == {3: 100, 0: 7, 8: 1}  # 100, 6.6 and 1.4


def test_what_rounding_leaves_goes_to_the_classes_cut_most() -> None:
    """A hundred classes of two rows: a fifth of each is none, a fifth of all is forty."""
    labels = np.repeat(np.arange(100), 2)
    _, test = hold_out(200, 0.2, 0, labels)
    assert len(test) == 40
    assert np.bincount(labels[test]).max() == 1


def test_no_class_is_held_out_whole() -> None:
    """A class of one row stays in training, however much is held out."""
    train, _ = hold_out(11, 0.9, 0, np.array([0] * 10 + [1]))
    assert 10 in train


@pytest.mark.parametrize("seed", range(5))
def test_both_splits_are_shuffled(seed: int) -> None:
    """Sorted labels come out mixed from the first row to the last, in either split."""
    labels = np.repeat([0, 1], 5000)
    for split in hold_out(10000, 0.5, seed, labels):
        for part in np.split(labels[split], 5):
            assert 0.4 < part.mean() < 0.6


def test_too_few_rows_are_refused() -> None:
    """A test split without a row would fail much later, in evaluation."""
    with pytest.raises(DataError) as caught:
        hold_out(4, 0.1, 0)
    assert str(caught.value) == "a fraction of 0.1 of 4 rows is not a single row for the test split"
    with pytest.raises(DataError) as caught:
        hold_out(1, 0.9, 0)
    assert str(caught.value) == "a fraction of 0.9 of 1 rows is not a single row for the test split"
