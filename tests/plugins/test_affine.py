"""The fully connected layer."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context, ParamSpec, ShapeError
from nnplug.gradcheck import norm_error, numerical_gradient, relative_error
from nnplug_builtins.affine import Affine
from nnplug_builtins.relu import Relu


def test_forward_on_the_cs231n_example():
    """The numbers that the course prints, with the error that it prints."""
    x = np.linspace(-0.1, 0.5, 240).reshape(2, 4, 5, 6)
    params = {"W": np.linspace(-0.2, 0.3, 360).reshape(120, 3), "b": np.linspace(-0.3, 0.1, 3)}
    out, _ = Affine(3).forward(params, x, Context())
    assert (
        relative_error(out, np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]]))
        < 1e-9
    )


def test_by_hand():
    """Two rows, two inputs, one output, worked out on paper."""
    params, grads = {"W": np.array([[2.0], [3.0]]), "b": np.array([1.0])}, {"W": np.empty((2, 1)), "b": np.empty(1)}
    out, cache = Affine(1).forward(params, np.array([[1.0, 2.0], [3.0, 4.0]]), Context())
    dx = Affine(1).backward(params, grads, cache, np.array([[1.0], [10.0]]), Context())
    np.testing.assert_array_equal(out, [[9], [19]])
    np.testing.assert_array_equal(dx, [[2, 3], [20, 30]])
    np.testing.assert_array_equal(grads["W"], [[31], [42]])
    np.testing.assert_array_equal(grads["b"], [11])


@pytest.mark.parametrize("shape", [(4,), (2, 3), (3, 2, 2), (2, 1, 3, 2), (1,)])
def test_samples_of_any_shape(shape):
    """(B, d1, ..., dk) goes in and dx has its shape; dW is (D, M) and db (M,): as on the flattened batch."""
    rng = np.random.default_rng(0)
    x, size = rng.standard_normal((6, *shape)), int(np.prod(shape))
    params = {"W": rng.standard_normal((size, 5)), "b": rng.standard_normal(5)}
    grads = {"W": np.empty((size, 5)), "b": np.empty(5)}
    dout = rng.standard_normal((6, 5))
    out, cache = Affine(5).forward(params, x, Context())
    dx = Affine(5).backward(params, grads, cache, dout, Context())
    rows = x.reshape(6, size)
    np.testing.assert_allclose(out, rows @ params["W"] + params["b"], rtol=1e-12)
    np.testing.assert_allclose(dx, (dout @ params["W"].T).reshape(x.shape), rtol=1e-12)
    np.testing.assert_allclose(grads["W"], rows.T @ dout, rtol=1e-12)
    np.testing.assert_allclose(grads["b"], dout.sum(axis=0), rtol=1e-12)


def test_no_dx_where_nobody_needs_it():
    """The first layer of a network skips dx and still assigns its gradients."""
    params, grads = {"W": np.ones((2, 1)), "b": np.zeros(1)}, {"W": np.empty((2, 1)), "b": np.empty(1)}
    ctx = Context(need_dx=False)
    _, cache = Affine(1).forward(params, np.ones((3, 2)), ctx)
    assert Affine(1).backward(params, grads, cache, np.ones((3, 1)), ctx) is None
    np.testing.assert_array_equal(grads["W"], [[3], [3]])
    np.testing.assert_array_equal(grads["b"], [3])


def test_gradients_go_straight_into_the_given_memory():
    """Gradients are views of one vector; the layer writes there, not into arrays of its own."""
    vector = np.full(9, np.nan)
    grads = {"W": vector[:6].reshape(2, 3), "b": vector[6:]}
    params = {"W": np.ones((2, 3)), "b": np.zeros(3)}
    _, cache = Affine(3).forward(params, np.ones((4, 2)), Context())
    Affine(3).backward(params, grads, cache, np.ones((4, 3)), Context())
    np.testing.assert_array_equal(vector, np.full(9, 4))


def test_integers_by_hand():
    """Whoever tries the layer with whole numbers for x gets numbers back, in the parameters' dtype."""
    out, _ = Affine(1).forward({"W": np.array([[0.5], [0.25]]), "b": np.array([1.0])}, np.array([[2, 4]]), Context())
    np.testing.assert_array_equal(out, [[3.0]])
    assert out.dtype == np.float64


