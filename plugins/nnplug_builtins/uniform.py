"""Parameters drawn evenly from an interval."""

from __future__ import annotations

from math import isfinite
from typing import Any

from attrs import field, frozen
from numpy.random import Generator

from nnplug import Array, Initializer, ParamSpec, hookimpl


def _finite(instance: Any, attribute: Any, value: float) -> None:
    if not isfinite(value):
        raise ValueError(f"'{attribute.name}' must be a finite number, not {value}")


def _above_low(instance: Any, attribute: Any, value: float) -> None:
    if not value > instance.low:
        raise ValueError(f"'high' must be above 'low', which is {instance.low}, not {value}")


@frozen
class Uniform(Initializer):
    """Uniform distribution: ``low <= W < high``, of standard deviation ``(high - low) / sqrt(12)``.

    Args:
        low: the lower end.
        high: the upper end.
    """

    low: float = field(default=-0.05, validator=_finite)
    high: float = field(default=0.05, validator=[_finite, _above_low])

    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        """Draw in float64 whatever the dtype, so that every dtype starts from the same numbers."""
        return rng.uniform(self.low, self.high, spec.shape).astype(dtype, copy=False)


@hookimpl
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Register ``uniform``."""
    return {"uniform": Uniform}
