"""The checks of what a layer computes in: the dtype of the model, no more and no less."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnplug.specs import Array
from nnplug.testing.layer_cases import LayerCase
from nnplug.testing.layer_memory import Results, pass_through
from nnplug.testing.outcome import Failure, Skipped
from nnplug.testing.precision import COARSE, FINE, is_single, nudged


def float64(case: LayerCase) -> None:
    """In a float64 model it computes in float64: results follow numbers that differ by one part in a billion."""
    if not (case.floating or case.rig().by_path):
        raise Skipped("neither samples nor parameters are floating point")
    for training in (True, False):
        dout = case.rig().dout(pass_through(case.rig(), case.batch(0), training=training).out, 0)
        found = [_nudged(case, dout, by, training) for by in (0.0, FINE, COARSE)]
        for name in found[0]:
            if is_single(*(arrays[name] for arrays in found)):
                raise Failure(
                    f"{name} is computed in float32 where x, dout and parameters are float64, with 7 digits instead of "
                    "16; compute in their dtype: no astype('float32'), and new arrays in ctx.dtype"
                )


def _nudged(case: LayerCase, dout: Array, by: float, training: bool) -> dict[str, Array]:
    """What forward and backward give where all that goes in is `nudged`."""
    rng = np.random.default_rng(7)
    rig = case.rig()
    for array in rig.by_path.values():
        array[...] = nudged(array, by, rng)
    x = nudged(case.batch(0), by, rng) if case.floating else case.batch(0)
    return _by_name(pass_through(rig, x, nudged(dout, by, rng), training=training), case.floating)


def _by_name(found: Results, floating: bool) -> dict[str, Any]:
    gradients = {f"the gradient of {path}": array for path, array in found.grads.items()}
    dx = {"dx": found.dx} if floating and found.dx is not None else {}
    return {"out": found.out, **dx, **gradients}


def float32(case: LayerCase) -> None:
    """In a float32 model everything stays float32."""
    for training in (True, False):
        rig = case.rig("float32")
        x, ctx = case.batch(0, dtype="float32"), rig.context(training=training)
        out, cache = rig.forward(x, ctx)
        found = {"out": out.dtype} if case.floating or rig.plan.out.dtype.kind == "f" else {}
        if case.floating:
            found["plan's out"] = rig.plan.out.dtype
        dx = rig.backward(cache, rig.dout(out, 0), ctx)
        if case.floating and dx is not None:
            found["dx"] = dx.dtype
        for name, dtype in found.items():
            if dtype != np.float32:
                raise Failure(
                    f"{name} is {dtype} where x and parameters are float32; float32 becomes float64 beside an integer "
                    "array, a NumPy float64 number or an array made without a dtype"
                )
