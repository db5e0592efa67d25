"""The history of a run, and what callbacks see of it."""

from __future__ import annotations

import copy
import pickle
from math import isnan

import pytest

from nnplug import History, Run


def test_a_column_has_a_value_an_epoch() -> None:
    """Rows that lack the value show NaN, so that columns stay as long as the history."""
    history = History(epochs=[{"epoch": 1, "a": 0.5}, {"epoch": 2}, {"epoch": 3, "a": 0.25}])
    column = history.column("a")
    assert column[0] == 0.5
    assert isnan(column[1])
    assert column[2] == 0.25
    assert all(isnan(value) for value in history.column("nothing"))
    assert History().column("a") == []


def test_histories_share_nothing() -> None:
    """Each history has lists of its own."""
    first, second = History(), History()
    first.losses.append(1.0)
    first.epochs.append({"epoch": 1})
    assert (list(second.losses), second.epochs) == ([], [])


def test_losses_are_kept_in_eight_bytes_each() -> None:
    """A long run's losses are an array of doubles, not a list of objects."""
    history = History()
    history.losses.extend(0.1 * i for i in range(1000))
    assert history.losses.itemsize * len(history.losses) == 8000
    assert history.losses[3] == 0.1 * 3


def test_a_history_can_be_copied_and_pickled() -> None:
    """It is plain data."""
    history = History(epochs=[{"epoch": 1}], monitor="validation_loss")
    history.losses.append(0.5)
    assert copy.deepcopy(history) == history
    assert pickle.loads(pickle.dumps(history)) == history  # noqa: S301  (our own bytes)


@pytest.mark.parametrize(("reason", "told"), [("enough", "enough"), ("", "stopped")])
def test_asking_a_run_to_stop(reason: str, told: str) -> None:
    """The reason is told; a run stops without one, too."""
    run = Run(model=None, history=History(), total_steps=3, total_epochs=1)
    assert not run.stop_reason
    run.stop(reason)
    assert run.stop_reason == told


def test_a_run_shows_what_is_monitored() -> None:
    """What callbacks ask the run for is the history's."""
    history = History(monitor="validation_loss", higher_is_better=False)
    run = Run(model=None, history=history, total_steps=3, total_epochs=1)
    assert (run.monitor, run.higher_is_better) == ("validation_loss", False)
