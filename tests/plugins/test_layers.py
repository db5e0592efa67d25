"""What holds for every built-in layer: gradients, nothing overwritten, float32, recycled memory."""

from __future__ import annotations

import copy
from importlib import import_module

import numpy as np
import pytest

from nnplug import ArraySpec, Context
from nnplug.arena import Arena
from nnplug.gradcheck import norm_error, numerical_gradient
from nnplug_builtins.affine import Affine
from nnplug_builtins.dropout import Dropout
from nnplug_builtins.flatten import Flatten
from nnplug_builtins.leaky_relu import LeakyRelu
from nnplug_builtins.relu import Relu
from nnplug_builtins.sigmoid import Sigmoid
from nnplug_builtins.tanh import Tanh

LAYERS = [Affine(3), Relu(), LeakyRelu(), LeakyRelu(0.3), Sigmoid(), Tanh(), Dropout(0.4), Flatten()]
SHAPE = (2, 3, 2)  # of one sample
ROWS = 5

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
twenty_seeds = pytest.mark.parametrize("seed", range(20))


class PoisonedContext(Context):
    """Scratch memory comes full of NaN, so that reading it before writing shows."""

    def empty(self, shape, dtype=None):
        """Like Context.empty, filled with NaN."""
        array = super().empty(shape, dtype)
        array.fill(np.nan)
        return array


def draw(rng, shape, dtype="float64"):
    """Numbers of both signs and no closer to 0, the kink of ReLU, than 0.1."""
    return (rng.choice([-1, 1], shape) * rng.uniform(0.1, 2, shape)).astype(dtype)


def set_up(layer, seed, dtype="float64"):
    """Parameters, a batch and an output gradient for ``layer``."""
    rng = np.random.default_rng(seed)
    plan = layer.plan(ArraySpec(SHAPE, dtype))
    params = {name: draw(rng, spec.shape, dtype) for name, spec in plan.params.items()}
    return params, draw(rng, (ROWS, *SHAPE), dtype), draw(rng, (ROWS, *plan.out.shape), dtype)


def run(layer, params, x, dout, ctx):
    """Output, dx and gradients, the latter assigned over NaN."""
    grads = {name: np.full_like(value, np.nan) for name, value in params.items()}
    out, cache = layer.forward(params, x, ctx)
    dx = layer.backward(params, grads, cache, dout, ctx)
    return out, dx, grads


def training(dtype="float64", **options):
    """A fresh training context: the same random numbers every time."""
    return PoisonedContext(training=True, dtype=dtype, seed=7, **options)


@every_layer
@twenty_seeds
def test_gradients_are_the_numerical_ones(layer, seed):
    """The gradient of x and every parameter's gradient agree with central differences to 1e-7 of their norm."""
    params, x, dout = set_up(layer, seed)

    def objective():
        return float(np.sum(layer.forward(params, x, training())[0] * dout))

    _, dx, grads = run(layer, params, x, dout, training())
    assert norm_error(dx, numerical_gradient(objective, x)) < 1e-7
    for name, value in params.items():
        assert norm_error(grads[name], numerical_gradient(objective, value)) < 1e-7, name


@every_layer
def test_nothing_given_is_written_to(layer):
    """Forward and backward leave x, dout, the parameters and the cache as they were."""
    params, x, dout = set_up(layer, 0)
    grads = {name: np.empty_like(value) for name, value in params.items()}
    for array in (x, dout, *params.values()):
        array.flags.writeable = False
    out, cache = layer.forward(params, x, training())
    kept_out, kept_cache = out.copy(), copy.deepcopy(cache)
    layer.backward(params, grads, cache, dout, training())
    np.testing.assert_array_equal(out, kept_out)
    np.testing.assert_equal(cache, kept_cache)


@every_layer
def test_backward_twice_gives_the_same(layer):
    """Gradients are assigned, not added to: a second backward pass changes nothing."""
    params, x, dout = set_up(layer, 0)
    grads = {name: np.full_like(value, np.nan) for name, value in params.items()}
    _, cache = layer.forward(params, x, training())
    first = layer.backward(params, grads, cache, dout, training()).copy()
    first_grads = {name: grad.copy() for name, grad in grads.items()}
    second = layer.backward(params, grads, cache, dout, training())
    np.testing.assert_array_equal(first, second)
    np.testing.assert_equal(grads, first_grads)
    assert all(np.isfinite(grad).all() for grad in grads.values())


