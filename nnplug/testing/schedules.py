"""What is checked of a schedule."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import isfinite
from typing import Any

from attrs import frozen

from nnplug.contracts import Schedule
from nnplug.history import History
from nnplug.registry import Registry
from nnplug.testing.arrays import no_global_random
from nnplug.testing.outcome import Failure
from nnplug.testing.wording import brief

TOTALS = (1, 2, 10, 1000)


@frozen
class ScheduleCase:
    """A schedule in a run of so many steps."""

    schedule: Schedule
    total: int

    def __str__(self) -> str:
        return f"{brief(self.schedule)} in a run of {self.total} steps"

    @property
    def steps(self) -> list[int]:
        """The first, one in the middle, the last, and the one after it."""
        return sorted({0, 1, self.total // 2, self.total - 1, self.total})


def cases(schedule: Schedule, inputs: Sequence[Any], registry: Registry) -> list[ScheduleCase]:
    """Short and long runs.

    Raises:
        Failure: inputs were given.
    """
    if inputs:
        raise Failure("schedules take no inputs")
    return [ScheduleCase(schedule, total) for total in TOTALS]


def history(epochs: int) -> History:
    """A monitored history that gets better and then worse."""
    rows = [{"epoch": i + 1.0, "step": i + 1.0, "validation_accuracy": 1 - abs(i - 2) / 10} for i in range(epochs)]
    return History(epochs=rows, monitor="validation_accuracy")


def factors(case: ScheduleCase) -> str:
    """The factor is a finite number and not negative, at the first step, at the last, and after any history."""
    for epochs in (0, 1, 12):
        for step in case.steps:
            value = case.schedule.factor(step, case.total, history(epochs))
            if not isinstance(value, int | float):
                raise Failure(f"factor returned {type(value).__name__}, expected a float")
            if not isfinite(value) or value < 0:
                raise Failure(
                    f"the factor at step {step} of {case.total} is {value}; it must be finite and not negative"
                )
    first, last = (case.schedule.factor(s, case.total, history(1)) for s in (0, case.total - 1))
    return f"from {first:.3g} to {last:.3g}"


def pure(case: ScheduleCase) -> None:
    """The factor follows from step, total and history alone: asked again, and in another order, it is the same."""
    seen = history(12)
    before = copy.deepcopy(seen)
    with no_global_random():
        forth = [case.schedule.factor(step, case.total, seen) for step in case.steps]
        back = [case.schedule.factor(step, case.total, seen) for step in reversed(case.steps)]
    if forth != back[::-1]:
        raise Failure("the same step gives another factor when asked again; keep nothing, read everything off history")
    if seen != before:
        raise Failure("it changes the history, which is for reading alone")


CHECKS = (factors, pure)
ONE_OF = ("factors",)
