"""What the tests of layers share: one pass through a layer by hand, held against numerical gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from nnplug import Array, ArraySpec, Context, Layer, norm_error, numerical_gradient


@frozen
class Pass:
    """What went into a layer and what came out."""

    params: dict[str, Array]
    grads: dict[str, Array]
    x: Array
    out: Array
    dout: Array
    dx: Array


def run(layer: Layer, x: Array, seed: int, *, training: bool = True) -> Pass:
    """A forward and a backward pass with random parameters and dout; state starts as the layer planned it."""
    rng = np.random.default_rng([seed, 1])
    plan = layer.plan(ArraySpec(x.shape[1:], x.dtype))
    params: dict[str, Any] = {name: rng.standard_normal(spec.shape) for name, spec in plan.params.items()}
    grads = {name: np.full(array.shape, np.nan) for name, array in params.items()}
    params |= {name: np.full(spec.shape, spec.fill) for name, spec in plan.state.items()}
    out, cache = layer.forward(params, x, Context(training=training))
    assert out.shape == (len(x), *plan.out.shape)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(params, grads, cache, dout, Context(training=training))
    assert dx is not None
    return Pass(params, grads, x, out, dout, dx)


@pytest.fixture
def hold_gradients() -> Callable[..., Pass]:
    """Run a layer and hold dx and every gradient against central differences of sum(out * dout)."""

    def hold(layer: Layer, x: Array, seed: int, *, training: bool = True) -> Pass:
        done = run(layer, x, seed, training=training)
        kept = {name: array.copy() for name, array in done.params.items()}

        def objective() -> float:
            state = {name: array.copy() for name, array in kept.items() if name not in done.grads}
            out, _ = layer.forward(done.params | state, x, Context(training=training))
            return float(np.vdot(out, done.dout))

        for name, grad in {**done.grads, "x": done.dx}.items():
            right = numerical_gradient(objective, x if name == "x" else done.params[name])
            assert norm_error(grad, right) < 1e-7, name
        return done

    return hold
