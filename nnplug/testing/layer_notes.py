"""The checks of what a layer notes in its context from one step to the next."""

from __future__ import annotations

from functools import partial

from nnplug.context import Context
from nnplug.streams import Streams
from nnplug.testing.arrays import Watch
from nnplug.testing.layer_cases import ROWS, LayerCase
from nnplug.testing.layer_memory import pass_in
from nnplug.testing.noted import hold_steady
from nnplug.testing.outcome import Failure
from nnplug.testing.rig import Rig

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


def notes_growth(case: LayerCase) -> None:
    """However many batches of a size pass, no more is noted than after the second."""
    for training in (True, False):
        rig = case.rig()
        ctx = rig.context(training=training)
        hold_steady(ctx, partial(_step, case, rig, ctx))


def _step(case: LayerCase, rig: Rig, ctx: Context, number: int) -> None:
    pass_in(rig, case.batch(number), ctx)


def handed_out(case: LayerCase) -> None:
    """What forward handed out stays as it is when forward is called again in the same context."""
    for training in (True, False):
        rig = case.rig()
        ctx = rig.context(training=training)
        out, cache = rig.forward(case.batch(0), ctx)
        watch, state = Watch(out=out, cache=cache), {path: array.copy() for path, array in rig.state.items()}
        rig.forward(case.batch(1), ctx)
        for path, array in state.items():
            rig.state[path][...] = array  # it may move, and the cache refer to it
        if changed := watch.changed():
            raise Failure(
                f"{changed} changes when forward is called again in the same context: it lies in an array that "
                "ctx.notes or the layer keeps; take a new one in every step, from ctx.empty, and note constants alone"
            )
