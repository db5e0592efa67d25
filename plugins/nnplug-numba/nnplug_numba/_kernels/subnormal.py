"""What keeps the slots of update rules out of the subnormal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnplug_numba._kernels.kernel import kernel


@kernel
def without_subnormal(number: Any) -> Any:
    """The number, or zero where it is so small that the processor slows down on it; NaN stays NaN.

    Where gradients stay zero, means of them would shrink that far and get stuck there.
    """
    return number if abs(number) >= np.finfo(number).tiny else number - number
