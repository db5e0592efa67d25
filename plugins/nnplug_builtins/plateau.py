"""A learning rate that drops when training no longer gets better."""

from __future__ import annotations

from math import inf

from attrs import field, frozen
from attrs.validators import ge, gt, le, lt

from nnplug import History, NnplugError, Schedule, hookimpl


@frozen
class Plateau(Schedule):
    """Drops the learning rate whenever the monitored column of the history has not improved for some epochs.

    The factor follows from the history alone, so a run that is resumed goes on as if it had not stopped.

    Args:
        drop: what the learning rate is multiplied with each time, above 0 and below 1.
        patience: how many epochs in a row without improvement lead to a drop; then the count begins anew.
        min_delta: by how much an epoch must be better than the best one before to count as an improvement.
        floor: the smallest factor, from 0 to 1.
    """

    drop: float = field(default=0.1, validator=[gt(0), lt(1)])
    patience: int = field(default=3, validator=ge(1))
    min_delta: float = field(default=0.0, validator=ge(0))
    floor: float = field(default=0.0, validator=[ge(0), le(1)])

    def factor(self, step: int, total: int, history: History) -> float:
        """Return the factor after the epochs in ``history``; NaN is no improvement.

        Raises:
            NnplugError: nothing is monitored.
        """
        if history.monitor is None:
            raise NnplugError(
                "the schedule 'plateau' watches a validation result, but nothing is monitored: give the data a "
                "validation split ([train] validation = 0.1), or take another schedule"
            )
        sign = 1.0 if history.higher_is_better else -1.0
        drops, waited, target = 0, 0, -inf
        for value in history.column(history.monitor):
            if sign * value > target:
                target, waited = sign * value + self.min_delta, 0
            else:
                waited += 1
                if waited == self.patience:
                    drops, waited = drops + 1, 0
        return max(self.drop**drops, self.floor)


@hookimpl
def nnplug_schedules() -> dict[str, type[Schedule]]:
    """Register ``plateau``."""
    return {"plateau": Plateau}
