"""The step of Adam and AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from nnplug import Array, Step
from nnplug_numba._load import kernels


def adam_step(
    w: Array,
    dw: Array,
    slots: Mapping[str, Array],
    step: Step,
    beta1: float,
    beta2: float,
    eps: float,
    keep: float = 1.0,
) -> None:
    """Update ``w``, m and v in place; ``keep`` is what is left of w before Adam's own step.

    The slots hold ``m / (1 - beta1)`` and ``v / (1 - beta2)``, as the built-in's, so that all factors meet in two.
    """
    m_scale = (1 - beta1) / (1 - beta1**step.t)
    v_scale = sqrt((1 - beta2) / (1 - beta2**step.t))
    rate = step.learning_rate * m_scale / v_scale
    kernels().adam_step(w, dw, slots["m"], slots["v"], beta1, beta2, eps / v_scale, rate, keep)
