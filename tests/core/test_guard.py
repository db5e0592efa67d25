"""The guard: every element of a gradient is looked at, whatever its size; what is finite is accepted."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug import Array, ArraySpec, Context, Layer, Params, ParamSpec, Plan
from nnplug.guard import MANY, ROW, Guard

SIZES = [1, 1000, MANY - 1, MANY, MANY + 1, MANY + ROW - 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_a_gradient_is_accepted_if_it_is_finite(size, dtype):
    """One element is enough to refuse it, wherever it is; and the largest that there are are no reason to."""
    rng = np.random.default_rng(size)
    gradient = rng.standard_normal(size).astype(dtype)
    guard = Guard(gradient)
    assert guard.accepts(0.5)
    for place in {0, size // 2, size // ROW * ROW - 1, size - 1, *rng.integers(size, size=20)}:
        for bad in (np.nan, np.inf, -np.inf):
            before, gradient[place] = gradient[place], bad
            assert not guard.accepts(0.5), (place, bad)
            gradient[place] = before
    assert guard.accepts(0.5)
    gradient[:] = np.finfo(dtype).max
    assert guard.accepts(0.5)
    gradient[-1] = -np.inf
    assert not guard.accepts(0.5)


def test_opposite_infinities_do_not_cancel():
    """Their sum is NaN."""
    gradient = np.zeros(MANY + ROW // 2, np.float32)
    gradient[5], gradient[6], gradient[-1], gradient[-2] = np.inf, -np.inf, np.inf, -np.inf
    assert not Guard(gradient).accepts(0.5)


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_is_accepted_if_it_is_finite(loss):
    """Whatever the gradient."""
    assert not Guard(np.zeros(3)).accepts(loss)


@frozen
class Forgetful(Layer):
    """Adds a bias whose gradient it forgets to assign, and scales by a weight whose gradient it knows."""

    def plan(self, x: ArraySpec) -> Plan:
        """A number each."""
        return Plan(out=x, params={"a": ParamSpec((1,), 1.0), "b": ParamSpec((1,), decay=False)})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """``a * x + b``."""
        return x * params["a"] + params["b"], x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Without db."""
        grads["a"][...] = (dout * cache).sum()
        return dout * params["a"]


def test_a_gradient_that_nobody_assigns_is_refused():
    """Else the parameter would stay as it is, and nobody would know."""
    rng = np.random.default_rng(0)
    layers = [{"type": "affine", "units": 3}, Forgetful(), {"type": "affine", "units": 3}]
    model = nnplug.build({"layers": layers, "loss": "softmax"}, input_shape=4, seed=0)
    before = {path: values.copy() for path, values in model.params.items()}
    solver = nnplug.Solver(model, (rng.random((40, 4)), np.arange(40) % 3), batch_size=10)
    with pytest.raises(nnplug.DivergedError) as caught:
        solver.fit()
    assert "the gradient of forgetful1.b in step 1 holds NaN or infinity" in str(caught.value)
    assert "as where a layer's backward does not assign it" in str(caught.value)
    assert all((values == before[path]).all() for path, values in model.params.items())
