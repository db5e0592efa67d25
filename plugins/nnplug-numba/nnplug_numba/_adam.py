"""The step of Adam and AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from nnplug import Array, Step
from nnplug_numba._kernel import kernel
from nnplug_numba._subnormal import without_subnormal


@kernel
def _step(
    w: Array, dw: Array, m: Array, v: Array, beta1: float, beta2: float, eps: float, rate: float, keep: float
) -> None:
    number = w.dtype.type
    b1, b2, small, step, kept = number(beta1), number(beta2), number(eps), number(rate), number(keep)
    for i in range(w.size):
        m[i] = without_subnormal(b1 * m[i] + dw[i])
        v[i] = without_subnormal(b2 * v[i] + dw[i] * dw[i])
        w[i] = kept * w[i] - m[i] / (np.sqrt(v[i]) + small) * step


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
    _step(w, dw, slots["m"], slots["v"], beta1, beta2, eps / v_scale, rate, keep)
