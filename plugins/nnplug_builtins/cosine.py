"""A learning rate that falls along half a cosine."""

from __future__ import annotations

from math import cos, pi

from attrs import field, frozen
from attrs.validators import ge, le

from nnplug import History, Schedule, hookimpl


@frozen
class Cosine(Schedule):
    """Half a cosine from 1 down to ``floor``: slow at first, steep in the middle, slow at the end.

        factor = floor + (1 - floor) * (1 + cos(pi * step / total)) / 2

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without the restarts.

    Args:
        floor: the factor that the last step comes close to, from 0 to 1.
    """

    floor: float = field(default=0.0, validator=[ge(0), le(1)])

    def factor(self, step: int, total: int, history: History) -> float:
        """Return the cosine's value at ``step`` of ``total``; ``floor`` after its end."""
        done = step / total if step < total else 1.0
        return self.floor + (1 - self.floor) * (1 + cos(pi * done)) / 2


@hookimpl
def nnplug_schedules() -> dict[str, type[Schedule]]:
    """Register ``cosine``."""
    return {"cosine": Cosine}
