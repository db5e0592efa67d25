"""Promises: which layer put out something else than it planned, where a step fails far from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nnplug.chain import outputs
from nnplug.contracts import Layer
from nnplug.network import Network
from nnplug.specs import Array, Plan
from nnplug.streams import Streams


def broken_promise(network: Network, x: Array) -> str:
    """The first layer whose output for a batch is not what it planned, in words; "" if there is none."""
    ctx = network.context(Streams(), training=True)
    try:
        found: Iterator[tuple[str, Any]] = outputs(network.layer, network.buffers.twin().params, x, ctx)
        for path, out in found:
            layer, plan = _planned(network.layer, network.plan, path)
            shape, dtype = (len(x), *plan.out.shape), plan.out.dtype
            if isinstance(out, np.ndarray) and out.shape == shape and out.dtype == dtype:
                continue
            given = f"{out.shape} {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
            cls = type(layer)
            return (
                f"the layer {path} put out {given}, where its plan promised {shape} {dtype}: a fault of "
                f"{cls.__name__} (module {cls.__module__}); `nnplug check` finds such faults"
            )
    except Exception:
        return ""  # a layer that fails on what was promised is at fault itself, and its error says so
    return ""


def _planned(layer: Layer, plan: Plan, path: str) -> tuple[Layer, Plan]:
    for name in path.split("."):
        layer, plan = plan.children[name]
    return layer, plan