@every_layer
@every_dtype
def test_shapes_and_dtypes_are_as_planned(layer, dtype):
    """Out has the planned shape, dx that of x, and both keep the dtype, whatever the context's own."""
    params, x, dout = set_up(layer, 0, dtype)
    plan = layer.plan(ArraySpec(SHAPE, dtype))
    out, dx, grads = run(layer, params, x, dout, training("float64"))
    assert (out.shape, out.dtype) == ((ROWS, *plan.out.shape), plan.out.dtype)
    assert plan.out.dtype == dtype
    assert (dx.shape, dx.dtype) == (x.shape, x.dtype)
    assert {name: grad.shape for name, grad in grads.items()} == {n: s.shape for n, s in plan.params.items()}


@every_layer
def test_float32_is_float64_rounded(layer):
    """In float32 output and gradients agree with float64 to float32's precision."""
    params, x, dout = set_up(layer, 0, "float32")
    wide = {name: value.astype("float64") for name, value in params.items()}
    out, dx, grads = run(layer, params, x, dout, training("float32"))
    out64, dx64, grads64 = run(layer, wide, x.astype("float64"), dout.astype("float64"), training())
    assert norm_error(out, out64) < 1e-6
    assert norm_error(dx, dx64) < 1e-6
    for name, grad in grads.items():
        assert norm_error(grad, grads64[name]) < 1e-6


@every_layer
def test_recycled_memory_gives_the_same_and_no_more_is_allocated(layer):
    """A second step in the first one's memory, poisoned with NaN, repeats its results and allocates nothing."""
    params, x, dout = set_up(layer, 0)
    expected = copy.deepcopy(run(layer, params, x, dout, training()))
    arena = Arena()
    for step in range(2):
        arena.start(ROWS)
        np.testing.assert_equal(run(layer, params, x, dout, training(arena=arena)), expected)
        if step == 0:
            allocated = arena.allocations
    assert arena.allocations == allocated


@every_layer
def test_arrays_of_any_layout(layer):
    """Columns first, or every other row of something larger: the same results as from arrays in one piece."""
    params, x, dout = set_up(layer, 0)
    expected = run(layer, params, x, dout, training())
    by_columns = run(layer, params, np.asfortranarray(x), np.asfortranarray(dout), training())
    every_other = run(layer, params, np.repeat(x, 2, axis=0)[::2], np.repeat(dout, 2, axis=0)[::2], training())
    for actual in (by_columns, every_other):
        np.testing.assert_allclose(actual[0], expected[0], rtol=1e-13)
        np.testing.assert_allclose(actual[1], expected[1], rtol=1e-13)


@every_layer
def test_no_rows(layer):
    """A batch of no rows gives no rows, and gradients of zero."""
    params, x, dout = set_up(layer, 0)
    out, dx, grads = run(layer, params, x[:0], dout[:0], training())
    assert len(out) == 0
    assert dx.shape == (0, *SHAPE)
    assert all((grad == 0).all() for grad in grads.values())


@pytest.mark.parametrize("layer", [Relu(), LeakyRelu(), Sigmoid(), Tanh(), Affine(2)], ids=repr)
@every_dtype
def test_nan_is_not_hidden(layer, dtype):
    """NaN in one sample comes out of that sample and of no other."""
    params, x, _ = set_up(layer, 0, dtype)
    x[1] = np.nan
    out, _ = layer.forward(params, x, training(dtype))
    assert np.isnan(out[1]).all()
    assert np.isfinite(np.delete(out, 1, axis=0)).all()


@pytest.mark.parametrize("name", ["affine", "relu", "leaky_relu", "sigmoid", "tanh", "dropout", "flatten"])
def test_the_hook_provides_the_name(name):
    """Each module's hook returns its one layer under the entry point's name."""
    provided = import_module(f"nnplug_builtins.{name}").nnplug_layers()
    assert [*provided] == [name]
    assert provided[name].__name__ == name.title().replace("_", "")
