"""The check of what a layer notes in its context from one step to the next."""

from __future__ import annotations

from nnplug.context import Context
from nnplug.specs import Array
from nnplug.streams import Streams
from nnplug.testing.layer_cases import ROWS, LayerCase
from nnplug.testing.layer_memory import Results, results
from nnplug.testing.outcome import Failure
from nnplug.testing.rig import Rig

BATCHES = (ROWS, ROWS, ROWS - 2, ROWS)  # rows of each step


def notes(case: LayerCase) -> None:
    """A step in a context that has seen others, with other parameters and batches, is what it is in a new one."""
    rig, streams = case.rig(), Streams(0)
    old = rig.context(seed=streams)
    for number, rows in enumerate(BATCHES):
        new = rig.context(seed=streams.copy())
        fresh, again = (_step(rig, case.batch(number, rows), ctx) for ctx in (new, old))
        if name := fresh.difference(again):
            raise Failure(
                f"{name} depends on the steps before: ctx.notes, or the layer itself, holds what follows from neither "
                "shapes nor arguments, such as a count or the value of a parameter; state belongs into plan, as a "
                "StateSpec, and whatever depends on parameters is computed in every step"
            )
        for array in rig.by_path.values():
            array *= 1.25


def _step(rig: Rig, x: Array, ctx: Context) -> Results:
    """One forward and one backward pass from the rig's own state."""
    rig.reset()
    out, cache = rig.forward(x, ctx)
    kept = out.copy()
    return results(rig, kept, rig.backward(cache, rig.dout(out, 0), ctx))
