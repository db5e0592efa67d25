"""The teaching systems that nnplug grew out of, rebuilt from names: what worked there works, what was wrong is right.

S0: modular layers, solver and update rules, after CS231n. S1 and S3: "Deep Learning from Scratch", chapters 4 and 5.
S2: a four-layer network, 784-128-64-10, one sample at a time. What their single layers and losses must do, S4's
exercises among it, is tested with the plugins; how accurate their networks are, with the presets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    Context,
    Dataset,
    Layer,
    Model,
    Params,
    Plan,
    Solver,
    norm_error,
    numerical_gradient,
)

five_seeds = pytest.mark.parametrize("seed", range(5))


def network(sizes: Sequence[int], activation: str = "relu", init: Any = "he", **options: Any) -> Model:
    """A fully connected network of any depth; ``sizes`` from input to output."""
    layers: list[Any] = []
    for units in sizes[1:]:
        layers += [{"type": "affine", "units": units, "weight_init": init}, activation]
    config = {"layers": layers[:-1], "loss": options.pop("loss", "softmax"), "l2": options.pop("l2", 0.0)}
    return nnplug.build(config, input_shape=sizes[0], **{"dtype": "float64", **options})


def two_layer_net(inputs: int = 784, hidden: int = 50, classes: int = 10, std: float = 0.01, **options: Any) -> Model:
    """TwoLayerNet, as S0, S1 and S3 have it."""
    return network([inputs, hidden, classes], init={"type": "normal", "std": std}, **options)


def with_biases(model: Model) -> Model:
    """The model with biases that are not all zero, so that nothing is right by accident."""
    for path, array in model.params.items():
        if path.endswith("b"):
            array[...] = np.random.default_rng(model.seed).normal(size=array.shape)
    return model


def images(seed: int, rows: int, pixels: int = 784, classes: int = 10) -> tuple[Array, Array]:
    """Random pixels from 0 to 1 and random labels."""
    rng = np.random.default_rng(seed)
    return rng.random((rows, pixels)), rng.integers(classes, size=rows)


def accuracy(model: Model, x: Array, labels: Array) -> float:
    """The share of right predictions, by hand."""
    return float(np.mean(model.predict(x) == labels))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Real digits of 64 pixels."""
    return nnplug.load_data("digits")


# S0: modular layers, a solver apart from the model, update rules


@five_seeds
def test_s0_loss_before_training_is_that_of_guessing(seed: int) -> None:
    """With tiny weights all ten classes are alike: softmax costs log(10), the SVM a margin for each of nine."""
    x, y = images(seed, 50, pixels=3 * 32 * 32)
    expected = {"softmax": np.log(10), "svm": 9.0}
    for loss, value in expected.items():
        model = two_layer_net(3 * 32 * 32, 100, std=1e-3, loss=loss, seed=seed)
        assert model.loss(x, y) == pytest.approx(value, rel=1e-3)


@five_seeds
def test_s0_weights_are_gaussian_around_zero(seed: int) -> None:
    """Half of them negative, two thirds within one standard deviation: the original drew only positive ones."""
    weights = two_layer_net(3 * 32 * 32, 100, std=1e-3, seed=seed).params["affine1.W"]
    assert np.mean(weights < 0) == pytest.approx(0.5, abs=0.005)
    assert np.mean(np.abs(weights) < 1e-3) == pytest.approx(0.6827, abs=0.005)


@five_seeds
@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_s0_objective_is_data_loss_and_half_the_squares(loss: str, seed: int) -> None:
    """Objective = data loss + 0.5 * l2 * sum(W * W), without the biases, and its gradient is the numerical one."""
    x, y = images(seed, 5, pixels=12, classes=4)
    plain, decayed = (with_biases(network([12, 10, 8, 4], loss=loss, l2=l2, seed=seed)) for l2 in (0.0, 0.3))
    squares = sum(np.sum(array * array) for path, array in decayed.params.items() if path.endswith("W"))
    assert decayed.loss(x, y) == pytest.approx(plain.loss(x, y) + 0.5 * 0.3 * squares, rel=1e-12)
    value, gradients = decayed.gradients(x, y)
    assert value == pytest.approx(decayed.loss(x, y), rel=1e-12)
    for path, numerical in decayed.numerical_gradients(x, y).items():
        assert norm_error(gradients[path], numerical) < 1e-7, path


