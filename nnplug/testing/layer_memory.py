"""Checks of what a layer does to memory: its own, that of others, and that of its own past."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen

from nnplug.arena import Arena
from nnplug.context import Context
from nnplug.specs import Array
from nnplug.testing.arrays import PoisonedArena, Watch, close, read_only, scattered
from nnplug.testing.layer_cases import ROWS, LayerCase
from nnplug.testing.outcome import Failure, Skipped, sentence
from nnplug.testing.rig import Rig

FORGOTTEN = 1000.0  # what a gradient holds before it is assigned


@frozen
class Results:
    """Copies of everything one forward and one backward pass gave."""

    out: Array
    dx: Array | None
    grads: dict[str, Array]

    def difference(self, other: Results) -> str:
        """The name of the first thing in which they differ, or nothing."""
        if not close(self.out, other.out):
            return "out"
        if self.dx is not None and other.dx is not None and not close(self.dx, other.dx):
            return "dx"
        different = (path for path, grad in self.grads.items() if not close(grad, other.grads[path]))
        return next((f"the gradient of {path}" for path in different), "")


def pass_through(rig: Rig, x: Array, dout: Array | None = None, *, arena: Arena | None = None, **mode: Any) -> Results:
    """Forward and backward on one batch in a context of its own, from the rig's own state."""
    return pass_in(rig, x, rig.context(arena=arena, **mode), dout)


def pass_in(rig: Rig, x: Array, ctx: Context, dout: Array | None = None) -> Results:
    """Forward and backward on one batch in a context, from the rig's own state."""
    rig.reset()
    out, cache = rig.forward(x, ctx)
    kept = np.array(out)
    rig.fill_gradients(np.nan)
    dx = rig.backward(cache, rig.dout(out, 0) if dout is None else dout, ctx)
    return results(rig, kept, dx)


def results(rig: Rig, out: Array, dx: Array | None) -> Results:
    """What a pass gave, and what now stands in the gradients."""
    grads = {path: array.copy() for path, array in rig.grads_by_path.items()}
    return Results(out, None if dx is None else np.array(dx), grads)


def writes(case: LayerCase) -> None:
    """Neither x nor dout, neither parameters nor what is in the cache is written to, and state in training alone."""
    for training in (True, False):
        rig = case.rig()
        x, ctx = case.batch(0), rig.context(training=training)
        fixed = dict(rig.by_path) if training else {**rig.by_path, **rig.state}
        watch = Watch(x=x, params=fixed)
        out, cache = rig.forward(x, ctx)
        _complain("forward", watch.changed())
        dout = rig.dout(out, 0)
        watch = Watch(dout=dout, x=x, params={**rig.by_path, **rig.state}, cache=cache)
        rig.backward(cache, dout, ctx)
        _complain("backward", watch.changed())
    for training in (True, False):  # writing what is there already changes nothing, and is an error all the same
        rig = case.rig()
        rig.freeze(state=not training)
        ctx = rig.context(training=training)
        out, cache = rig.forward(read_only(case.batch(0)), ctx)
        rig.backward(cache, read_only(rig.dout(out, 0)), ctx)


def _complain(who: str, changed: str) -> None:
    if changed:
        cure = "compute into a new array, or into ctx.empty(shape), instead of x *= ..., out=x or x[mask] = 0"
        raise Failure(f"{who} writes to {changed}; {cure}")


def assigned_gradients(case: LayerCase) -> str:
    """Every element of every gradient is assigned, whatever was there before, and nothing beside it."""
    rig = case.rig()
    if not rig.grads_by_path:
        raise Skipped("the layer has no parameters")
    found = []
    for before in (0.0, FORGOTTEN, np.nan):
        ctx = rig.context()
        rig.reset()
        out, cache = rig.forward(case.batch(0), ctx)
        rig.fill_gradients(before)
        rig.backward(cache, rig.dout(out, 0), ctx)
        found.append({path: array.copy() for path, array in rig.grads_by_path.items()})
        if not rig.gaps_untouched():
            raise Failure("backward writes beside the gradients it was given; write into grads['W'][...] alone")
    for path, from_zero in found[0].items():
        from_much, from_nan = found[1][path], found[2][path]
        if np.array_equal(from_zero, from_much) and not np.isnan(from_nan).any():
            continue
        assign = f"write grads[{path!r}][...] = ..."
        if (from_much == FORGOTTEN).all():
            raise Failure(f"backward never assigns the gradient of {path}; {assign}")
        if close(from_much - FORGOTTEN, from_zero, 1e-6):
            raise Failure(f"the gradient of {path} is added to what was there (accumulated); {assign}, not +=")
        missing = int((from_much == FORGOTTEN).sum())
        raise Failure(
            f"the gradient of {path} depends on what was there before, {missing} of its {from_zero.size} elements are "
            f"never assigned; write all of it, with zeros where nothing arrives"
        )
    return f"{len(found[0])} gradients each"