def test_plan():
    """W is (D, M) and decays, b is (M,), starts at zero and does not."""
    plan = Affine(10, weight_init="xavier").plan(ArraySpec((2, 3, 4), "float32"))
    assert plan.out == ArraySpec((10,), "float32")
    assert plan.params == {
        "W": ParamSpec((24, 10), "xavier", decay=True),
        "b": ParamSpec((10,), 0.0, decay=False),
    }
    assert (plan.params["W"].fan_in, plan.params["W"].fan_out) == (24, 10)


def test_bare_numbers_are_refused():
    """A sample without any dimension is no row of a matrix."""
    with pytest.raises(ShapeError) as error:
        Affine(3).plan(ArraySpec((), "float32"))
    assert str(error.value) == (
        "affine needs samples of at least one dimension, given bare numbers; make the data a column, x.reshape(-1, 1)"
    )


def test_integer_samples_are_refused():
    """A layer of weights cannot take a model's integer input."""
    with pytest.raises(ShapeError) as error:
        Affine(3).plan(ArraySpec((5,), "int64"))
    assert str(error.value) == (
        "affine needs floating-point samples, given (5,) int64; set input_dtype to float32 or float64; "
        "indices need a layer in front that looks them up"
    )


@pytest.mark.parametrize("units", [0, -3])
def test_units_must_be_positive(units):
    """No outputs, no layer."""
    with pytest.raises(ValueError, match=f"'units' must be >= 1: {units}"):
        Affine(units)


@pytest.mark.parametrize("seed", range(20))
def test_affine_and_relu_in_a_row(seed):
    """The course's sandwich: its dx, dW and db are the numerical ones.

    W is solved for so that every sum is at least 0.1 from ReLU's kink.
    """
    rng = np.random.default_rng(seed)
    x, b, dout = rng.standard_normal((2, 3, 4)), rng.standard_normal(10), rng.standard_normal((2, 10))
    sums = rng.choice([-1, 1], (2, 10)) * rng.uniform(0.1, 2, (2, 10))
    params = {"W": np.linalg.pinv(x.reshape(2, 12)) @ (sums - b), "b": b}
    grads = {"W": np.empty((12, 10)), "b": np.empty(10)}
    ctx = Context()

    def objective():
        return float(np.sum(np.maximum(x.reshape(2, 12) @ params["W"] + params["b"], 0) * dout))

    hidden, affine_cache = Affine(10).forward(params, x, ctx)
    _, relu_cache = Relu().forward({}, hidden, ctx)
    dx = Affine(10).backward(params, grads, affine_cache, Relu().backward({}, {}, relu_cache, dout, ctx), ctx)
    np.testing.assert_allclose(hidden, sums, rtol=1e-10)
    assert norm_error(dx, numerical_gradient(objective, x)) < 1e-7
    assert norm_error(grads["W"], numerical_gradient(objective, params["W"])) < 1e-7
    assert norm_error(grads["b"], numerical_gradient(objective, params["b"])) < 1e-7


def test_batches_of_any_length_in_one_context():
    """What is noted for one batch does not reach the next of another length."""
    rng, ctx = np.random.default_rng(0), Context()
    params = {"W": rng.standard_normal((3, 2)), "b": np.zeros(2)}
    grads = {"W": np.empty((3, 2)), "b": np.empty(2)}
    for n in (5, 2, 5, 0):
        dout = rng.standard_normal((n, 2))
        Affine(2).backward(params, grads, rng.standard_normal((n, 3)), dout, ctx)
        np.testing.assert_allclose(grads["b"], dout.sum(axis=0), atol=1e-15)
