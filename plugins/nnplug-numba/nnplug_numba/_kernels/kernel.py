"""Kernels: loops over arrays that numba compiles when they are first called, and keeps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

# a * b + c may be one instruction. Sums keep their order, NaN and infinity their meaning, and 1 / 0 is infinite.
OPTIONS: Any = {"fastmath": {"contract"}, "error_model": "numpy", "nogil": True}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function when it is first called with arguments of some types, and keep the code on the disk.

    It is kept in NUMBA_CACHE_DIR, else in the ``__pycache__`` beside the source, else in the user's cache folder. Where
    none of these can be written to, a warning says so, and the code lasts as long as the process.
    """
    compiled: Callable[P, R]
    try:
        compiled = njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # what numba raises where it finds no folder
        warnings.warn(
            "nnplug-numba finds no folder to keep compiled code in, so every process compiles it again, which takes "
            "some seconds; let NUMBA_CACHE_DIR name a folder that can be written to",
            RuntimeWarning,
            stacklevel=1,
        )
        compiled = njit(**OPTIONS)(function)
    return compiled