RULES = {"sgd": 0.1, "momentum": 0.02, "rmsprop": 0.002, "adam": 0.002, "adagrad": 0.02}


def test_s0_update_rules_compared_on_one_network(digits: Dataset) -> None:
    """From the same start, over the same batches, every rule brings the loss down, each on a curve of its own."""
    curves = {}
    for name, rate in RULES.items():
        model = network([64, 50, 50, 10], scale=digits.scale, seed=0)
        update = {"type": name, "learning_rate": rate}
        curves[name] = list(Solver(model, digits, update=update, epochs=5, batch_size=50).fit().losses)
    assert len({curve[0] for curve in curves.values()}) == 1
    assert len({curve[-1] for curve in curves.values()}) == len(RULES)
    for name, curve in curves.items():
        assert np.mean(curve[-20:]) < 0.25 * curve[0], name


def test_s0_learning_rate_decays_once_an_epoch(digits: Dataset) -> None:
    """All steps of an epoch have one rate, 0.95 times that of the epoch before."""
    update = {"type": "sgd", "learning_rate": 0.1, "schedule": {"type": "exponential", "decay": 0.95}}
    model = network([64, 10], scale=digits.scale)
    history = Solver(model, digits, update=update, epochs=4, batch_size=100).fit()
    assert history.column("learning_rate") == pytest.approx([0.1, 0.095, 0.09025, 0.0857375])


@five_seeds
def test_s0_best_parameters_on_validation_are_kept(digits: Dataset, seed: int) -> None:
    """A learning rate that rises all the way first teaches and then ruins; the model ends with its best epoch's."""
    update = {"type": "sgd", "learning_rate": 20.0, "schedule": {"type": "constant", "warmup": 864}, "clip_norm": 1.0}
    model = network([64, 50, 10], scale=digits.scale, seed=seed)
    solver = Solver(model, digits, update=update, epochs=12, batch_size=16, validation=0.2)  # 72 steps an epoch
    history = solver.fit()
    seen = history.column("validation_accuracy")
    assert seen[-1] < 0.5 < max(seen), "this run cannot tell the best epoch from the last"
    assert history.best_epoch == 1 + int(np.argmax(seen))
    assert solver.evaluate("validation")["accuracy"] == max(seen)


def test_s0_history_holds_what_the_course_plots(digits: Dataset) -> None:
    """The loss of every iteration, and the accuracy on train and validation after every epoch."""
    model = network([64, 50, 10], scale=digits.scale)
    history = Solver(model, digits, epochs=3, batch_size=100, validation=0.1).fit()
    assert len(history.losses) == 3 * 13  # 1,294 rows of the 1,438 in batches of 100
    for column in ("train_accuracy", "validation_accuracy"):
        assert len(history.column(column)) == 3
        assert all(0 < value <= 1 for value in history.column(column))


# S1 and S3: mini-batch backpropagation, layers as classes


@five_seeds
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_s1_gradient_is_the_numerical_gradient(activation: str, seed: int) -> None:
    """Of TwoLayerNet(784, 50, 10) on three images: every bias, all of W2, and W1 at three pixels of 784."""
    x, y = images(seed, 3)
    model = two_layer_net(activation=activation, seed=seed)
    gradients = model.gradients(x, y)[1]

    def check(name: str, rows: Any) -> None:
        numerical = numerical_gradient(lambda: model.loss(x, y), model.params[name][rows])
        assert norm_error(gradients[name][rows], numerical) < 1e-7, name

    for name in ("affine1.b", "affine2.W", "affine2.b"):
        check(name, ...)
    for pixel in (0, 391, 783):
        check("affine1.W", pixel)


