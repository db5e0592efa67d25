"""The schedules: their values at known points, and that the history alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from math import cos, nan, pi

import pytest

from nnplug import History, NnplugError, Schedule
from nnplug_builtins.constant_schedule import ConstantSchedule
from nnplug_builtins.cosine import Cosine
from nnplug_builtins.exponential import Exponential
from nnplug_builtins.plateau import Plateau
from nnplug_builtins.step import StepSchedule


def history(values: Sequence[float], *, higher_is_better: bool = True) -> History:
    """A history with one epoch for each value of the monitored column."""
    epochs = [{"epoch": i + 1.0, "validation_score": value} for i, value in enumerate(values)]
    return History(epochs=epochs, monitor="validation_score", higher_is_better=higher_is_better)


def after(epochs: int) -> History:
    """A history of so many epochs, each better than the one before."""
    return history([0.1 * i for i in range(epochs)])


@pytest.mark.parametrize(
    "schedule",
    [
        ConstantSchedule(),
        Exponential(),
        Exponential(every=7),
        StepSchedule((2, 3)),
        Cosine(),
        Cosine(floor=0.1),
        Plateau(patience=1),
    ],
    ids=str,
)
def test_starts_at_one_and_never_rises(schedule: Schedule) -> None:
    """Every schedule begins with the full learning rate and goes nowhere but down, never below zero."""
    factors = [schedule.factor(step, 100, history([0.5] * (step // 20))) for step in range(100)]
    assert factors[0] == 1.0
    assert all(1.0 >= a >= b >= 0.0 for a, b in pairwise(factors))


def test_constant_stays_at_one() -> None:
    """Neither steps nor epochs change it."""
    assert ConstantSchedule().factor(99, 100, after(9)) == 1.0


@pytest.mark.parametrize(("epochs", "factor"), [(0, 1.0), (1, 0.5), (3, 0.125)])
def test_exponential_decays_once_an_epoch(epochs: int, factor: float) -> None:
    """Without ``every``, epochs count and steps do not."""
    assert Exponential(decay=0.5).factor(777, 1000, after(epochs)) == factor


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (9, 1.0), (10, 0.5), (19, 0.5), (35, 0.125)])
def test_exponential_decays_every_so_many_steps(step: int, factor: float) -> None:
    """With ``every``, steps count and epochs do not; in between the factor stays."""
    assert Exponential(decay=0.5, every=10).factor(step, 1000, after(4)) == factor


@pytest.mark.parametrize(("epochs", "factor"), [(0, 1.0), (4, 1.0), (5, 0.5), (7, 0.5), (8, 0.25), (100, 0.25)])
def test_step_drops_when_a_milestone_is_reached(epochs: int, factor: float) -> None:
    """With a milestone at 5, five epochs are trained at the full rate and the sixth at the lower one."""
    assert StepSchedule((5, 8), drop=0.5).factor(0, 1000, after(epochs)) == factor


@pytest.mark.parametrize("milestones", [(), (0, 5), (5, 5), (8, 5)], ids=str)
def test_step_refuses_milestones_out_of_order(milestones: tuple[int, ...]) -> None:
    """No milestone, one before the first epoch, the same twice, or falling: refused by name."""
    with pytest.raises(ValueError) as caught:
        StepSchedule(milestones)
    assert str(caught.value) == (
        f"'milestones' must be numbers of epochs in rising order, such as (5, 8), not {milestones}"
    )


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_cosine_is_half_a_wave(floor: float) -> None:
    """From 1 through the middle of the range at half time to the floor; beyond the end it stays there."""
    factor = Cosine(floor=floor).factor
    assert factor(50, 200, after(0)) == pytest.approx(floor + (1 - floor) * (1 + cos(pi / 4)) / 2, rel=1e-14)
    assert factor(100, 200, after(0)) == pytest.approx((1 + floor) / 2, rel=1e-14)
    assert factor(200, 200, after(0)) == factor(300, 200, after(0)) == floor
    assert factor(0, 0, after(0)) == floor


@pytest.mark.parametrize(
    ("values", "drops"),
    [
        ([], 0),
        ([0.5], 0),
        ([0.5, 0.4], 0),
        ([0.5, 0.4, 0.5], 1),  # as good is not better
        ([0.5, 0.4, 0.6, 0.6], 0),  # better in time
        ([0.5, 0.4, 0.4, 0.4], 1),  # the count begins anew
        ([0.5, 0.4, 0.4, 0.4, 0.4], 2),
        ([0.5, 0.4, 0.4, 0.6, 0.6, 0.6], 2),  # better again, and another plateau
        ([nan, nan], 1),
        ([0.5, nan, nan], 1),
        ([nan, 0.5, nan, 0.6], 0),
    ],
)
def test_plateau_drops_after_patience_runs_out(values: list[float], drops: int) -> None:
    """Two epochs in a row without improvement cost one drop, whichever direction is the better one."""
    schedule = Plateau(drop=0.5, patience=2)
    assert schedule.factor(0, 1000, history(values)) == 0.5**drops
    assert schedule.factor(0, 1000, history([-v for v in values], higher_is_better=False)) == 0.5**drops


def test_plateau_wants_improvements_of_min_delta() -> None:
    """Small progress counts as none, unless it adds up to ``min_delta`` against the best epoch."""
    schedule = Plateau(drop=0.5, patience=2, min_delta=0.1)
    assert schedule.factor(0, 1000, history([0.5, 0.55, 0.59])) == 0.5
    assert schedule.factor(0, 1000, history([0.5, 0.55, 0.61])) == 1.0


def test_plateau_stops_at_the_floor() -> None:
    """However many drops are due, the factor is at least ``floor``."""
    assert Plateau(drop=0.5, patience=1, floor=0.2).factor(0, 1000, history([0.5] * 9)) == 0.2


def test_plateau_keeps_nothing_and_changes_nothing() -> None:
    """The same history gives the same factor whatever was asked before, and is left as it was."""
    schedule, long = Plateau(patience=1), history([0.5] * 6)
    before = deepcopy(long)
    first = schedule.factor(0, 1000, long)
    assert schedule.factor(0, 1000, history([0.5])) == 1.0
    assert schedule.factor(5, 1000, long) == first < 1.0
    assert long == before


def test_plateau_without_a_monitor_says_what_to_do() -> None:
    """Without anything to watch it refuses to run rather than never drop."""
    with pytest.raises(NnplugError) as caught:
        Plateau().factor(0, 1000, History())
    assert str(caught.value) == (
        "the schedule 'plateau' watches a validation result, but nothing is monitored: give the data a validation "
        "split ([train] validation = 0.1), or take another schedule"
    )


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (Exponential, {"decay": 0.0}, "'decay' must be > 0: 0.0"),
        (Exponential, {"decay": 1.1}, "'decay' must be <= 1: 1.1"),
        (Exponential, {"every": 0}, "'every' must be >= 1: 0"),
        (StepSchedule, {"milestones": (1,), "drop": 2.0}, "'drop' must be <= 1: 2.0"),
        (Cosine, {"floor": -0.1}, "'floor' must be >= 0: -0.1"),
        (Cosine, {"floor": 1.5}, "'floor' must be <= 1: 1.5"),
        (Plateau, {"drop": 1.0}, "'drop' must be < 1: 1.0"),
        (Plateau, {"patience": 0}, "'patience' must be >= 1: 0"),
        (Plateau, {"min_delta": -1.0}, "'min_delta' must be >= 0: -1.0"),
        (ConstantSchedule, {"warmup": -1}, "'warmup' must be >= 0: -1"),
    ],
)
def test_options_out_of_range_are_refused(schedule: type[Schedule], options: dict[str, float], message: str) -> None:
    """A value that makes no sense is refused when the schedule is made, by its name."""
    with pytest.raises(ValueError) as caught:
        schedule(**options)
    assert str(caught.value) == message
