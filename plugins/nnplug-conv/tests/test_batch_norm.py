"""Batch normalisation: its formulas in both modes, running averages, frozen layers."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context, ParamSpec, ShapeError, StateSpec
from nnplug.testing import check
from nnplug_conv.batch_norm import BatchNorm

SHAPES = [(6, 3), (5, 1), (4, 3, 2, 5), (4, 2, 1, 1), (1, 2, 3, 4)]


def by_channel(x):
    """The numbers of each feature or channel, as lists."""
    return [x[:, c].reshape(-1).tolist() for c in range(x.shape[1])]


def mean_and_var(numbers):
    """The definitions."""
    mean = sum(numbers) / len(numbers)
    return mean, sum((number - mean) ** 2 for number in numbers) / len(numbers)


def fresh(features):
    """Parameters and state as they might be after a while."""
    rng = np.random.default_rng(features)
    names = ("gamma", "beta", "mean", "var")
    return dict(zip(names, [*rng.standard_normal((3, features)), rng.uniform(0.5, 2, features)], strict=True))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layer", [BatchNorm(), BatchNorm(eps=0.1)], ids=["", "eps 0.1"])
def test_training(hold_gradients, layer, shape, seed):
    """Each channel is normalised with its own mean and variance, then scaled and moved; dx knows of both.

    No two numbers are closer than 0.4: of a channel that hardly varies, differences say little.
    """
    rng = np.random.default_rng(seed)
    x = 0.5 * rng.permutation(np.prod(shape)).reshape(shape) + rng.uniform(0, 0.1, shape)
    done = hold_gradients(layer, x, seed)
    for c, numbers in enumerate(by_channel(x)):
        mean, var = mean_and_var(numbers)
        xhat = (x[:, c] - mean) / (var + layer.eps) ** 0.5
        right = done.params["gamma"][c] * xhat + done.params["beta"][c]
        np.testing.assert_allclose(done.out[:, c], right, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [*SHAPES, (1, 4)])
def test_inference(hold_gradients, shape, seed):
    """The running averages stand in for the batch's, which therefore has no say in its gradient."""
    x = np.random.default_rng(seed).standard_normal(shape)
    hold_gradients(BatchNorm(), x, seed, training=False)
    params = fresh(shape[1])
    out, _ = BatchNorm().forward(params, x, Context())
    for c in range(shape[1]):
        xhat = (x[:, c] - params["mean"][c]) / (params["var"][c] + 1e-5) ** 0.5
        np.testing.assert_allclose(out[:, c], params["gamma"][c] * xhat + params["beta"][c], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("momentum", [0.9, 0.5, 0.0])
def test_running_averages(shape, momentum):
    """Two steps: running = momentum * running + (1 - momentum) * now, from 0 and 1 on; var divides by n."""
    layer, rng = BatchNorm(momentum=momentum), np.random.default_rng(0)
    c = shape[1]
    params = {"gamma": np.ones(c), "beta": np.zeros(c), "mean": np.zeros(c), "var": np.ones(c)}
    means, variances = [0.0] * c, [1.0] * c
    for _ in range(2):
        x = rng.standard_normal(shape)
        layer.forward(params, x, Context(training=True))
        for i, numbers in enumerate(by_channel(x)):
            mean, var = mean_and_var(numbers)
            means[i] = momentum * means[i] + (1 - momentum) * mean
            variances[i] = momentum * variances[i] + (1 - momentum) * var
    np.testing.assert_allclose(params["mean"], means, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(params["var"], variances, rtol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_frozen_layers_use_their_averages_and_leave_them(shape, training):
    """In training, too: out and dx are those of inference, and nothing moves."""
    layer, x, params = BatchNorm(), np.random.default_rng(0).standard_normal(shape), fresh(shape[1])
    kept = {name: array.copy() for name, array in params.items()}
    results = []
    for ctx in (Context(training=training, trainable=False), Context()):
        grads = {"gamma": np.empty(shape[1]), "beta": np.empty(shape[1])}
        out, cache = layer.forward(params, x, ctx)
        results.append((out, layer.backward(params, grads, cache, x, ctx), grads["gamma"], grads["beta"]))
    for ours, inference in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, inference)
    for name, array in params.items():
        np.testing.assert_array_equal(array, kept[name])


def test_one_row_of_features():
    """It does not vary, so nothing of it is left but beta, and no change of x changes that."""
    params, grads = fresh(4), {"gamma": np.empty(4), "beta": np.empty(4)}
    x = np.array([[1.0, -2.0, 1e6, 0.0]])
    ctx = Context(training=True)
    out, cache = BatchNorm().forward(params, x, ctx)
    dx = BatchNorm().backward(params, grads, cache, np.ones((1, 4)), ctx)
    np.testing.assert_array_equal(out[0], params["beta"])
    np.testing.assert_array_equal(dx, np.zeros((1, 4)))
    np.testing.assert_array_equal(grads["gamma"], np.zeros(4))
    np.testing.assert_array_equal(grads["beta"], np.ones(4))


@pytest.mark.parametrize("shape", [(64, 3), (8, 3, 9, 9)])
def test_numbers_far_from_zero(shape):
    """In float32, a mean a thousand times the deviation leaves the variance right: it is taken around the mean."""
    x = (1000 + np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    params = {name: array.astype(np.float32) for name, array in fresh(3).items()}
    BatchNorm(momentum=0.0).forward(params, x, Context(training=True, dtype="float32"))
    np.testing.assert_allclose(params["var"], [mean_and_var(numbers)[1] for numbers in by_channel(x)], rtol=1e-4)


def test_no_images():
    """No rows in, no rows out."""
    out, _ = BatchNorm().forward(fresh(2), np.empty((0, 2, 3, 3)), Context())
    assert out.shape == (0, 2, 3, 3)


@pytest.mark.parametrize("shape", [(5,), (5, 4, 3)])
def test_plan(shape):
    """A scale and an offset for each feature or channel, which do not decay; averages that start at 0 and 1."""
    plan = BatchNorm().plan(ArraySpec(shape, "float32"))
    assert plan.out == ArraySpec(shape, "float32")
    assert plan.params == {"gamma": ParamSpec((5,), 1.0, decay=False), "beta": ParamSpec((5,), 0.0, decay=False)}
    assert plan.state == {"mean": StateSpec((5,), 0.0), "var": StateSpec((5,), 1.0)}


@pytest.mark.parametrize("x", [ArraySpec((3, 4), "float32"), ArraySpec((), "float32"), ArraySpec((3,), "int64")])
def test_samples_that_do_not_fit_are_refused(x):
    """While planning, with what was given and what was expected."""
    with pytest.raises(ShapeError) as error:
        BatchNorm().plan(x)
    assert str(error.value) == f"batch_norm needs floating-point samples (D,) or (C, H, W), given {x}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, "'momentum' must be < 1: 1.0"),
        ({"momentum": -0.1}, "'momentum' must be >= 0: -0.1"),
        ({"eps": 0.0}, "'eps' must be > 0: 0.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    """When the layer is made."""
    with pytest.raises(ValueError, match=message):
        BatchNorm(**options)


def test_conforms():
    """Whatever the contract asks for: memory, dtypes, batches of one, pickling, config, state."""
    check("batch_norm", inputs=[ArraySpec((5,)), ArraySpec((2, 5, 6)), ArraySpec((3, 1, 1))])


def test_a_batch_without_a_variance_moves_nothing():
    """The last row of an epoch, alone, would take a tenth of the variance away."""
    params = fresh(4)
    kept = {name: array.copy() for name, array in params.items()}
    BatchNorm().forward(params, np.ones((1, 4)), Context(training=True))
    for name, array in params.items():
        np.testing.assert_array_equal(array, kept[name])
    BatchNorm().forward(params, np.ones((2, 4)), Context(training=True))
    assert (params["mean"] != kept["mean"]).all()