def scratch_memory(case: LayerCase) -> str:
    """Scratch memory is written before it is read, and none is kept beyond its step."""
    rig, arena = case.rig(), PoisonedArena()
    x, other = case.batch(0, ROWS - 1), case.batch(1, ROWS - 3)  # sizes for which no earlier check left anything behind
    found = []
    for batch in (x, other, x):
        arena.start()
        found.append(pass_through(rig, batch.copy(), arena=arena))
    if name := found[0].difference(found[2]):
        raise Failure(
            f"{name} is another one in a later step on the same batch: an array of ctx.empty is kept beyond its step, "
            "when it belongs to somebody else"
        )
    if name := pass_through(rig, x.copy()).difference(found[0]):
        raise Failure(
            f"{name} is another one when ctx.empty gives memory full of NaN: something is read before it was written; "
            "ctx.empty is no ctx.zeros, fill it first"
        )
    recycled = Arena()
    for batch in (other, x):
        recycled.start(0)
        last = pass_through(rig, batch.copy(), arena=recycled)
    if name := found[0].difference(last):
        raise Failure(
            f"{name} is another one when ctx.empty gives memory that was used before; write it before reading"
        )
    return "uses ctx.empty" if arena.allocations else "does not use ctx.empty"


def between_calls(case: LayerCase) -> None:
    """Nothing is kept between calls: two batches may be on their way at once."""
    for rows in (ROWS, ROWS - 2):
        try:
            _interleave(case, case.batch(0), case.batch(1, rows))
        except Failure:
            raise
        except Exception as error:
            raise Failure(
                f"with a second batch of {rows} rows going forward in between, {sentence(error)}; {NOTHING_KEPT}"
            ) from error


NOTHING_KEPT = "whatever backward needs, forward must return in the cache"


def _interleave(case: LayerCase, x: Array, other: Array) -> None:
    """Forward, forward, backward, backward must give what forward, backward, forward, backward gives."""
    apart, mixed = case.rig(), case.rig()
    alone = [_step(apart, x.copy(), 0), _step(apart, other.copy(), 1)]
    contexts = [mixed.context(seed=0), mixed.context(seed=1)]
    out, cache = mixed.forward(x.copy(), contexts[0])
    kept = out.copy()
    out_other, cache_other = mixed.forward(other.copy(), contexts[1])
    if not np.array_equal(kept, out, equal_nan=True):
        raise Failure(
            "what forward returned changes when forward is called again: it writes into an array that it keeps; "
            "return a new array, or one from ctx.empty"
        )
    together = []
    for ctx, o, c, seed in ((contexts[0], out, cache, 0), (contexts[1], out_other, cache_other, 1)):
        mixed.fill_gradients(np.nan)
        together.append(results(mixed, o, mixed.backward(c, mixed.dout(o, seed), ctx)))
    for one, both in zip(alone, together, strict=True):
        if name := one.difference(both):
            raise Failure(
                f"{name} is another one when a second batch went forward in between: something is kept outside the "
                f"cache; {NOTHING_KEPT}"
            )


def _step(rig: Rig, x: Array, seed: int) -> Results:
    ctx = rig.context(seed=seed)
    out, cache = rig.forward(x, ctx)
    kept = out.copy()
    rig.fill_gradients(np.nan)
    return results(rig, kept, rig.backward(cache, rig.dout(out, seed), ctx))


def memory_layout(case: LayerCase) -> None:
    """The numbers count, not how they lie in memory: x and dout may be slices, or transposed."""
    rig = case.rig()
    x = case.batch(0)
    right = pass_through(rig, x.copy())
    dout = rig.dout(right.out, 0)
    for word, view in scattered(x):
        if name := right.difference(pass_through(rig, view, dout.copy())):
            raise Failure(f"{name} is another one when x is {word}; use shapes and axes, not the order in memory")
    for word, view in scattered(dout):
        if name := right.difference(pass_through(rig, x.copy(), view)):
            raise Failure(f"{name} is another one when dout is {word}; use shapes and axes, not the order in memory")