@five_seeds
@pytest.mark.parametrize("rows", [1, 10, 37])
def test_s1_index_and_one_hot_targets_are_the_same(rows: int, seed: int) -> None:
    """Loss, accuracy and gradients agree; also for ten rows of ten classes, where a mistake in shapes goes unseen."""
    x, y = images(seed, rows)
    one_hot = np.eye(10)[y]
    model = two_layer_net(std=0.1, seed=seed)
    assert model.evaluate(x, one_hot) == pytest.approx(model.evaluate(x, y), rel=1e-12)
    assert model.evaluate(x, y)["accuracy"] == accuracy(model, x, y)
    (loss, gradients), (loss_one_hot, gradients_one_hot) = model.gradients(x, y), model.gradients(x, one_hot)
    assert loss_one_hot == pytest.approx(loss, rel=1e-12)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(gradients_one_hot[path], gradient, rtol=1e-12, atol=1e-15)


def test_s1_training_on_one_hot_targets_is_the_same(digits: Dataset) -> None:
    """The same network comes out, to the last bit."""
    x, y = digits.train
    ends = []
    for targets in (y, np.eye(10)[y]):
        model = two_layer_net(64, scale=digits.scale)
        Solver(model, (x, targets), update={"type": "sgd", "learning_rate": 0.1}, epochs=2, batch_size=100).fit()
        ends.append(model.params["affine1.W"].tobytes())
    assert ends[0] == ends[1]


@frozen
class Witness(Layer):
    """Notes which rows a training step sees; the first pixel of a row is its number.

    Args:
        seen: is added to, a list for each batch.
    """

    seen: list[Array] = field(factory=list)

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """Return x."""
        if ctx.training:
            self.seen.append(x[:, 0].astype(int))
        return x, None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """Return dout."""
        return dout


@pytest.fixture
def many() -> tuple[Array, Array]:
    """50,000 rows, the number of each in its first pixel."""
    x, y = images(0, 50_000, pixels=2)
    x[:, 0] = np.arange(50_000)
    return x, y


Train = Callable[..., tuple[nnplug.History, list[Array]]]


@pytest.fixture
def train_on_many(many: tuple[Array, Array]) -> Train:
    """Train a little network on them in batches of 128; the history, and the rows of every batch."""

    def train(**length: Any) -> tuple[nnplug.History, list[Array]]:
        witness = Witness()
        model = nnplug.build([witness, {"type": "affine", "units": 10}], input_shape=2, dtype="float64")
        solver = Solver(model, many, update={"type": "sgd", "learning_rate": 1e-12}, batch_size=128, **length)
        return solver.fit(), witness.seen

    return train


def test_s1_once_an_epoch_is_once_an_epoch(train_on_many: Train) -> None:
    """50,000 / 128 is no whole number: an evaluation comes every 391 steps, not when ``step % 390.625 == 0``."""
    assert train_on_many(epochs=3)[0].column("step") == [391, 782, 1173]
    assert train_on_many(iterations=1000)[0].column("step") == [391, 782, 1000]


def test_s1_no_row_is_drawn_twice_in_an_epoch(train_on_many: Train) -> None:
    """Every row once an epoch, the short last batch of 80 included, and in another order the next time."""
    batches = train_on_many(epochs=2)[1]
    assert [len(batch) for batch in batches] == [*[128] * 390, 80] * 2
    first, second = np.concatenate(batches[:391]), np.concatenate(batches[391:])
    for rows in (first, second):
        np.testing.assert_array_equal(np.sort(rows), np.arange(50_000))
    assert np.mean(first == second) < 0.01


