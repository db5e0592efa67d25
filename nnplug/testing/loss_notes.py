"""The checks of what a loss notes in its context from one step to the next."""

from __future__ import annotations

from nnplug.context import Context
from nnplug.testing.arrays import CleanArena, Watch
from nnplug.testing.loss_cases import LossCase
from nnplug.testing.noted import hold_steady
from nnplug.testing.outcome import Failure


def notes_growth(case: LossCase) -> None:
    """However many batches of a size pass, no more is noted than after the second."""
    ctx = _context()
    hold_steady(ctx, lambda number: _step(case, ctx))


def handed_out(case: LossCase) -> None:
    """Losses and dscores stay as they are when the loss is computed again in the same context."""
    ctx = _context()
    losses, dscores = _step(case, ctx)
    watch = Watch(losses=losses, dscores=dscores)
    reordered = case.on(case.batch.take(slice(None, None, -1)))
    _step(reordered, ctx)
    if changed := watch.changed():
        raise Failure(
            f"{changed} change when value_and_grad is called again in the same context: they lie in an array that "
            "ctx.notes keep; take a new one in every step, from ctx.empty, and note constants alone"
        )


def _context() -> Context:
    return Context(training=True, arena=CleanArena())


def _step(case: LossCase, ctx: Context) -> tuple[object, object]:
    return case.loss.value_and_grad(case.batch.scores.copy(), case.batch.targets.copy(), ctx)
