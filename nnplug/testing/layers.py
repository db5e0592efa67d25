"""What is checked of a layer."""

from __future__ import annotations

import numpy as np

from nnplug.testing.arrays import Watch, close, no_global_random
from nnplug.testing.layer_cases import LayerCase, layer_cases
from nnplug.testing.layer_gradients import input_gradient, need_dx, parameter_gradients
from nnplug.testing.layer_memory import (
    assigned_gradients,
    between_calls,
    memory_layout,
    pass_through,
    scratch_memory,
    writes,
)
from nnplug.testing.layer_notes import handed_out, notes, notes_growth
from nnplug.testing.layer_precision import float32, float64
from nnplug.testing.outcome import Failure, Skipped, count
from nnplug.testing.rig import NAME, RecordingContext


def plan(case: LayerCase) -> None:
    """Forward and backward run in both modes, and give arrays of the shape and dtype that plan promised."""
    rig = case.rig()
    promised = rig.plan.out
    for training in (True, False):
        x, ctx = case.batch(0), rig.context(training=training)
        out, cache = rig.forward(x, ctx)
        expected = (len(x), *promised.shape)
        if out.shape != expected:
            raise Failure(f"forward returned shape {out.shape} for {len(x)} rows, plan promised {expected}")
        same = out.dtype == promised.dtype if case.floating else out.dtype.kind == promised.dtype.kind
        if not same:
            raise Failure(f"forward returned {out.dtype} for a {x.dtype} batch, plan promised {promised.dtype}")
        dx = rig.backward(cache, rig.dout(out, 0), ctx)
        if case.floating and dx is not None and dx.shape != x.shape:
            raise Failure(f"backward returned shape {dx.shape} for x of shape {x.shape}; dx has the shape of x")


def same_seed(case: LayerCase) -> None:
    """The same seed gives the same result, and no global random generator is touched."""
    with no_global_random("take random numbers from ctx.rng"):
        first, second = (pass_through(case.rig(), case.batch(0), seed=3) for _ in range(2))
    if name := first.difference(second):
        raise Failure(f"{name} is another one each time with the same seed; take random numbers from ctx.rng")


def inference(case: LayerCase) -> None:
    """Outside training the result does not depend on chance, and state stays as it is."""
    rig = case.rig()
    x = case.batch(0)
    rig.settle(x.copy())
    watch = Watch(state=rig.state)
    outs = [pass_through(rig, x.copy(), training=False, seed=seed).out for seed in (0, 1)]
    if changed := watch.changed():
        raise Failure(f"{changed} is changed where ctx.training is false; running statistics move in training alone")
    if not np.array_equal(outs[0], outs[1], equal_nan=True):
        raise Failure("out depends on chance where ctx.training is false; draw random numbers in training alone")


def rows(case: LayerCase) -> None:
    """Outside training each row's result is its own, whatever the other rows of the batch are."""
    rig = case.rig()
    x = case.batch(0)
    rig.settle(x.copy())
    together, _ = rig.forward(x.copy(), rig.context(training=False))
    together = together.copy()
    for i in (0, len(x) - 1):
        alone, _ = rig.forward(x[i : i + 1].copy(), rig.context(training=False))
        if not close(alone[0], together[i]):
            raise Failure(
                f"outside training, row {i} gives another result alone than in a batch of {len(x)}; "
                "statistics of the batch are for training, use running ones (state) in inference"
            )


def children(case: LayerCase) -> str:
    """A composite runs each child with the context of the name it planned it under."""
    rig = case.rig()
    planned = set(rig.plan.children)
    if not planned:
        raise Skipped("the layer plans no children")
    learning = {path.partition(".")[0] for path in rig.grads_by_path} & planned
    forward: set[str] = set()
    backward: set[str] = set()
    for training in (True, False):
        down, up = (RecordingContext(training=training, path=NAME) for _ in range(2))
        out, cache = case.layer.forward(rig.params, case.batch(0), down)
        case.layer.backward(rig.params, rig.grads, cache, rig.dout(out, 0), up)
        forward |= down.asked
        backward |= up.asked
    for who, unheard in (("forward", planned - forward), ("backward", learning - backward)):
        for name in sorted(unheard):
            raise Failure(
                f"plan names the child {name!r}, but {who} never asks for ctx.child({name!r}); call "
                f"child.forward(params[{name!r}], x, ctx.child({name!r})), and likewise backward"
            )
    return count(len(planned), "planned child", "planned children")


CHECKS = (
    plan,
    same_seed,
    float64,
    parameter_gradients,
    input_gradient,
    need_dx,
    assigned_gradients,
    writes,
    scratch_memory,
    between_calls,
    memory_layout,
    notes,
    notes_growth,
    handed_out,
    float32,
    inference,
    rows,
    children,
)
NEEDS = {  # what compares two passes, or takes differences, would blame something else for chance and rounding
    "parameter_gradients": ("same_seed", "float64"),
    "input_gradient": ("same_seed", "float64"),
    **dict.fromkeys(("need_dx", "assigned_gradients", "scratch_memory", "between_calls"), ("same_seed",)),
    **dict.fromkeys(("memory_layout", "notes", "rows"), ("same_seed",)),
}
ONE_OF = ("parameter_gradients", "input_gradient")  # without any of these nothing was checked that matters

cases = layer_cases