@five_seeds
def test_s1_recorded_loss_is_the_one_before_the_update(seed: int) -> None:
    """With all rows in each batch, loss i is that of the network after i updates; the original's was one further."""
    x, y = images(seed, 30)
    losses = []
    for steps in range(4):
        model = two_layer_net(seed=seed)
        if steps:
            losses = list(Solver(model, (x, y), update="sgd", iterations=steps, batch_size=30).fit().losses)
        after = model.loss(x, y)
        longer = Solver(two_layer_net(seed=seed), (x, y), update="sgd", iterations=steps + 1, batch_size=30).fit()
        assert longer.losses[steps] == pytest.approx(after, rel=1e-12)
        assert list(longer.losses[:steps]) == losses


# S2: a four-layer network and its exercises


@five_seeds
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("sizes", [(7, 3), (7, 6, 5, 4), (5, 9, 4, 8, 6, 3)], ids=str)
def test_s2_any_sizes(sizes: tuple[int, ...], activation: str, seed: int) -> None:
    """Forward and backward are loops over the layers: weights and biases have the numerical gradient at any depth."""
    x, y = images(seed, 4, pixels=sizes[0], classes=sizes[-1])
    model = with_biases(network(sizes, activation, init={"type": "normal", "std": 1.0}, seed=seed))
    shapes = [array.shape for path, array in model.params.items() if path.endswith("W")]
    assert shapes == list(pairwise(sizes))
    gradients = model.gradients(x, y)[1]
    numericals = model.numerical_gradients(x, y)
    assert len(numericals) == 2 * (len(sizes) - 1)
    for path, numerical in numericals.items():
        assert norm_error(gradients[path], numerical) < 1e-7, path


@five_seeds
def test_s2_gradient_of_one_sample_is_an_outer_product(seed: int) -> None:
    """Of x and the layer's dout, which is db; had it been their dot product, all weights would move alike."""
    x, y = images(seed, 1)
    model = network([784, 128, 64, 10], "sigmoid", init={"type": "xavier", "mode": "fan_out"}, seed=seed)
    gradients = model.gradients(x, y)[1]
    inputs = [x, *(model.activations(x)[name] for name in ("sigmoid1", "sigmoid2"))]
    for i, entering in enumerate(inputs, start=1):
        expected = np.outer(entering[0], gradients[f"affine{i}.b"])
        np.testing.assert_allclose(gradients[f"affine{i}.W"], expected, rtol=1e-12, atol=1e-18)


def test_s2_one_sample_at_a_time(digits: Dataset) -> None:
    """Batches of one: as many steps as rows, and a network that learns."""
    x, y = (part[:500] for part in digits.train)
    model = network([64, 32, 16, 10], "sigmoid", init="xavier", scale=digits.scale)
    history = Solver(model, (x, y), update={"type": "sgd", "learning_rate": 0.3}, epochs=6, batch_size=1).fit()
    assert history.column("step") == [500, 1000, 1500, 2000, 2500, 3000]
    assert history.column("train_accuracy")[-1] > 0.9


def test_s2_every_epoch_has_its_time_and_its_accuracy(digits: Dataset) -> None:
    """15 of 100 rows are held out; time in training only ever grows, and accuracies are shares, not percents of one."""
    model = network([64, 32, 16, 10], scale=digits.scale)
    solver = Solver(model, digits, update={"type": "adam", "learning_rate": 0.01}, epochs=3, validation=0.15)
    history = solver.fit()
    assert (solver.splits["train"].rows, solver.splits["validation"].rows) == (1222, 216)
    seconds = history.column("train_seconds")
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    x, y = digits.test
    assert solver.evaluate("test")["accuracy"] == accuracy(model, x, y) > 0.5


def test_s2_nothing_overflows() -> None:
    """Pixels up to 255 that nobody scaled, weights of 1: no warning (they are errors here), and the loss is finite."""
    x, y = images(0, 50)
    for activation in ("sigmoid", "relu"):
        model = network([784, 128, 64, 10], activation, init={"type": "normal", "std": 1.0}, dtype="float32")
        loss, gradients = model.gradients(255 * x, y)
        assert np.isfinite(loss)
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())
