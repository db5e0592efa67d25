"""Files mapped into memory: whether an array is one, and asking for its rows before they are read."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from nnplug.specs import Array


def on_disk(x: Any) -> bool:
    """Whether x is a mapped file or a view of one, or no array but something that is read like one."""
    return not isinstance(x, np.ndarray) or mapping_of(x) is not None


def mapping_of(x: Array) -> mmap.mmap | None:
    """The mapping that an array is a view of."""
    base: Any = x
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def read_ahead(x: Any) -> Callable[[Array, int], None]:
    """A function that asks the system to read blocks of rows of x, and returns at once.

    It is given the numbers of the blocks, and the rows in one. Where the system or x cannot do it, it does nothing.
    """
    mapping = mapping_of(x) if isinstance(x, np.ndarray) and x.flags.c_contiguous else None
    if mapping is None or not hasattr(mmap, "MADV_WILLNEED"):
        return lambda blocks, size: None
    row = x.nbytes // len(x)
    first = x.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data

    def ask(blocks: Array, size: int) -> None:
        for start in np.sort(first + blocks * (size * row)).tolist():  # a disk likes ascending places
            page = start - start % mmap.PAGESIZE
            with suppress(OSError):  # it is advice; the rows can be read without it
                mapping.madvise(mmap.MADV_WILLNEED, page, min(start + size * row, len(mapping)) - page)

    return ask
