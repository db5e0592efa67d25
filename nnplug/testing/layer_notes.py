"""The check of what a layer notes in its context from one step to the next."""

from __future__ import annotations

from nnplug.streams import Streams
from nnplug.testing.layer_cases import ROWS, LayerCase
from nnplug.testing.layer_memory import pass_in
from nnplug.testing.outcome import Failure

BATCHES = (ROWS, ROWS, ROWS - 2, ROWS)  # rows of each step


def notes(case: LayerCase) -> None:
    """A step in a context that has seen others, with other parameters and batches, is what it is in a new one."""
    rig, streams = case.rig(), Streams(0)
    old = rig.context(seed=streams)
    for number, rows in enumerate(BATCHES):
        new = rig.context(seed=streams.copy())
        fresh, again = (pass_in(rig, case.batch(number, rows), ctx) for ctx in (new, old))
        if name := fresh.difference(again):
            raise Failure(
                f"{name} depends on the steps before: ctx.notes, or the layer itself, holds what follows from neither "
                "shapes nor arguments, such as a count or the value of a parameter; state belongs into plan, as a "
                "StateSpec, and whatever depends on parameters is computed in every step"
            )
        for array in rig.by_path.values():
            array *= 1.25
