"""Promises: which layer or loss gave something else than it promised, where a step fails far from it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from nnplug.chain import Chain, outputs
from nnplug.context import Context
from nnplug.contracts import Layer
from nnplug.naming import fault_of
from nnplug.network import Network
from nnplug.specs import Array, ArraySpec, Params, Plan
from nnplug.streams import Streams

FINDS = "; `nnplug check` finds such faults"


def broken_promise(network: Network, x: Array, targets: Array) -> str:
    """What the first layer or loss that does not keep to its contract gives for a batch, in words; "" if all do."""
    try:
        return next(_broken(network, x, targets), "")
    except Exception:
        return ""  # a layer that fails on what was promised is at fault itself, and its error says so


def _broken(network: Network, x: Array, targets: Array) -> Iterator[str]:
    rows, ctx, buffers = len(x), network.context(Streams(), training=True), network.buffers.twin()
    forward: Iterator[tuple[str, Any]] = outputs(network.layer, buffers.params, x, ctx)
    for path, out in forward:
        layer, plan = _planned(network.layer, network.plan, path)
        if not _is(out, rows, plan.out):
            told = f"the layer {path} put out {_given(out)}, where its plan promised {_wanted(rows, plan.out)}"
            yield f"{told}: {fault_of(layer)}{FINDS}"
    scores, cache = network.layer.forward(buffers.params, x, ctx)
    dscores: Any = network.loss.value_and_grad(scores, targets, ctx)[1]
    if not _is(dscores, rows, network.plan.out):
        told = f"the loss gave dscores {_given(dscores)} for scores {_wanted(rows, network.plan.out)}"
        yield f"{told}: {fault_of(network.loss)}{FINDS}"
    given = ArraySpec(x.shape[1:], x.dtype)
    for path, layer, dx, spec in _gradients(
        network.layer, network.plan, buffers.params, buffers.grads, cache, dscores, given, ctx
    ):
        if not _is(dx, rows, spec):
            told = f"the backward of the layer {path} gave dx {_given(dx)} for x {_wanted(rows, spec)}"
            yield f"{told}: {fault_of(layer)}{FINDS}"


def _gradients(
    layer: Layer, plan: Plan, params: Params, grads: Params, cache: Any, dout: Any, given: ArraySpec, ctx: Context
) -> Generator[tuple[str, Layer, Any, ArraySpec], None, Any]:
    """Run back through a layer and yield path, layer, dx and what dx has to be like, of all whose dx is used."""
    if not isinstance(layer, Chain):
        dx = layer.backward(params, grads, cache, dout, ctx)
        if ctx.need_dx:
            yield ctx.path, layer, dx, given
        return dx
    below = [given, *(planned.out for _, planned in plan.children.values())]
    for i, (name, child) in reversed([*enumerate(layer.children)]):
        inside, planned = ctx.child(name, ctx.need_dx or i > 0), plan.children[name][1]
        dout = yield from _gradients(child, planned, params[name], grads[name], cache[i], dout, below[i], inside)
    return dout


def _is(array: Any, rows: int, spec: ArraySpec) -> bool:
    return isinstance(array, np.ndarray) and array.shape == (rows, *spec.shape) and array.dtype == spec.dtype


def _given(array: Any) -> str:
    return f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__


def _wanted(rows: int, spec: ArraySpec) -> str:
    return f"{(rows, *spec.shape)} {spec.dtype}"


def _planned(layer: Layer, plan: Plan, path: str) -> tuple[Layer, Plan]:
    for name in path.split("."):
        layer, plan = plan.children[name]
    return layer, plan
