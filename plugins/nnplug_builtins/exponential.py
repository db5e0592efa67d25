"""A learning rate that shrinks by the same ratio again and again."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge, gt, le, optional

from nnplug import History, Schedule, hookimpl


@frozen
class Exponential(Schedule):
    """Exponential decay: ``decay`` to the power of the number of epochs done, or of every so many steps.

        factor = decay ** epochs    or    decay ** (step // every)

    Args:
        decay: what the learning rate is multiplied with each time, above 0 and at most 1.
        every: after how many steps; default: after each epoch.
    """

    decay: float = field(default=0.95, validator=[gt(0), le(1)])
    every: int | None = field(default=None, validator=optional(ge(1)))

    def factor(self, step: int, total: int, history: History) -> float:
        """Return the power of ``decay`` that is due at ``step``."""
        times = len(history.epochs) if self.every is None else step // self.every
        return self.decay**times


@hookimpl
def nnplug_schedules() -> dict[str, type[Schedule]]:
    """Register ``exponential``."""
    return {"exponential": Exponential}
