"""A learning rate that drops at chosen epochs."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Any

from attrs import field, frozen
from attrs.validators import gt, le

from nnplug import History, Schedule, hookimpl


def _rising(instance: Any, attribute: Any, value: tuple[int, ...]) -> None:
    if not value or value[0] < 1 or any(a >= b for a, b in pairwise(value)):
        raise ValueError(f"'milestones' must be numbers of epochs in rising order, such as (5, 8), not {value}")


@frozen
class StepSchedule(Schedule):
    """Steps down: the learning rate is multiplied with ``drop`` when as many epochs are done as a milestone says.

        factor = drop ** (milestones reached)

    Args:
        milestones: numbers of epochs, rising: with 5 and 8, epochs 6 to 8 come after one drop, later ones after two.
        drop: what the learning rate is multiplied with at each milestone, above 0 and at most 1.
    """

    milestones: tuple[int, ...] = field(validator=_rising)
    drop: float = field(default=0.1, validator=[gt(0), le(1)])

    def factor(self, step: int, total: int, history: History) -> float:
        """Return the power of ``drop`` that is due after the epochs in ``history``."""
        return self.drop ** bisect_right(self.milestones, len(history.epochs))


@hookimpl
def nnplug_schedules() -> dict[str, type[Schedule]]:
    """Register ``step``."""
    return {"step": StepSchedule}
