"""Gradients of whole networks against numerical ones, layers of strangers included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

import nnplug
from nnplug import Array, ArraySpec, Context, Layer, Model, Params, ParamSpec, Plan, ShapeError, StateSpec

TOLERANCE = 1e-7  # relative to the norm of a parameter's gradient
NOISE = 1e-10  # what central differences of numbers near 1 cannot tell from 0

twenty_seeds = pytest.mark.parametrize("seed", range(20))


def affine(units: int, **options: Any) -> dict[str, Any]:
    """A table for an affine layer whose biases are no zeros."""
    return {"type": "affine", "units": units, **options}


@frozen
class Residual(Layer):
    """A stranger's composite, ``out = x + f(x)``.

    Args:
        inner: f.
    """

    inner: Layer | str = "relu"

    def plan(self, x: ArraySpec) -> Plan:
        """Plan f, which must keep the shape."""
        inner = self.inner.plan(x)
        if inner.out.shape != x.shape:
            raise ShapeError(
                f"residual needs an inner layer that keeps the shape {x.shape}, it makes {inner.out.shape}"
            )
        return Plan(out=x, children={"inner": (self.inner, inner)})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return ``x + f(x)``."""
        out, cache = self.inner.forward(params["inner"], x, ctx.child("inner"))
        return x + out, cache

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Return ``dout + f'(dout)``."""
        dx = self.inner.backward(params["inner"], grads["inner"], cache, dout, ctx.child("inner", need_dx=ctx.need_dx))
        return dout + dx if ctx.need_dx else None


@frozen
class Centre(Layer):
    """A stranger's layer with state: takes the batch's mean away, in inference a running one; then scales.

    Args:
        keep: the part of the running mean that each step keeps.
    """

    keep: float = 0.5

    def plan(self, x: ArraySpec) -> Plan:
        """One scale and one running mean an element, and a count of steps in int64."""
        state = {"mean": StateSpec(x.shape), "steps": StateSpec((), dtype="int64")}
        return Plan(out=x, params={"scale": ParamSpec(x.shape, 1.5, decay=False)}, state=state)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return ``(x - mean) * scale``; in training the mean is the batch's, and the running one moves."""
        mean = params["mean"]
        if ctx.training:
            batch = x.mean(axis=0)
            mean += (1 - self.keep) * (batch - mean)
            params["steps"][...] += 1
            mean = batch
        centred = x - mean
        return centred * params["scale"], centred

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array:
        """The mean of the gradient goes, too, in training."""
        grads["scale"][...] = (dout * cache).sum(axis=0)
        dx = dout * params["scale"]
        return dx - dx.mean(axis=0) if ctx.training else dx


@frozen
class Embedding(Layer):
    """A stranger's embedding: integers (T,) become rows of W, (T, D).

    Args:
        words: how many integers there are.
        dimensions: D.
    """

    words: int = 7
    dimensions: int = 3

    def plan(self, x: ArraySpec) -> Plan:
        """Refuse anything but integers."""
        if x.dtype.kind not in "iu":
            raise ShapeError(f"embedding needs integers, given {x}; set input_dtype")
        out = ArraySpec((*x.shape, self.dimensions), "float32")
        return Plan(out=out, params={"W": ParamSpec((self.words, self.dimensions), "he")})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``W[x]``."""
        return params["W"][x], x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> None:
        """Add up the rows' gradients; integers have none."""
        grads["W"][...] = 0
        np.add.at(grads["W"], cache, dout)


@frozen
class Tempered(Layer):
    """A stranger's layer that shares nothing with others: a scalar parameter and a composite of two children.

    Args:
        left: the first branch.
        right: the second branch.
    """

    left: Layer | str = field(default="tanh")
    right: Layer | str = field(default="sigmoid")

    def plan(self, x: ArraySpec) -> Plan:
        """A parameter of its own beside two children."""
        children = {"left": (self.left, self.left.plan(x)), "right": (self.right, self.right.plan(x))}
        return Plan(out=children["left"][1].out, params={"t": ParamSpec((), 0.3)}, children=children)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return ``left(x) + t * right(x)``."""
        left, left_cache = self.left.forward(params["left"], x, ctx.child("left"))
        right, right_cache = self.right.forward(params["right"], x, ctx.child("right"))
        return left + params["t"] * right, (left_cache, right_cache, right)

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        """Both branches' dx, added."""
        left_cache, right_cache, right = cache
        grads["t"][...] = (dout * right).sum()
        need = ctx.need_dx
        one = self.left.backward(params["left"], grads["left"], left_cache, dout, ctx.child("left", need))
        scaled = params["t"] * dout
        two = self.right.backward(params["right"], grads["right"], right_cache, scaled, ctx.child("right", need))
        return one + two if need else None


