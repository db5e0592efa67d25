"""What layers and losses keep in ctx.notes: nothing that grows, and nothing that is handed out."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import field, frozen

from nnplug import Layer, Plan, ShapeError
from nnplug.testing import check, examine
from nnplug_builtins.mse import Mse


@frozen
class Twice(Layer):
    """A good layer that notes a constant for each number of rows; those below note something else."""

    def plan(self, x):
        if x.dtype.kind != "f":
            raise ShapeError(f"needs floating-point samples, given {x}")
        return Plan(out=x)

    def forward(self, params, x, ctx):
        twos = ctx.notes.get(x.shape)
        if twos is None or twos.dtype != x.dtype:
            twos = ctx.notes[x.shape] = np.full(x.shape, 2, x.dtype)
        return twos * x, twos

    def backward(self, params, grads, cache, dout, ctx):
        return cache * dout


@frozen
class Appends(Twice):
    def forward(self, params, x, ctx):
        ctx.notes.setdefault("seen", []).append(None)
        return super().forward(params, x, ctx)


@frozen
class NewKeys(Twice):
    def forward(self, params, x, ctx):
        ctx.notes[len(ctx.notes)] = 1
        return super().forward(params, x, ctx)


@frozen
class LongerArray(Twice):
    def forward(self, params, x, ctx):
        ctx.notes["sizes"] = np.append(ctx.notes.get("sizes", []), x.size)
        return super().forward(params, x, ctx)


@frozen
class InBackward(Twice):
    def backward(self, params, grads, cache, dout, ctx):
        ctx.notes.setdefault("seen", set()).add(object())
        return super().backward(params, grads, cache, dout, ctx)


@frozen
class Around(Layer):
    """A composite whose child notes too much."""

    inner: Layer = field(factory=Appends)

    def plan(self, x):
        return Plan(out=x, children={"f": (self.inner, self.inner.plan(x))})

    def forward(self, params, x, ctx):
        return self.inner.forward(params["f"], x, ctx.child("f"))

    def backward(self, params, grads, cache, dout, ctx):
        return self.inner.backward(params["f"], grads["f"], cache, dout, ctx.child("f", ctx.need_dx))


def buffer(like, ctx):
    """An array that the context keeps from step to step."""
    kept = ctx.notes.get("buffer")
    if kept is None or kept.shape != like.shape or kept.dtype != like.dtype:
        kept = ctx.notes["buffer"] = np.empty_like(like)
    return kept


@frozen
class OutputInNotes(Twice):
    def forward(self, params, x, ctx):
        out, cache = super().forward(params, x, ctx)
        kept = buffer(out, ctx)
        kept[...] = out
        return kept, cache


@frozen
class CacheInNotes(Layer):
    """Mse, with x in an array that the next step overwrites."""

    def plan(self, x):
        return Twice().plan(x)

    def forward(self, params, x, ctx):
        kept = buffer(x, ctx)
        kept[...] = x
        return x * x, {"x": kept}

    def backward(self, params, grads, cache, dout, ctx):
        return 2 * cache["x"] * dout


@frozen
class AppendsLosses(Mse):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        ctx.notes.setdefault("losses", []).append(losses)
        return losses, dscores


@frozen
class GradientInNotes(Mse):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        kept = buffer(dscores, ctx)
        kept[...] = dscores
        return losses, kept


@pytest.mark.parametrize("cls", [Appends, NewKeys, LongerArray, InBackward, Around, AppendsLosses])
def test_notes_that_grow(cls):
    """A run of many steps would fill the memory."""
    (failed,) = examine(cls).components[0].having("failed")
    assert failed.check == "notes_growth"
    assert "ctx.notes grow with every batch" in failed.detail


@pytest.mark.parametrize(("cls", "what"), [(OutputInNotes, "out"), (CacheInNotes, "cache['x']")])
def test_what_is_handed_out_lies_in_no_note(cls, what):
    """Whoever holds it, such as a residual layer around, would see the next batch in it."""
    (failed,) = examine(cls).components[0].having("failed")
    assert failed.check == "handed_out"
    assert f"{what} changes when forward is called again in the same context" in failed.detail


def test_what_a_loss_hands_out_lies_in_no_note():
    """So with dscores."""
    (failed,) = examine(GradientInNotes).components[0].having("failed")
    assert failed.check == "handed_out"
    assert "dscores change when value_and_grad is called again in the same context" in failed.detail


def test_notes_for_each_number_of_rows_are_fine():
    """So is a constant in the cache."""
    check(Twice)
    check(Mse)
    check(Around, examples=[Around(Twice())])
