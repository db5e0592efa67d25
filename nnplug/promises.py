"""Promises: which layer or loss gave something else than it promised, where a step fails far from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.chain import Chain
from nnplug.context import Context
from nnplug.contracts import Layer
from nnplug.errors import PluginError
from nnplug.naming import fault_of
from nnplug.specs import Array, ArraySpec, Params, Plan
from nnplug.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from nnplug.network import Network

FINDS = "; `nnplug check` finds such faults"


def broken_promise(network: Network, x: Array, targets: Array | None, *, training: bool) -> str:
    """What the first layer or loss that does not keep to its contract gives for a batch, in words; "" if all do.

    Args:
        network: has failed.
        x: the batch it failed on.
        targets: None where it was to compute no loss.
        training: whether it was to train.
    """
    try:
        _run_again(network, x, targets, network.context(Streams(), training=training))
    except PluginError as broken:
        return str(broken)
    except Exception:
        return ""  # a layer that fails on what was promised is at fault itself, and its error says so
    return ""


def _run_again(network: Network, x: Array, targets: Array | None, ctx: Context) -> None:
    buffers = network.buffers.twin()
    scores, cache = _forward(network.layer, network.plan, buffers.params, x, ctx)
    if targets is None:
        return
    dscores: Any = network.loss.value_and_grad(scores, targets, ctx)[1]
    if not _is(dscores, len(x), network.plan.out):
        wanted = _wanted(len(x), network.plan.out)
        raise _fault("the loss", network.loss, f"gave dscores {_given(dscores)} for scores {wanted}")
    given = ArraySpec(x.shape[1:], x.dtype)
    _backward(network.layer, network.plan, buffers.params, buffers.grads, cache, dscores, given, ctx)


def _forward(layer: Layer, plan: Plan, params: Params, x: Array, ctx: Context) -> tuple[Any, Any]:
    """What a layer's ``forward`` returns; of chains, every layer inside is looked at."""
    if isinstance(layer, Chain):
        caches = []
        for name, child in layer.children:
            x, cache = _forward(child, plan.children[name][1], params[name], x, ctx.child(name))
            caches.append(cache)
        return x, caches
    fault = partial(_fault, f"the layer {ctx.path}", layer)
    returned: Any = layer.forward(_Views(params, "params", fault), x, ctx)
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise fault(f"returned {_given(returned)} from forward, which must return two things: `return out, cache`")
    if not _is(returned[0], len(x), plan.out):
        raise fault(f"put out {_given(returned[0])}, where its plan promised {_wanted(len(x), plan.out)}")
    return returned[0], returned[1]


def _backward(
    layer: Layer, plan: Plan, params: Params, grads: Params, cache: Any, dout: Any, given: ArraySpec, ctx: Context
) -> Any:
    """What a layer's ``backward`` returns; of chains, every layer inside whose dx is used is looked at."""
    if isinstance(layer, Chain):
        below = [given, *(planned.out for _, planned in plan.children.values())]
        for i, (name, child) in reversed([*enumerate(layer.children)]):
            inside, planned = ctx.child(name, ctx.need_dx or i > 0), plan.children[name][1]
            dout = _backward(child, planned, params[name], grads[name], cache[i], dout, below[i], inside)
        return dout
    fault = partial(_fault, f"the backward of the layer {ctx.path}", layer)
    dx = layer.backward(_Views(params, "params", fault), _Views(grads, "grads", fault), cache, dout, ctx)
    if ctx.need_dx and not _is(dx, len(dout), given):
        raise fault(f"gave dx {_given(dx)} for x {_wanted(len(dout), given)}")
    return dx


class _Views(dict[str, Any]):
    """A layer's arrays, which it writes into: one that it puts in the place of another would be seen by nobody."""

    def __init__(self, arrays: Params, called: str, fault: Callable[[str], PluginError]) -> None:
        super().__init__(arrays)
        self._called, self._fault = called, fault

    def __setitem__(self, name: str, value: Any) -> None:
        place = f"{self._called}[{name!r}]"
        raise self._fault(f"puts another array in the place of {place}; write into the one there: {place}[...] = ...")


def _fault(what: str, component: object, told: str) -> PluginError:
    return PluginError(f"{what} {told}: {fault_of(component)}{FINDS}")


def _is(array: Any, rows: int, spec: ArraySpec) -> bool:
    return isinstance(array, np.ndarray) and array.shape == (rows, *spec.shape) and array.dtype == spec.dtype


def _given(array: Any) -> str:
    return f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__


def _wanted(rows: int, spec: ArraySpec) -> str:
    return f"{(rows, *spec.shape)} {spec.dtype}"