def chain(*layers: Any, **options: Any) -> dict[str, Any]:
    """A table for a chain."""
    return {"type": "chain", "layers": list(layers), **options}


DROPOUT = {"type": "dropout", "rate": 0.4}
MIXED = [affine(6), "tanh", affine(5), "sigmoid", affine(4), {"type": "leaky_relu"}, affine(4), "relu", affine(3)]

# name -> layers, loss, shape of a sample, further options of build; "weighted" gives each row a weight.
NETWORKS: dict[str, dict[str, Any]] = {
    "one affine": {"layers": [affine(3)]},
    "deep": {"layers": MIXED},
    "deep with l2": {"layers": MIXED, "l2": 0.7},
    "deep, weighted": {"layers": MIXED, "weighted": True},
    "images": {"layers": [affine(3), "tanh", affine(3)], "shape": (2, 3, 2)},
    "nested chains": {"layers": [chain(affine(5), chain("tanh", affine(4)), "sigmoid"), affine(4), chain(affine(3))]},
    "dropout, l2, weighted": {
        "layers": [affine(6), DROPOUT, "tanh", chain(DROPOUT, affine(4)), affine(3)],
        "l2": 0.3,
        "weighted": True,
    },
    "lowest frozen": {"layers": [affine(5, trainable=False), "tanh", affine(3)], "l2": 0.3},
    "middle frozen": {"layers": [affine(5), "tanh", affine(4, trainable=False), "tanh", affine(3)], "l2": 0.3},
    "frozen chain": {"layers": [chain(affine(5), "tanh", affine(4), trainable=False), affine(3)], "l2": 0.3},
    "all frozen": {"layers": [affine(4, trainable=False), "tanh", affine(3, trainable=False)], "l2": 0.3},
    "svm": {"layers": [affine(4), "tanh", affine(3)], "loss": "svm", "l2": 0.1, "weighted": True},
    "softmax, probabilities": {"layers": [affine(4), "tanh", affine(3)], "targets": "probabilities"},
    "mse": {"layers": [affine(4), "tanh", affine(3)], "loss": "mse", "targets": "values", "weighted": True},
    "mse, one output": {"layers": [affine(4), "tanh", affine(1)], "loss": "mse", "targets": "vector"},
    "binary cross-entropy": {
        "layers": [affine(4), "tanh", affine(3)],
        "loss": "binary_cross_entropy",
        "targets": "labels",
        "weighted": True,
    },
    "residual": {
        "layers": [
            affine(5),
            Residual(nnplug.Registry().create("layer", chain(affine(4), "tanh", DROPOUT, affine(5)))),
            Residual(),
            affine(3),
        ],
        "l2": 0.2,
    },
    "residual first": {"layers": [Residual("tanh"), Residual(Residual("sigmoid")), affine(3)]},
    "two branches": {"layers": [affine(4), Tempered(left=Residual("tanh")), affine(3)], "l2": 0.5},
    "state": {"layers": [affine(5), Centre(), "tanh", Centre(keep=0.9), affine(3)], "l2": 0.1, "weighted": True},
    "embedding": {"layers": [Embedding(), "tanh", affine(3)], "input": "words", "l2": 0.1, "weighted": True},
}


def network(name: str, seed: int, dtype: str = "float64") -> Model:
    """Build a network of NETWORKS; biases are drawn too."""
    given = NETWORKS[name]
    config = {"layers": given["layers"], "loss": given.get("loss", "softmax"), "l2": given.get("l2", 0.0)}
    shape = given.get("shape", (4,))
    if given.get("input") == "words":
        config["input_dtype"] = "int64"
    model = nnplug.build(config, input_shape=shape, seed=seed, dtype=dtype)
    rng = np.random.default_rng(seed)
    for path, array in model.params.items():
        if path.endswith(".b"):
            array[...] = rng.normal(0, 0.5, array.shape)
    return model


def batch(name: str, model: Model, seed: int, rows: int = 6) -> tuple[Array, Array, Array | None]:
    """A batch that fits a network of NETWORKS."""
    given, rng = NETWORKS[name], np.random.default_rng(1000 + seed)
    shape = (rows, *model.input_spec.shape)
    x = rng.integers(0, 7, shape) if given.get("input") == "words" else rng.normal(size=shape)
    outputs = model.summary().rows[-1].out[0]
    make: dict[str, Callable[[], Array]] = {
        "classes": lambda: rng.integers(0, outputs, rows),
        "probabilities": lambda: rng.dirichlet(np.ones(outputs), rows),
        "values": lambda: rng.normal(size=(rows, outputs)),
        "vector": lambda: rng.normal(size=rows),
        "labels": lambda: rng.integers(0, 2, (rows, outputs)),
    }
    weight = rng.uniform(0, 3, rows) if given.get("weighted") else None
    if weight is not None:
        weight[2] = 0.0
    return x, make[given.get("targets", "classes")](), weight


