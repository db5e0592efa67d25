"""A learning rate that stays as it is."""

from __future__ import annotations

from attrs import frozen

from nnplug import History, Schedule, hookimpl


@frozen
class ConstantSchedule(Schedule):
    """The learning rate as given, from the end of the warm-up to the end of training: factor 1."""

    def factor(self, step: int, total: int, history: History) -> float:
        """Return 1."""
        return 1.0


@hookimpl
def nnplug_schedules() -> dict[str, type[Schedule]]:
    """Register ``constant``."""
    return {"constant": ConstantSchedule}
