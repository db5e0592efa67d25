"""How much a context's notes hold, and that it stays as much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nnplug.context import Context
from nnplug.testing.outcome import Failure

STEPS = 6  # of which the first two may note something


def hold_steady(ctx: Context, step: Callable[[int], object]) -> None:
    """Take some steps in a context.

    Args:
        ctx: the context.
        step: does one step, given its number, on a batch of always the same size.

    Raises:
        Failure: more is noted after the last one than after the second.
    """
    noted = []
    for number in range(STEPS):
        step(number)
        noted.append(sum(weight(each.notes) for each in _with_children(ctx)))
    if noted[-1] > noted[1]:
        raise Failure(
            f"ctx.notes grow with every batch, from {noted[1]} numbers and entries after the second to {noted[-1]} "
            f"after {STEPS}; note what serves the next batch as well, under a key that it finds again, and let it take "
            "the place of what was there"
        )


def weight(value: Any) -> int:
    """How much a note holds: entries of mappings and lists, and the elements of arrays."""
    if isinstance(value, np.ndarray):
        return 1 + value.size
    if isinstance(value, Mapping):
        return 1 + sum(weight(item) for item in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return 1 + sum(weight(item) for item in value)
    return 1


def _with_children(ctx: Context) -> Iterator[Context]:
    yield ctx
    for child in (*ctx._needing.values(), *ctx._others.values()):
        yield from _with_children(child)