def assert_close(analytic: dict[str, Array], numerical: dict[str, Array]) -> None:
    """Every parameter's gradient agrees with the numerical one, relative to its norm."""
    assert analytic.keys() == numerical.keys()
    for name, gradient in analytic.items():
        scale = max(np.linalg.norm(gradient), np.linalg.norm(numerical[name]))
        error = np.linalg.norm(gradient - numerical[name])
        assert error <= TOLERANCE * scale + NOISE, f"{name}: error {error} of {scale}"


@pytest.mark.parametrize("name", NETWORKS)
@twenty_seeds
def test_gradients_equal_numerical_ones(name: str, seed: int) -> None:
    """The analytic gradient of every parameter is the numerical one, in training mode."""
    model = network(name, seed)
    x, y, weight = batch(name, model, seed)
    loss, gradients = model.gradients(x, y, weight)
    assert np.isfinite(loss)
    assert sum(float(np.abs(g).sum()) for g in gradients.values()) > 1e-3
    assert_close(gradients, model.numerical_gradients(x, y, weight))


@pytest.mark.parametrize("name", ["dropout, l2, weighted", "state", "residual", "embedding"])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_in_inference_mode(name: str, seed: int) -> None:
    """With ``training=False`` both gradients are those of inference, where dropout and batch means do nothing."""
    model = network(name, seed)
    x, y, weight = batch(name, model, seed)
    for path, array in model.state.items():
        if path.endswith("mean"):
            array[...] = np.random.default_rng(seed).normal(size=array.shape)
    loss, gradients = model.gradients(x, y, weight, training=False)
    assert loss == pytest.approx(model.loss(x, y, weight), rel=1e-12)
    assert_close(gradients, model.numerical_gradients(x, y, weight, training=False))


@pytest.mark.parametrize("seed", range(3))
def test_gradients_after_training_use_the_streams_as_they_stand(seed: int) -> None:
    """After some steps, dropout's masks are those of the step to come, in both gradients."""
    model = network("dropout, l2, weighted", seed)
    x, y, weight = batch("dropout, l2, weighted", model, seed, rows=8)
    start, (before, _) = model.network.buffers.vector.copy(), model.gradients(x, y, weight)
    nnplug.Solver(model, (x, y, weight), iterations=3, batch_size=4).fit()
    _, gradients = model.gradients(x, y, weight)
    assert_close(gradients, model.numerical_gradients(x, y, weight))
    model.network.buffers.vector[...] = start
    assert model.gradients(x, y, weight)[0] != before


def test_a_float32_model_agrees_with_its_gradients_in_float64() -> None:
    """Numerical gradients are float64 whatever the model is; float32 ones come within its rounding."""
    for name in NETWORKS:
        model = network(name, 0, "float32")
        x, y, weight = batch(name, model, 0)
        _, gradients = model.gradients(x, y, weight)
        numerical = model.numerical_gradients(x, y, weight)
        for path, gradient in gradients.items():
            assert gradient.dtype == np.float32
            assert numerical[path].dtype == np.float64
            np.testing.assert_allclose(gradient, numerical[path], rtol=1e-4, atol=2e-6, err_msg=f"{name}: {path}")


