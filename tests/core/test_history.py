"""The history of a run, and what callbacks see of it."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from math import isnan

import numpy as np
import pytest

from nnplug import History, NnplugError, Run
from nnplug.history import ROOM


def test_a_column_has_a_value_an_epoch() -> None:
    """Rows that lack the value show NaN, so that columns stay as long as the history."""
    history = History(epochs=[{"epoch": 1, "a": 0.5}, {"epoch": 2}, {"epoch": 3, "a": 0.25}])
    column = history.column("a")
    assert column[0] == 0.5
    assert isnan(column[1])
    assert column[2] == 0.25
    with pytest.raises(NnplugError, match=r"^the history has no column 'b'; there are epoch, a$"):
        history.column("b")
    assert History().column("a") == []


def test_histories_share_nothing() -> None:
    """Each history has lists of its own."""
    losses = np.array([0.5])
    first, second, third = History(), History(), History(losses=losses)
    first.record(1.0)
    first.epochs.append({"epoch": 1})
    losses[0] = 9
    assert (list(second.losses), second.epochs) == ([], [])
    assert list(third.losses) == [0.5]


def test_losses_are_kept_in_eight_bytes_each() -> None:
    """A long run's losses are doubles, not a list of objects; what was noted stays as more memory is taken."""
    history = History(losses=[9.0])
    for i in range(ROOM + 10):
        history.record(0.1 * i)
    assert (history.losses.itemsize, history.losses.nbytes) == (8, 8 * (ROOM + 11))
    assert (history.losses[0], history.losses[4], history.losses[-1]) == (9.0, 0.1 * 3, 0.1 * (ROOM + 9))


@pytest.mark.parametrize(("planned", "taken"), [(1000, 1000), (ROOM, ROOM), (10**15, ROOM)])
def test_memory_for_the_losses_to_come_is_taken_at_once(planned: int, taken: int) -> None:
    """A run takes it at its start, and noting a loss takes none; but what is planned may never come."""
    history = History()
    tracemalloc.start()
    try:
        history.reserve(planned)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(min(taken, 10_000)):
            history.record(1.0)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 8 * taken <= before < 8 * taken + 2000
    assert max(after, peak) < 8 * taken * 2 + 4000  # the peak is that of `reserve`
    assert after - before < 1000
    assert list(history.losses[:2]) == [1.0, 1.0]


def test_a_history_can_be_copied_and_pickled() -> None:
    """It is plain data, and `as_dict` is what its file holds."""
    history = History(epochs=[{"epoch": 1}], monitor="validation_loss")
    history.reserve(10)
    history.record(0.5)
    wanted = {
        "losses": [0.5],
        "epochs": [{"epoch": 1}],
        "monitor": "validation_loss",
        "higher_is_better": True,
        "best_epoch": None,
        "stopped": "",
        "unfinished": False,
        "signal": 0,
        "train_seconds": 0.0,
    }
    assert copy.deepcopy(history) == history == History(losses=[0.5], epochs=[{"epoch": 1}], monitor="validation_loss")
    assert history != History(losses=[0.25], epochs=[{"epoch": 1}], monitor="validation_loss")
    assert history.as_dict() == wanted
    assert pickle.loads(pickle.dumps(history)).as_dict() == wanted  # noqa: S301  (our own bytes)


@pytest.mark.parametrize(
    ("history", "shown"),
    [
        (History(), "<History 0 epochs, 0 steps: not begun>"),
        (History(losses=[0.5], epochs=[{"epoch": 1}]), "<History 1 epoch, 1 step: not ended>"),
        (
            History(losses=np.ones(1640), epochs=[{}] * 40, monitor="validation_accuracy", best_epoch=9),
            "<History 40 epochs, 1,640 steps, best epoch 9 by validation_accuracy: not ended>",
        ),
        (History(monitor="validation_loss", stopped="failed"), "<History 0 epochs, 0 steps: failed>"),
    ],
)
def test_a_history_shows_itself_in_a_line(history: History, shown: str) -> None:
    """A notebook shows how far it came, not every row; room reserved for losses to come is none of them."""
    history.reserve(2000)
    assert repr(history) == shown


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
