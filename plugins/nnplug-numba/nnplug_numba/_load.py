"""Where the compiled functions come from."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def kernels() -> Any:
    """The module of everything compiled; imported when something is first computed, for it brings in numba."""
    from nnplug_numba import _kernels

    return _kernels
