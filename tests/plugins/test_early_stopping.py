"""Early stopping: when it ends a run, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import pytest

from nnplug import History, NnplugError, Run
from nnplug_builtins.early_stopping import EarlyStopping


def run_of(values: Sequence[float], *, higher_is_better: bool = True) -> Run:
    """A run that has one epoch for each value of what it monitors."""
    name = "validation_accuracy" if higher_is_better else "validation_loss"
    epochs = [{"epoch": i + 1.0, name: value} for i, value in enumerate(values)]
    history = History(epochs=epochs, monitor=name, higher_is_better=higher_is_better)
    return Run(None, history, total_steps=100, total_epochs=10)


def stopped_after(callback: EarlyStopping, values: Sequence[float], *, higher_is_better: bool = True) -> int | None:
    """The number of epochs after which the callback ends the run, or None if it never does."""
    callback.start(run_of([], higher_is_better=higher_is_better))
    for epochs in range(1, len(values) + 1):
        run = run_of(values[:epochs], higher_is_better=higher_is_better)
        callback.epoch(run)
        if run.stop_reason:
            return epochs
    return None


@pytest.mark.parametrize(
    ("values", "epochs"),
    [
        ([0.1, 0.2, 0.3, 0.4], None),
        ([0.5, 0.4, 0.4], None),
        ([0.5, 0.4, 0.4, 0.4], 4),
        ([0.5, 0.5, 0.5, 0.5], 4),  # as good is not better
        ([0.5, 0.4, 0.4, 0.6, 0.5, 0.5, 0.5], 7),  # an improvement begins the count anew
        ([0.5, nan, nan, nan], 4),
        ([nan, nan, nan], 3),
        ([nan, nan, 0.5, nan, nan, 0.6], None),
        ([-inf, -inf, -inf], 3),
    ],
)
def test_stops_after_patience_runs_out(values: list[float], epochs: int | None) -> None:
    """Three epochs in a row without improvement end the run, whichever direction is the better one."""
    assert stopped_after(EarlyStopping(patience=3), values) == epochs
    assert stopped_after(EarlyStopping(patience=3), [-v for v in values], higher_is_better=False) == epochs


@pytest.mark.parametrize(
    ("values", "epochs"), [([0.5, 0.55, 0.59], 3), ([0.5, 0.55, 0.61], None), ([0.5, 0.61, 0.7, 0.7], 4)]
)
def test_wants_improvements_of_min_delta(values: list[float], epochs: int | None) -> None:
    """Small progress counts as none, unless it adds up to ``min_delta`` against the best epoch."""
    assert stopped_after(EarlyStopping(patience=2, min_delta=0.1), values) == epochs


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (
            run_of([0.9, 0.95, 0.97, 0.97312, 0.973, 0.9, 0.973]),
            "no improvement of validation_accuracy over 0.9731 (epoch 4) for 3 epochs",
        ),
        (
            run_of([0.3, 0.25, 0.26, 0.27, 0.28], higher_is_better=False),
            "no improvement of validation_loss over 0.25 (epoch 2) for 3 epochs",
        ),
        (run_of([nan, nan, nan]), "no improvement of validation_accuracy at all for 3 epochs"),
    ],
)
def test_reason_is_a_sentence_a_person_understands(run: Run, reason: str) -> None:
    """What was watched, how good it got, when, and how long ago."""
    EarlyStopping(patience=3).epoch(run)
    assert run.stop_reason == reason


def test_one_epoch_of_patience() -> None:
    """A single epoch is told in the singular."""
    run = run_of([0.5, 0.4])
    EarlyStopping(patience=1).epoch(run)
    assert run.stop_reason == "no improvement of validation_accuracy over 0.5 (epoch 1) for 1 epoch"


def test_resumed_run_stops_where_the_whole_one_does() -> None:
    """The history decides: a new callback that joins after the second epoch stops at the same one."""
    values = [0.5, 0.4, 0.4, 0.4]
    resumed = EarlyStopping(patience=3)
    resumed.start(run_of(values[:2]))
    run = run_of(values)
    resumed.epoch(run)
    assert run.stop_reason == "no improvement of validation_accuracy over 0.5 (epoch 1) for 3 epochs"
    assert EarlyStopping().state() == {}


def test_nothing_to_watch_is_an_error_before_training() -> None:
    """Without a monitored result it refuses to start, rather than never stop."""
    with pytest.raises(NnplugError) as caught:
        EarlyStopping().start(Run(None, History(), total_steps=100, total_epochs=10))
    assert str(caught.value) == (
        "early_stopping watches a validation result, but nothing is monitored: give the data a validation split "
        "([train] validation = 0.1), or leave early_stopping out"
    )


def test_options_out_of_range_are_refused() -> None:
    """Patience counts epochs from one; a negative ``min_delta`` would call getting worse an improvement."""
    with pytest.raises(ValueError, match=r"^'patience' must be >= 1: 0$"):
        EarlyStopping(patience=0)
    with pytest.raises(ValueError, match=r"^'min_delta' must be >= 0: -0\.1$"):
        EarlyStopping(min_delta=-0.1)