def test_raw_input_is_scaled_in_both_gradients() -> None:
    """A model with a scale takes raw bytes in `gradients` and `numerical_gradients`."""
    model = nnplug.build(["relu", affine(3)], input_shape=5, dtype="float64", scale=(3.0, 0.1))
    x = np.random.default_rng(0).integers(0, 256, (4, 5), np.uint8)
    y = np.array([0, 2, 1, 1])
    _, gradients = model.gradients(x, y)
    assert_close(gradients, model.numerical_gradients(x, y))
    plain = nnplug.build(["relu", affine(3)], input_shape=5, dtype="float64")
    np.testing.assert_allclose(gradients["affine1.W"], plain.gradients((x - 3.0) * 0.1, y)[1]["affine1.W"], rtol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_leave_everything_as_it_was(name: str) -> None:
    """Parameters, gradients, state, streams, and the caller's arrays are the same before and after."""
    model = network(name, 1)
    x, y, weight = batch(name, model, 1)
    model.streams.get("layer", "dropout1").random(3)
    for array in (*model.grads.values(), *model.state.values()):
        array[...] = 7
    kept = (model.network.buffers.vector.copy(), model.network.buffers.gradient.copy(), model.streams.state())
    given = x.copy(), y.copy()
    first = model.gradients(x, y, weight)
    second = model.gradients(x, y, weight)
    model.numerical_gradients(x, y, weight, names=list(model.params)[:1])
    assert first[0] == second[0]
    np.testing.assert_array_equal(model.network.buffers.vector, kept[0])
    np.testing.assert_array_equal(model.network.buffers.gradient, kept[1])
    assert model.streams.state() == kept[2]
    assert all((array == 7).all() for array in model.state.values())
    np.testing.assert_array_equal(x, given[0])
    np.testing.assert_array_equal(y, given[1])


def test_gradients_belong_to_the_caller() -> None:
    """Writing to what `gradients` returned changes neither the model nor what the next call returns."""
    model = network("deep with l2", 0)
    x, y, _ = batch("deep with l2", model, 0)
    _, gradients = model.gradients(x, y)
    expected = {name: gradient.copy() for name, gradient in gradients.items()}
    for gradient in gradients.values():
        gradient[...] = np.nan
    assert all(not np.isnan(array).any() for array in (*model.params.values(), *model.grads.values()))
    _, again = model.gradients(x, y)
    for name, gradient in again.items():
        np.testing.assert_array_equal(gradient, expected[name])
        assert not np.shares_memory(gradient, gradients[name])


def test_state_moves_in_training_and_only_there() -> None:
    """A running mean moves with every step of training, and with nothing else."""
    model = network("state", 0)
    x, y, _ = batch("state", model, 0)
    model.scores(x), model.evaluate(x, y), model.activations(x), model.predict(x)
    assert int(model.state["centre1.steps"]) == 0
    nnplug.Solver(model, (x, y), iterations=4, batch_size=3, evaluate=("train",)).fit()
    assert int(model.state["centre1.steps"]) == 4
    assert model.state["centre1.steps"].dtype == np.int64
    assert np.abs(model.state["centre1.mean"]).max() > 0
    assert "centre1.mean" not in model.params


def test_a_small_network_by_hand() -> None:
    """Loss and gradients of ``mse(W x + b)`` with L2 are those that a pencil finds."""
    model = nnplug.build({"layers": [affine(1)], "loss": "mse", "l2": 0.1}, input_shape=2, dtype="float64")
    model.params["affine1.W"][...] = [[1.0], [2.0]]
    model.params["affine1.b"][...] = [0.5]
    x, y = np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([3.0, 0.5])  # scores 3.5 and 2.5, errors 0.5 and 2
    loss, gradients = model.gradients(x, y)
    assert loss == pytest.approx((0.25 + 4.0) / 2 + 0.5 * 0.1 * 5)
    np.testing.assert_allclose(gradients["affine1.W"], [[0.5 * 1 + 2 * 2 + 0.1], [0.5 * 1 + 0.2]])
    np.testing.assert_allclose(gradients["affine1.b"], [2.5])


def test_numerical_gradients_of_some_parameters() -> None:
    """``names`` chooses; an unknown name is refused with a suggestion."""
    model = network("one affine", 0)
    x, y, _ = batch("one affine", model, 0)
    assert list(model.numerical_gradients(x, y, names=["affine1.b"])) == ["affine1.b"]
    with pytest.raises(
        nnplug.NnplugError, match=r"^the model has no parameter 'afine1.W'; did you mean 'affine1.W'\?$"
    ):
        model.numerical_gradients(x, y, names=["afine1.W"])


@pytest.mark.parametrize("name", [name for name, given in NETWORKS.items() if given.get("input") != "words"])
@pytest.mark.parametrize("scale", [None, (0.5, 3.0)])
def test_the_gradient_of_the_input_equals_the_numerical_one(name: str, scale: tuple[float, float] | None) -> None:
    """In x's own units, whatever is frozen; nothing of the model moves."""
    model = network(name, seed=3)
    model.scale = scale
    x, y, weight = batch(name, model, seed=3)
    before = {path: array.copy() for path, array in {**model.params, **model.grads, **model.state}.items()}
    dx = model.input_gradient(x, y, weight)
    assert dx.shape == x.shape
    assert_close({"x": dx}, {"x": nnplug.numerical_gradient(lambda: model.loss(x, y, weight), x)})
    for path, array in {**model.params, **model.grads, **model.state}.items():
        np.testing.assert_array_equal(array, before[path])


def test_integers_have_no_gradient() -> None:
    """Nothing lies between two words."""
    model = network("embedding", seed=0)
    x, y, _ = batch("embedding", model, seed=0)
    with pytest.raises(nnplug.ShapeError, match="the model takes int64, and integers have no gradient"):
        model.input_gradient(x, y)
