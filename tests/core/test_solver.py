"""The training loop: what is trained on, what is recorded, which parameters stay, how it ends."""

from __future__ import annotations

import os
import re
import signal
import threading
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from math import ceil, cos, inf, isfinite, nan, pi
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from attrs import define, field, frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    Callback,
    ConfigError,
    Context,
    DataError,
    Dataset,
    DivergedError,
    History,
    Layer,
    Loss,
    Metric,
    Model,
    NnplugError,
    Params,
    ParamSpec,
    Plan,
    PluginError,
    Run,
    Schedule,
    Solver,
    StateSpec,
    Step,
    UpdateRule,
)

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    SEEN.clear()


def affine(units: int, **options: Any) -> dict[str, Any]:
    """A table for an affine layer."""
    return {"type": "affine", "units": units, **options}


def sgd(learning_rate: float = 0.1, **options: Any) -> dict[str, Any]:
    """A table for gradient descent."""
    return {"type": "sgd", "learning_rate": learning_rate, **options}


def build(layers: Any = None, **options: Any) -> Model:
    """A classifier of samples (4,) into 3 classes."""
    config = {"layers": layers or [affine(6), "tanh", affine(3)], **options.pop("config", {})}
    return nnplug.build(config, **{"input_shape": 4, "seed": 1, "dtype": "float64", **options})


def data(rows: int = 30, seed: int = 0) -> tuple[Array, Array]:
    """Samples of three classes that can be told apart, mostly."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return rng.normal(size=(rows, 4)) + 1.5 * np.eye(4)[y], y


def vector(model: Model) -> Array:
    """A copy of the parameters."""
    return model.network.buffers.vector.copy()


@frozen
class Rows(Loss):
    """Notes the rows it sees: the targets are their numbers."""

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Nothing to learn."""
        if ctx.training:
            SEEN.append(targets.tolist())
        return np.zeros(len(scores)), np.zeros_like(scores)

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Anything goes."""


@frozen
class Rates(UpdateRule):
    """Notes the learning rate of every step."""

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Note it; such a small network is one block."""
        SEEN.append(step.learning_rate)


@define
class Log(Callback):
    """Notes who was called when."""

    name: str = "log"

    def start(self, run: Run) -> None:
        """Note."""
        SEEN.append((self.name, "start", run.step, run.epoch))

    def step(self, run: Run) -> None:
        """Note."""
        SEEN.append((self.name, "step", run.step, run.epoch))

    def epoch(self, run: Run) -> None:
        """Note."""
        SEEN.append((self.name, "epoch", run.step, run.epoch))

    def stop(self, run: Run) -> None:
        """Note."""
        SEEN.append((self.name, "stop", run.history.stopped))


@define
class At(Callback):
    """Does something after a step, or after an epoch.

    Args:
        steps: step -> what to do.
        epochs: epoch -> what to do.
    """

    steps: dict[int, Any] = field(factory=dict)
    epochs: dict[int, Any] = field(factory=dict)

    def step(self, run: Run) -> None:
        """Do it."""
        if run.step in self.steps:
            self.steps[run.step](run)

    def epoch(self, run: Run) -> None:
        """Do it."""
        if run.epoch in self.epochs:
            self.epochs[run.epoch](run)


# What is trained on


def seen_rows(rows: int, **options: Any) -> list[list[int]]:
    """The rows of every batch."""
    SEEN.clear()
    model = build([affine(2)], config={"loss": Rows()})
    Solver(model, (np.zeros((rows, 4)), np.arange(rows)), evaluate=(), **options).fit()
    return list(SEEN)


@pytest.mark.parametrize(("rows", "size"), [(23, 5), (20, 5), (7, 7), (5, 1), (23, 22)])
def test_every_epoch_sees_every_row_once_in_another_order(rows: int, size: int) -> None:
    """Without replacement, shuffled anew each epoch, the last short batch kept."""
    batches = seen_rows(rows, epochs=3, batch_size=size)
    in_epoch = ceil(rows / size)
    assert len(batches) == 3 * in_epoch
    epochs = [[row for batch in batches[i : i + in_epoch] for row in batch] for i in range(0, 3 * in_epoch, in_epoch)]
    assert all(sorted(epoch) == list(range(rows)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    lengths = [len(batch) for batch in batches[:in_epoch]]
    assert lengths == [size] * (rows // size) + ([rows % size] if rows % size else [])


@pytest.mark.parametrize(("iterations", "epochs"), [(1, 1), (4, 1), (5, 1), (6, 2), (12, 3)])
def test_iterations_count_updates(iterations: int, epochs: int) -> None:
    """Exactly so many updates, in the middle of an epoch if need be; the cut epoch has a row of its own."""
    solver = Solver(build(), data(23), iterations=iterations, batch_size=5)
    assert (solver.run.total_steps, solver.run.total_epochs) == (iterations, epochs)
    history = solver.fit()
    assert len(history.losses) == iterations
    assert [row["epoch"] for row in history.epochs] == list(range(1, epochs + 1))
    assert [row["step"] for row in history.epochs] == [min(5 * e, iterations) for e in range(1, epochs + 1)]
    assert history.stopped == "finished"


def test_ten_epochs_are_the_default_and_one_length_is_enough() -> None:
    """Without a length there are ten epochs; two lengths are refused."""
    assert Solver(build(), data(20), batch_size=8).run.total_steps == 30
    with pytest.raises(ConfigError) as caught:
        Solver(build(), data(20), batch_size=8, epochs=1, iterations=1)
    assert str(caught.value) == "train: give 'epochs' or 'iterations', not both"


def test_the_order_of_rows_depends_on_the_seed_alone() -> None:
    """The network, the loss and dropout have no say in the shuffling."""
    orders = []
    for layers in ([affine(2)], [affine(5), {"type": "dropout"}, affine(2)]):
        SEEN.clear()
        model = build(layers, config={"loss": Rows()})
        Solver(model, (np.zeros((9, 4)), np.arange(9)), evaluate=(), epochs=2, batch_size=4).fit()
        orders.append(list(SEEN))
    assert orders[0] == orders[1]


# What is computed


def by_hand(model: Model, x: Array, y: Array, weight: Any, steps: int, rate: float, mu: float = 0.0) -> list[float]:
    """Full-batch training in six lines, with nothing of the solver's."""
    losses, speed = [], {path: np.zeros_like(array) for path, array in model.params.items()}
    for _ in range(steps):
        loss, gradients = model.gradients(x, y, weight)
        losses.append(loss)
        for path, array in model.params.items():
            speed[path] = mu * speed[path] - rate * gradients[path]
            array += speed[path]
    return losses


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mu", [0.0, 0.9])
@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_training_is_what_a_loop_by_hand_does(loss: str, mu: float, weighted: bool) -> None:
    """Parameters and losses are those of a plain loop over `gradients`, L2 and weights included."""
    x, y = data()
    weight = np.random.default_rng(1).uniform(0, 2, 30) if weighted else None
    trained, expected = (build(config={"l2": 0.3, "loss": loss}) for _ in range(2))
    first = trained.loss(x, y, weight)
    rule = {"type": "momentum", "learning_rate": 0.05, "momentum": mu}
    history = Solver(trained, (x, y, weight), update=rule, epochs=8, batch_size=30).fit()
    losses = by_hand(expected, x, y, weight, 8, 0.05, mu)
    np.testing.assert_allclose(history.losses, losses, rtol=1e-9)
    np.testing.assert_allclose(vector(trained), vector(expected), rtol=1e-9, atol=1e-12)
    assert history.losses[0] == pytest.approx(first, rel=1e-12)  # before the first update
    assert history.epochs[-1]["train_loss"] == pytest.approx(trained.loss(x, y, weight), rel=1e-12)  # after the last


def test_losses_are_those_of_the_batches_before_their_updates() -> None:
    """With one row a batch, each loss is `model.loss` of that row with the parameters of that moment."""
    model, (x, y) = build(config={"l2": 0.1}), data(6)
    expected: list[list[float]] = []

    def note(run: Run) -> None:
        expected.append([model.loss(x[i : i + 1], y[i : i + 1]) for i in range(6)])

    note(None)  # type: ignore[arg-type]
    at = At(steps=dict.fromkeys(range(1, 7), note))
    history = Solver(model, (x, y), epochs=1, batch_size=1, callbacks=[at], update=sgd(0.5)).fit()
    for found, candidates in zip(history.losses, expected, strict=False):
        assert min(abs(found - c) for c in candidates) < 1e-12


@pytest.mark.parametrize("trainable", ["affine1", "affine2"])
def test_only_what_is_trainable_moves(trainable: str) -> None:
    """Frozen layers keep their bytes, the others learn; L2 does not pull on what is frozen."""
    layers = [affine(6, trainable=trainable == "affine1"), "tanh", affine(3, trainable=trainable == "affine2")]
    model = build(layers, config={"l2": 1.0})
    before = {path: array.copy() for path, array in model.params.items()}
    Solver(model, data(), epochs=2, batch_size=8, update={"type": "adamw", "weight_decay": 0.1}).fit()
    for path, array in model.params.items():
        assert np.array_equal(array, before[path]) != path.startswith(trainable), path


def test_a_gradient_is_clipped_to_the_norm() -> None:
    """No step of gradient descent is longer than rate times norm, and the long ones are exactly that long."""
    model = build()
    moved: list[float] = []
    position = [vector(model)]

    def note(run: Run) -> None:
        moved.append(float(np.linalg.norm(vector(model) - position[0])))
        position[0] = vector(model)

    steps = At(steps=dict.fromkeys(range(100), note))
    Solver(model, data(), epochs=6, batch_size=5, update=sgd(0.1, clip_norm=0.5), callbacks=[steps]).fit()
    assert max(moved) == pytest.approx(0.05, rel=1e-12)
    assert moved.count(max(moved)) < len(moved)
    assert sum(m == pytest.approx(0.05, rel=1e-9) for m in moved) > 3


@frozen
class Ramp(Schedule):
    """Notes what it is asked, and falls linearly."""

    def factor(self, step: int, total: int, history: History) -> float:
        """1 - step / total."""
        SEEN.append(("asked", step, total, len(history.losses)))
        return 1 - step / total


@pytest.mark.parametrize("warmup", [0, 1, 4, 11, 12, 50])
def test_the_learning_rate_follows_warm_up_and_schedule(warmup: int) -> None:
    """Linear up to the full rate over the warm-up, then cosine over the steps that remain."""
    rule = Rates(learning_rate=0.2, schedule=nnplug.Registry().create("schedule", {"type": "cosine", "warmup": warmup}))
    history = Solver(build(), data(20), update=rule, epochs=3, batch_size=5).fit()
    expected = [
        0.2 * (t + 1) / warmup if t < warmup else 0.2 * (1 + cos(pi * (t - warmup) / (12 - warmup))) / 2
        for t in range(12)
    ]
    np.testing.assert_allclose(SEEN, expected, rtol=1e-12)
    assert history.column("learning_rate") == pytest.approx([expected[3], expected[7], expected[11]], rel=1e-12)


def test_a_schedule_is_asked_for_the_step_to_come_without_the_warm_up() -> None:
    """A stranger's schedule gets steps from 0 and their total, both after the warm-up."""
    Solver(
        build(), data(20), update=Rates(learning_rate=1.0, schedule=Ramp(warmup=2)), iterations=6, batch_size=20
    ).fit()
    rates = [s for s in SEEN if isinstance(s, float)]
    assert rates == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert {s[2] for s in SEEN if isinstance(s, tuple)} == {4}
    assert {s[1] for s in SEEN if isinstance(s, tuple)} == {0, 1, 2, 3}


@pytest.mark.parametrize("name", [n for n in nnplug.Registry().names("schedule") if n != "plateau"])
def test_every_schedule_trains(name: str) -> None:
    """Each registered schedule gives positive, finite rates in a real run, the first being the full one."""
    table = {"type": name} | ({"milestones": [3, 7]} if name == "step" else {})
    schedule = nnplug.Registry().create("schedule", table)
    Solver(build(), data(20), update=Rates(learning_rate=0.1, schedule=schedule), epochs=3, batch_size=5).fit()
    assert SEEN[0] == pytest.approx(0.1)
    assert all(0 <= rate <= 0.1 + 1e-12 for rate in SEEN)


def test_a_plateau_lowers_the_rate() -> None:
    """The one schedule that looks at the history: without progress the rate falls."""
    rule = Rates(learning_rate=0.1, schedule=nnplug.Registry().create("schedule", {"type": "plateau", "patience": 2}))
    history = Solver(build(), data(40), update=rule, epochs=8, batch_size=10, validation=0.25).fit()
    rates = history.column("learning_rate")
    assert rates[0] == 0.1
    assert rates[-1] < 0.1


@frozen
class Newton(UpdateRule):
    """A stranger's rule that needs matrices: steps along the orthogonal part of the gradient."""

    slots: ClassVar[tuple[str, ...]] = ("seen",)
    elementwise: ClassVar[bool] = False
    decays: ClassVar[bool] = True

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Decompose matrices, take the sign of vectors."""
        SEEN.append((w.shape, dw.shape, slots["seen"].shape, step.decay))
        slots["seen"][...] = dw
        if w.ndim == 2:
            u, _, v = np.linalg.svd(dw, full_matrices=False)
            w -= step.learning_rate * (u @ v)
        else:
            w -= step.learning_rate * np.sign(dw)


def test_a_rule_for_matrices_trains() -> None:
    """A rule that is not elementwise sees parameters in their own shapes, and learns."""
    model = build()
    history = Solver(model, data(60), update=Newton(learning_rate=0.02), epochs=10, batch_size=20).fit()
    assert set(SEEN) == {(s, s, s, len(s) == 2) for s in [(4, 6), (6,), (6, 3), (3,)]}
    assert history.epochs[-1]["train_accuracy"] > 0.7
    assert history.epochs[-1]["train_loss"] < 0.9 * history.losses[0]


# Weights


def trained_on(split: Any, **options: Any) -> Array:
    """The parameters after a few full-batch steps."""
    model = build()
    Solver(model, split, epochs=6, batch_size=len(split[0]), update=sgd(0.3), **options).fit()
    return vector(model)


def test_a_row_of_weight_two_is_the_row_given_twice() -> None:
    """Weights count rows: 2 is twice, 0 is never, and all the same is as none."""
    x, y = data(12)
    weight = np.ones(12)
    weight[3], weight[7] = 2, 0
    twice = np.array([0, 1, 2, 3, 3, 4, 5, 6, 8, 9, 10, 11])
    np.testing.assert_allclose(trained_on((x, y, weight)), trained_on((x[twice], y[twice])), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(trained_on((x, y, np.full(12, 0.2))), trained_on((x, y)), rtol=1e-9, atol=1e-12)
    assert not np.allclose(trained_on((x, y, weight)), trained_on((x, y)))


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("options", [{}, {"class_weights": (1e308, 1e308, 1e308)}])
def test_weights_whose_sum_is_not_finite_are_refused(options: dict[str, Any]) -> None:
    """Each row's share would be 0, and nothing learned without a word."""
    x, y = data(12)
    weight = None if options else np.full(12, 1e308)
    with pytest.raises(DataError, match=r"^the weights of a batch of 12 rows sum to inf; make them smaller$"):
        Solver(build(), (x, y, weight), epochs=1, batch_size=12, **options).fit()


def test_class_weights_are_sample_weights_by_class() -> None:
    """Each row weighs as its class does, times its own weight; "balanced" is inverse frequency."""
    x, y = data(20)
    wanted = np.array([1.0, 3.0, 0.5])
    own = np.random.default_rng(0).uniform(0.5, 2, 20)
    by_class = trained_on((x, y), class_weights=tuple(wanted))
    np.testing.assert_allclose(by_class, trained_on((x, y, wanted[y])), rtol=1e-9, atol=1e-12)
    both = trained_on((x, y, own), class_weights=tuple(wanted))
    np.testing.assert_allclose(both, trained_on((x, y, own * wanted[y])), rtol=1e-9, atol=1e-12)
    counts = np.bincount(y)
    balanced = trained_on((x, y), class_weights="balanced")
    np.testing.assert_allclose(balanced, trained_on((x, y, 20 / (3 * counts[y]))), rtol=1e-9, atol=1e-12)


def test_unsigned_class_indices_can_be_weighted() -> None:
    """Targets of any integer dtype index the class weights."""
    x, y = data(20)
    expected = trained_on((x, y), class_weights="balanced")
    for dtype in ("uint8", "uint64", "int32"):
        np.testing.assert_array_equal(trained_on((x, y.astype(dtype)), class_weights="balanced"), expected)


def test_a_batch_that_weighs_nothing_moves_nothing() -> None:
    """Rows of weight 0 in a batch of their own give loss 0 and no step, not a division by zero."""
    x, y = data(4)
    model = build()
    before = vector(model)
    history = Solver(model, (x, y, [0, 0, 0, 1.0]), iterations=4, batch_size=1, update=sgd(0.1), evaluate=()).fit()
    assert sorted(history.losses)[:3] == [0, 0, 0]
    assert max(history.losses) > 0
    assert not np.array_equal(vector(model), before)
    assert np.isfinite(vector(model)).all()


# What is recorded


def test_a_solver_shows_itself_in_a_line() -> None:
    """What it trains, and how far it is."""
    solver = Solver(build(), data(), batch_size=10, epochs=500, evaluate=())
    assert repr(solver) == "<Solver of <Model (4,) -> (3,), 51 parameters>: 0 of 1,500 steps done>"
    solver.fit()
    assert repr(solver) == "<Solver of <Model (4,) -> (3,), 51 parameters>: 1,500 of 1,500 steps done>"


def test_a_row_an_epoch() -> None:
    """Epoch, step, rate and seconds, then loss and metrics of the splits that are evaluated, in this order."""
    train, validation, test = data(20), data(10, 1), data(10, 2)
    model = build()
    history = Solver(model, Dataset(train, validation, test), epochs=2, batch_size=5).fit()
    columns = "epoch step learning_rate train_seconds train_loss train_accuracy validation_loss validation_accuracy"
    assert [list(row) for row in history.epochs] == 2 * [columns.split()]
    seconds = history.column("train_seconds")
    assert 0 < seconds[0] < seconds[1] == history.train_seconds
    assert history.column("step") == [4, 8]
    best = history.epochs[history.best_epoch - 1]  # type: ignore[operator]
    assert model.evaluate(*validation) == pytest.approx(
        {"loss": best["validation_loss"], "accuracy": best["validation_accuracy"]}
    )


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({"evaluate": ()}, set()),
        ({"evaluate": ("test",)}, {"test_loss", "test_accuracy"}),
        ({"evaluate": ["validation"], "metrics": []}, {"validation_loss"}),
        ({"evaluate": ("train",), "metrics": [{"type": "top_k", "k": 2}]}, {"train_loss", "train_top_k"}),
    ],
)
def test_what_is_evaluated_can_be_chosen(options: dict[str, Any], columns: set[str]) -> None:
    """Splits and metrics are chosen; those of a table too."""
    solver = Solver(build(), Dataset(data(20), data(10, 1), data(10, 2)), epochs=1, batch_size=5, **options)
    history = solver.fit()
    assert set(history.epochs[0]) - {"epoch", "step", "learning_rate", "train_seconds"} == columns
    assert (history.monitor is None) == ("validation" not in options["evaluate"])


def test_splits_can_be_evaluated_afterwards() -> None:
    """`evaluate` gives the loss and metrics of any split, with the parameters as they are."""
    model, test = build(), data(15, 3)
    solver = Solver(model, Dataset(data(20), test=test), epochs=1, batch_size=5)
    solver.fit()
    assert solver.evaluate("test") == pytest.approx(model.evaluate(*test))
    assert set(solver.splits) == {"train", "test"}


# What is monitored


@pytest.mark.parametrize(
    ("options", "monitor", "higher"),
    [
        ({"validation": 0.2}, "validation_accuracy", True),
        ({"validation": 0.2, "monitor": "loss"}, "validation_loss", False),
        ({"validation": 0.2, "metrics": ()}, "validation_loss", False),
        ({"validation": 0.2, "metrics": ("top_k", "accuracy")}, "validation_top_k", True),
        ({}, None, True),
    ],
)
def test_the_first_metric_on_validation_is_monitored(
    options: dict[str, Any], monitor: str | None, higher: bool
) -> None:
    """By default what fits the loss; loss if nothing else; nothing without validation."""
    options = {**options}
    if "top_k" in options.get("metrics", ()):
        options["metrics"] = [{"type": "top_k", "k": 2}, "accuracy"]
    history = Solver(build(), data(), epochs=1, batch_size=5, **options).history
    assert (history.monitor, history.higher_is_better) == (monitor, higher)


def test_errors_are_better_when_lower() -> None:
    """A metric says itself which way is up."""
    model = build([affine(1)], config={"loss": "mse"})
    x = np.random.default_rng(0).normal(size=(20, 4))
    history = Solver(model, (x, x.sum(axis=1)), epochs=5, batch_size=4, validation=0.2).fit()
    assert (history.monitor, history.higher_is_better) == ("validation_mean_absolute_error", False)
    values = history.column("validation_mean_absolute_error")
    assert history.best_epoch == values.index(min(values)) + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": "loss"}, "train.monitor: there is no validation split; set train.validation = 0.1"),
        (
            {"monitor": "acuracy", "validation": 0.2},
            "train.monitor: 'acuracy' is not evaluated; there are loss, accuracy",
        ),
        ({"batch_sise": 3}, "train.batch_sise: [train] has no option 'batch_sise'; did you mean 'batch_size'?"),
        ({"epochs": 0}, "train.epochs: must be >= 1: 0"),
        ({"epochs": 2.5}, "train.epochs: expected an integer or nothing, got 2.5"),
        ({"validation": 1.0}, "train.validation: must be < 1: 1.0"),
        ({"validation": -0.1}, "train.validation: must be >= 0: -0.1"),
        ({"max_seconds": 0}, "train.max_seconds: must be > 0: 0.0"),
        ({"evaluate": ["trian"]}, "train.evaluate[0]: expected one of 'train', 'validation', 'test', got 'trian'"),
        ({"update": "sdg"}, "no update rule is called 'sdg'; did you mean 'sgd'? There are: "),
        ({"update": {"type": "sgd", "learning_rate": -1}}, "learning_rate: must be > 0: -1.0"),
        ({"update": {"type": "sgd", "schedule": "cosin"}}, "schedule: no schedule is called 'cosin'; did you mean"),
        ({"callbacks": ["early_stoping"]}, "train.callbacks[0]: no callback is called 'early_stoping'; did you mean"),
        ({"metrics": ["accurac"]}, "train.metrics[0]: no metric is called 'accurac'; did you mean 'accuracy'?"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    """Every wrong option is told with its path before anything is trained."""
    with pytest.raises(ConfigError) as caught:
        Solver(build(), data(), **{"batch_size": 5, **options})
    assert str(caught.value).startswith(message)


# Which parameters stay


def sabotage(run: Run) -> None:
    """Ruin the model, its state included."""
    run.model.network.buffers.vector[...] *= -5
    for array in run.model.state.values():
        array[...] = 1e3


def give_up(run: Run) -> None:
    """Raise."""
    raise RuntimeError("the callback broke")


def diverge(run: Run) -> None:
    """Make the next loss infinite."""
    run.model.network.buffers.vector[...] = nan


def press_ctrl_c(run: Run) -> None:
    """What a terminal does at Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


@frozen
class Count(Layer):
    """A stranger's layer that counts its training steps, in state."""

    def plan(self, x: ArraySpec) -> Plan:
        """One number."""
        return Plan(out=x, params={"s": ParamSpec((), 1.0)}, state={"n": StateSpec(())})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``s * x``."""
        if ctx.training:
            params["n"][...] += 1
        return params["s"] * x, x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return ``s * dout``."""
        grads["s"][...] = (dout * cache).sum()
        return params["s"] * dout


ENDINGS: dict[str, tuple[dict[str, Any], type[BaseException] | None, str]] = {
    "finished": ({}, None, "finished"),
    "early stopping": (
        {"callbacks": [{"type": "early_stopping", "patience": 2}]},
        None,
        r"no improvement of validation_loss over .* \(epoch 2\) for 2 epochs",
    ),
    "a callback asks": ({"steps": {30: lambda run: run.stop("enough")}}, None, "enough"),
    "a callback asks at an epoch's end": ({"epochs": {5: lambda run: run.stop("enough")}}, None, "enough"),
    "a step breaks": ({"steps": {27: give_up}}, RuntimeError, "failed"),
    "an epoch breaks": ({"epochs": {4: give_up}}, RuntimeError, "failed"),
    "divergence": ({"steps": {27: diverge}}, DivergedError, "the loss became nan"),
    "ctrl-c": ({"steps": {27: press_ctrl_c}}, None, "interrupted by SIGINT"),
    "ctrl-c between epochs": ({"epochs": {4: press_ctrl_c}}, None, "interrupted by SIGINT"),
    "impatient ctrl-c": (
        {"steps": {27: lambda run: (press_ctrl_c(run), press_ctrl_c(run))}},
        KeyboardInterrupt,
        "failed",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_best_parameters_stay_however_training_ends(ending: str) -> None:
    """After epoch 2 the model is ruined again and again; whatever happens then, epoch 2's parameters and state stay."""
    given, error, stopped = ENDINGS[ending]
    kept: list[Any] = []
    model = build([affine(6), Count(), "tanh", affine(3)])
    actions = At(
        steps=dict.fromkeys(range(17, 100, 3), sabotage) | given.get("steps", {}),
        epochs={2: lambda run: kept.append((vector(model), model.state["count1.n"].copy()))} | given.get("epochs", {}),
    )
    solver = Solver(
        model,
        Dataset(data(40), data(40, 1)),
        epochs=8,
        batch_size=5,
        monitor="loss",
        update=sgd(0.1),
        callbacks=[*given.get("callbacks", []), actions],
    )
    if error is None:
        solver.fit()
    else:
        with pytest.raises(error):
            solver.fit()
    history = solver.history
    losses = history.column("validation_loss")
    assert losses[1] == min(v for v in losses if v == v)
    assert history.best_epoch == 2
    np.testing.assert_array_equal(vector(model), kept[0][0])
    assert model.state["count1.n"] == kept[0][1] == 16
    assert model.evaluate(*data(40, 1))["loss"] == pytest.approx(losses[1])
    assert re.fullmatch(stopped, history.stopped)
    assert history.signal == (signal.SIGINT if "interrupted" in stopped else 0)


def test_without_validation_the_last_parameters_stay() -> None:
    """Nothing is monitored, nothing is put back."""
    model, last = build(), []
    at = At(epochs={3: lambda run: last.append(vector(model))})
    history = Solver(model, data(), epochs=3, batch_size=5, callbacks=[at]).fit()
    np.testing.assert_array_equal(vector(model), last[0])
    assert history.best_epoch is None


@frozen
class Given(Metric):
    """A metric that says what it was told to say.

    Args:
        values: one a call.
    """

    values: tuple[float, ...] = ()
    calls: list[int] = field(factory=list, eq=False)

    def __call__(self, scores: Array, targets: Array) -> float:
        """The next value."""
        self.calls.append(1)
        return self.values[len(self.calls) - 1]


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ((nan, 0.2, 0.1, nan), 2),
        ((nan, nan, nan, nan), None),
        ((0.3, nan, 0.3, 0.2), 1),
        ((-inf, nan, nan, nan), 1),
    ],
)
def test_nan_is_never_best(values: tuple[float, ...], best: int | None) -> None:
    """A monitored NaN is passed over; if there is nothing else, the last parameters stay."""
    model, kept = build(), [np.zeros(0)]
    at = At(epochs={e: lambda run: kept.append(vector(model)) for e in range(1, 5)})
    solver = Solver(
        model,
        Dataset(data(), data(10)),
        metrics=[Given(values)],
        evaluate=["validation"],
        epochs=4,
        batch_size=9,
        callbacks=[at],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = solver.fit()
    assert history.best_epoch == best
    assert ["so that none is the best" in str(w.message) for w in caught] == ([] if best else [True])
    np.testing.assert_array_equal(vector(model), kept[best or 4])


def test_the_test_split_decides_nothing() -> None:
    """Another test split changes neither the parameters nor the history, whatever is evaluated."""
    found = []
    for seed in (5, 6):
        model = build([affine(6), {"type": "dropout"}, affine(3)])
        split = Dataset(data(30), test=data(20, seed))
        options: dict[str, Any] = {"validation": 0.2, "callbacks": [{"type": "early_stopping", "patience": 3}]}
        history = Solver(
            model, split, epochs=9, batch_size=5, evaluate=("train", "validation", "test"), **options
        ).fit()
        rows = [{k: v for k, v in row.items() if "test" not in k and "seconds" not in k} for row in history.epochs]
        found.append((vector(model).tobytes(), list(history.losses), rows, history.best_epoch))
    assert found[0] == found[1]


class Forbidden:
    """A Source that must not be read."""

    rows = 10

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Complain."""
        raise AssertionError("the test split was read")


def test_the_test_split_is_not_even_read() -> None:
    """Unless it is asked for, the test split is never opened."""
    Solver(build(), Dataset(data(), test=Forbidden()), epochs=2, batch_size=9, validation=0.2).fit()


# How it ends


def test_callbacks_are_called_in_order() -> None:
    """Start once, then every step, every epoch, stop once; several callbacks in the order they were given."""
    Solver(build(), data(10), epochs=2, batch_size=5, callbacks=[Log(), Log("other")]).fit()
    mine = [s[1:] for s in SEEN if s[0] == "log"]
    assert mine == [
        ("start", 0, 0),
        *(("step", 1, 0), ("step", 2, 0), ("epoch", 2, 1)),
        *(("step", 3, 1), ("step", 4, 1), ("epoch", 4, 2)),
        ("stop", "finished"),
    ]
    assert [s[0] for s in SEEN] == ["log", "other"] * 8


def test_a_run_can_be_stopped_before_it_begins() -> None:
    """A callback may ask to stop at the start: no step is made."""

    @define
    class Never(Callback):
        """Stops at once."""

        def start(self, run: Run) -> None:
            run.stop("no need")

    history = Solver(build(), data(), batch_size=5, callbacks=[Never()]).fit()
    assert (len(history.losses), history.epochs, history.stopped) == (0, [], "no need")


def test_an_early_stop_evaluates_the_epoch_it_cut() -> None:
    """Stopped in the middle of an epoch, the row of that epoch is written all the same."""
    at = At(steps={3: lambda run: run.stop("")})
    history = Solver(build(), data(20), epochs=9, batch_size=5, callbacks=[at, Log()]).fit()
    assert history.stopped == "stopped"
    assert len(history.losses) == 3
    assert history.column("step") == [3]
    assert ("log", "epoch", 3, 1) in SEEN


@pytest.mark.parametrize("where", ["start", "step", "epoch", "stop"])
def test_every_callback_that_started_is_stopped(where: str) -> None:
    """If one callback raises, anywhere, all others that were started are told that it is over."""

    @define
    class Breaks(Callback):
        """Raises in one method."""

        def start(self, run: Run) -> None:
            self._maybe("start")

        def step(self, run: Run) -> None:
            self._maybe("step")

        def epoch(self, run: Run) -> None:
            self._maybe("epoch")

        def stop(self, run: Run) -> None:
            self._maybe("stop")

        def _maybe(self, here: str) -> None:
            if here == where:
                raise RuntimeError(f"broken in {here}")

    solver = Solver(build(), data(), epochs=1, batch_size=10, callbacks=[Log("a"), Breaks(), Log("b")])
    with pytest.raises(RuntimeError, match=f"^broken in {where}$"):
        solver.fit()
    told = "finished" if where == "stop" else "failed"
    assert ("a", "stop", told) in SEEN
    assert (("b", "stop", told) in SEEN) == (where != "start")
    assert (("b", "start", 0, 0) in SEEN) == (where != "start")
    with pytest.raises(NnplugError, match=r"^this Solver has done its work"):
        solver.fit()


def test_a_solver_trains_once() -> None:
    """A second fit is refused, and says what to do."""
    solver = Solver(build(), data(), epochs=1, batch_size=5)
    solver.fit()
    with pytest.raises(NnplugError) as caught:
        solver.fit()
    assert str(caught.value) == "this Solver has done its work; make a new one to train the model further"


def test_seconds_are_limited_at_the_end_of_a_step() -> None:
    """Time up: the step is finished, the epoch's row is written, the reason is told."""
    history = Solver(build(), data(), epochs=10**6, batch_size=5, max_seconds=0.05).fit()
    assert history.stopped == "max_seconds = 0.05 reached"
    assert len(history.losses) >= 1
    assert 0.05 <= history.train_seconds < 1
    assert history.epochs[-1]["step"] == len(history.losses)
    history = Solver(build(), data(), epochs=1, batch_size=30, max_seconds=1e-9, evaluate=()).fit()
    assert (len(history.losses), history.stopped) == (1, "finished")


@frozen
class Mean(Loss):
    """Squared errors, averaged in some way.

    Args:
        how: over everything, over the rows, or as a plain float.
    """

    how: str = "rows"

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept anything."""

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Any, Array]:
        """Return a mean, where a loss for each row is asked for."""
        r = scores - targets.astype(scores.dtype)
        losses = {"all": (r * r).mean(), "rows": (r * r).mean(axis=0), "float": float((r * r).mean())}
        return losses[self.how], 2 * r


@pytest.mark.parametrize(("how", "shape"), [("all", "()"), ("rows", "(3,)"), ("float", "()")])
def test_a_loss_that_takes_the_mean_is_refused(how: str, shape: str) -> None:
    """In the first step, and where a model is evaluated; else the numbers would be too small in silence."""
    x, labels = data(40)
    model, y = nnplug.build({"layers": [affine(3)], "loss": Mean(how)}, input_shape=4), np.eye(3)[labels]
    told = "value_and_grad of Mean must return a loss for each row, ({0},) or ({0}, T), not their mean: it returned {1}"
    with pytest.raises(PluginError, match=re.escape(told.format(8, shape))):
        Solver(model, (x, y), epochs=1, batch_size=8).fit()
    with pytest.raises(PluginError, match=re.escape(told.format(40, shape))):
        model.loss(x, y)


@frozen
class Wrong(Schedule):
    """Gives a factor that is none, from step 3 on.

    Args:
        given: which.
    """

    given: Any = nan

    def factor(self, step: int, total: int, history: History) -> float:
        """Return it."""
        return 1.0 if step < 2 else self.given


@pytest.mark.parametrize("given", [nan, inf, -0.5, None, "1"])
def test_a_factor_that_is_none_stops_before_the_update(given: Any) -> None:
    """The schedule is named, and the parameters stay as good as they were."""
    model = nnplug.build({"layers": [affine(3)], "loss": "softmax"}, input_shape=4)
    told = f"the schedule Wrong gave the factor {given!r} for step 3; it must be finite, not negative"
    with pytest.raises(NnplugError, match=f"^{re.escape(told)}$"):
        Solver(model, data(40), update=sgd(schedule=Wrong(given)), epochs=1, batch_size=8).fit()
    assert np.isfinite(vector(model)).all()


NEGATIVE = "weights that are not all finite numbers and none of them negative"


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (lambda x, y: (x, y), "with None for no weights; it yielded 2 values"),
        (lambda x, y: None, "with None for no weights; it yielded NoneType"),
        (lambda x, y: (x, y, 2.0), "8 rows with weights (), expected one per row, (8,)"),
        (lambda x, y: (x, y, np.ones((8, 1))), "8 rows with weights (8, 1), expected one per row, (8,)"),
        (lambda x, y: (x, y, np.linspace(-1, 1, 8)), NEGATIVE),
        (lambda x, y: (x, y, np.full(8, nan)), NEGATIVE),
    ],
)
def test_what_a_source_yields_is_checked(batch: Callable[[Array, Array], Any], told: str) -> None:
    """Weights as those of arrays are, and that there are three values."""
    x, y = data(8)

    class Odd:
        rows = None

        def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
            yield batch(x, y)

    model = nnplug.build({"layers": [affine(3)], "loss": "softmax"}, input_shape=4)
    with pytest.raises(DataError, match=re.escape(told)):
        Solver(model, Odd(), iterations=1, batch_size=8, evaluate=()).fit()


def test_a_folder_may_be_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are written to it as to a path; ``~`` is the home folder, where models are written, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    model = nnplug.build({"layers": [affine(3)], "loss": "softmax"}, input_shape=4)
    Solver(model, data(40), folder=str(tmp_path / "run"), epochs=9, batch_size=8, checkpoint_seconds=1e-9).fit()
    assert list((tmp_path / "run" / "checkpoints").iterdir())
    model.save("~/model.safetensors")
    assert nnplug.load("~/model.safetensors").params.keys() == model.params.keys()
    assert (tmp_path / "model.safetensors").is_file()
    assert not (tmp_path / "~").exists()


def test_one_name_is_a_list_of_one() -> None:
    """Where a list of names is expected, nobody means letters."""
    x, y = data(40)
    model = nnplug.build({"layers": [affine(3)], "loss": "softmax"}, input_shape=4)
    assert model.evaluate(x, y, metrics="accuracy") == model.evaluate(x, y, metrics=["accuracy"])
    assert list(model.numerical_gradients(x, y, names="affine1.b")) == ["affine1.b"]


def test_what_is_no_plugin_leaves_the_registry_as_it_was() -> None:
    """A list of classes is refused, and everything else goes on."""
    registry = nnplug.Registry()
    for wrong in ([Mean], {"mean": Mean}, 3):
        with pytest.raises(PluginError, match="is neither a component class nor a module with hooks of nnplug"):
            registry.register(wrong)
    assert nnplug.build(["relu", affine(3)], input_shape=4, registry=registry).params


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_names_the_step_and_the_last_losses() -> None:
    """The error tells where it happened and how it came; the history keeps the finite losses."""
    x = np.random.default_rng(0).normal(size=(20, 4))
    solver = Solver(
        build([affine(1)], config={"loss": "mse"}),
        (x, x.sum(axis=1)),
        update=sgd(1e6),
        epochs=99,
        batch_size=10,
        callbacks=[Log()],
        evaluate=(),
    )
    with pytest.raises(DivergedError) as caught:
        solver.fit()
    losses = list(solver.history.losses)
    assert len(losses) > 6
    assert all(isfinite(loss) for loss in losses)
    last = ", ".join(f"{loss:.4g}" for loss in losses[-5:])
    value = solver.history.stopped.removeprefix("the loss became ")
    assert value in {"inf", "nan"}
    rows = caught.value.rows
    assert str(caught.value) == (
        f"training diverged: the loss of step {len(losses) + 1} is {value}; every layer's output is finite, the loss "
        f"itself is not; the batch was rows {', '.join(map(str, rows[:5]))} and 5 more of the train split; "
        f"the last finite losses: {last}. Usual causes: a learning rate that is too large, inputs or targets that are "
        "not scaled, NaN or infinity in the data, a logarithm of zero, or a schedule that rises"
    )
    assert SEEN[-1] == ("log", "stop", f"the loss became {value}")


def test_divergence_in_the_first_step_has_no_last_losses() -> None:
    """Where there was no finite loss, none is told."""
    model = build()
    model.params["affine1.W"][...] = nan
    with pytest.raises(DivergedError, match=r"of step 1 is nan; .*; the last finite losses: none\. Usual causes"):
        Solver(model, data(), epochs=1, batch_size=5).fit()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_last_step_that_diverges_is_not_finished() -> None:
    """No loss comes after the last update; parameters that are no numbers any more are told all the same."""
    model, (x, y) = build([affine(3)], dtype="float32"), data()
    solver = Solver(model, (1e18 * x, y), iterations=1, batch_size=30, update=sgd(1e30))
    with pytest.raises(DivergedError) as caught:
        solver.fit()
    assert str(caught.value).startswith(
        f"training diverged: after step 1 affine1.W holds NaN or infinity; the last finite losses: "
        f"{solver.history.losses[0]:.4g}. Usual causes: "
    )
    assert solver.history.stopped == "the parameters hold NaN or infinity"
    assert solver.history.epochs == []


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_last_step_after_which_losses_are_not_finite_is_not_finished() -> None:
    """The parameters are finite still, but what they give is not; no model of that kind is called the best."""
    model, (x, y) = build([affine(3)], dtype="float32"), data()
    solver = Solver(model, (1e8 * x, y), iterations=1, batch_size=30, update=sgd(1e26))
    with pytest.raises(DivergedError, match=r"after step 1 the loss of the train split is nan; the last finite losses"):
        solver.fit()
    assert np.isfinite(vector(model)).all()
    assert (solver.history.epochs, solver.history.stopped) == ([], "the loss of the train split became nan")


@pytest.mark.parametrize("where", ["thread", "main"])
def test_training_in_a_thread_is_not_interrupted(where: str) -> None:
    """Outside the main thread training works as it does in it."""
    found: list[Any] = []

    def work() -> None:
        model = build()
        history = Solver(model, data(), epochs=2, batch_size=5).fit()
        found.append((vector(model).tobytes(), list(history.losses)))

    thread = threading.Thread(target=work)
    if where == "thread":
        thread.start()
        thread.join()
    else:
        work()
    model = build()
    history = Solver(model, data(), epochs=2, batch_size=5).fit()
    assert found == [(vector(model).tobytes(), list(history.losses))]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no way to send one process Ctrl-C")
def test_a_real_ctrl_c_ends_a_real_process(run_python: Callable[..., str]) -> None:
    """SIGINT from outside, while steps run: training ends after a step, the best parameters stay, the process lives."""
    printed = run_python(
        """
        import os, signal, threading
        import numpy as np
        import nnplug

        rng = np.random.default_rng(0)
        y = rng.integers(0, 3, 300)
        x = rng.normal(size=(300, 4)) + np.eye(4)[y]
        model = nnplug.build([{"type": "affine", "units": 3}], input_shape=4)
        solver = nnplug.Solver(model, (x, y), epochs=10**6, batch_size=10, validation=0.2)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        history = solver.fit()
        best = history.epochs[history.best_epoch - 1]["validation_accuracy"]
        print(history.stopped, history.signal, solver.evaluate("validation")["accuracy"] == best)
        print(len(history.losses) == history.epochs[-1]["step"], signal.getsignal(signal.SIGINT).__name__)
        """
    )
    assert printed.splitlines() == ["interrupted by SIGINT 2 True", "True default_int_handler"]


# Repeatable


LAYERS = [affine(8), {"type": "dropout"}, Count(), "relu", affine(3)]


def bytes_of(seed: int, update: Any = "adam", **options: Any) -> tuple[bytes, bytes]:
    """Parameters and losses after a run."""
    model = build(LAYERS, seed=seed, dtype="float32")
    given = {"epochs": 3, "batch_size": 7, "validation": 0.2, **options}
    history = Solver(model, data(40), update=update, **given).fit()
    return vector(model).tobytes(), history.losses.tobytes()


@pytest.mark.parametrize("update", nnplug.Registry().names("update_rule"))
def test_the_same_seed_gives_the_same_bytes(update: str) -> None:
    """Parameters and losses are equal to the last bit; another seed gives others; NumPy's global seed has no say."""
    first = bytes_of(3, update)
    np.random.seed(99)  # noqa: NPY002  (nothing may depend on it)
    assert bytes_of(3, update) == first
    assert bytes_of(4, update)[0] != first[0]


def test_evaluating_and_watching_change_nothing() -> None:
    """Callbacks, evaluation and calls of the model during training leave the training as it is."""

    def look(run: Run) -> None:
        x, y = data(9, 8)
        run.model.scores(x), run.model.gradients(x, y), run.model.activations(x), run.model.evaluate(x, y)

    plain = bytes_of(3)
    watched = bytes_of(3, callbacks=[At(steps=dict.fromkeys(range(99), look)), "progress"])
    assert watched == plain
    assert bytes_of(3, evaluate=("validation",)) == plain


def test_two_short_runs_are_one_long_run() -> None:
    """Streams go on where they stood: two solvers of two epochs do what one of four does."""
    long, short = (build(LAYERS) for _ in range(2))
    whole = Solver(long, data(30), epochs=4, batch_size=7, update=sgd(0.1)).fit()
    parts = [Solver(short, data(30), epochs=2, batch_size=7, update=sgd(0.1)).fit() for _ in range(2)]
    assert vector(long).tobytes() == vector(short).tobytes()
    assert list(whole.losses) == [*parts[0].losses, *parts[1].losses]


# Other people's data


class OnDisk:
    """An array-like that is no ndarray."""

    def __init__(self, values: Array) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Array:
        return self._values[index]


class Stream:
    """A Source over arrays, shuffled as it pleases."""

    def __init__(self, x: Array, y: Array, rows: int | None) -> None:
        self.x, self.y, self.rows = x, y, rows

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield one epoch."""
        order = np.arange(len(self.x)) if rng is None else rng.permutation(len(self.x))
        for i in range(start * batch_size, len(self.x), batch_size):
            rows = order[i : i + batch_size]
            yield self.x[rows], self.y[rows], None


def trained(split: Any, **options: Any) -> tuple[bytes, History]:
    """Parameters and history of a run on bytes."""
    model = build(scale=(128.0, 1 / 64), dtype="float32")
    history = Solver(model, split, **{"epochs": 3, "batch_size": 7, **options}).fit()
    return vector(model).tobytes(), history


def test_mapped_files_and_streams_train_to_the_same_bytes(tmp_path: Path) -> None:
    """A .npy file mapped into memory, and a Source that shuffles alike, are trained on as the array is."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 4), np.uint8), rng.integers(0, 3, 40)
    np.save(tmp_path / "x.npy", x)
    expected, history = trained((x, y))
    for split in (
        (np.load(tmp_path / "x.npy", mmap_mode="r"), y),
        Stream(x, y, 40),
        Dataset(Stream(x, y, 40), test=Stream(x, y, 40)),
    ):
        found, other = trained(split)
        assert found == expected
        assert list(other.losses) == list(history.losses)
        assert other.column("train_loss") == history.column("train_loss")


def test_an_array_like_trains(tmp_path: Path) -> None:
    """What only looks like an array is trained on; within a batch its rows are read in order."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 4), np.uint8), rng.integers(0, 3, 40)
    expected, history = trained((x, y))
    found, other = trained((OnDisk(x), y))
    np.testing.assert_allclose(np.frombuffer(found, "f4"), np.frombuffer(expected, "f4"), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(other.losses, history.losses, rtol=1e-4)


def test_a_stream_of_unknown_length_trains_by_iterations() -> None:
    """Nobody knows its rows: iterations must be given; an epoch is one pass."""
    x, y = data(40)
    model = build()
    split = Dataset(Stream(x, y, None), validation=Stream(x, y, None))
    with pytest.raises(ConfigError) as caught:
        Solver(model, split, epochs=3, batch_size=8)
    assert str(caught.value) == "train: the data does not say how many rows it has; give 'iterations'"
    history = Solver(model, split, iterations=13, batch_size=8).fit()
    assert history.column("step") == [5, 10, 13]
    assert history.monitor == "validation_accuracy"
    assert model.evaluate(x, y)["accuracy"] == pytest.approx(max(history.column("validation_accuracy")))


@pytest.mark.parametrize("rows", [0, None])
def test_a_stream_that_yields_nothing_is_told(rows: int | None) -> None:
    """An empty stream is an error, not an endless loop."""
    empty = Stream(np.zeros((0, 4)), np.zeros(0, int), rows)
    with pytest.raises(DataError, match=r"^the train split yielded no batch$"):
        Solver(build(), empty, iterations=3, batch_size=2).fit()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (np.zeros((5, 4)), "the train split must be (x, y), (x, y, weight) or a Source, not ndarray"),
        ((np.zeros((5, 4)), np.zeros(4, int)), "the train split has 5 rows in x but 4 in y"),
        (Dataset(data(), validation=data(0)), "the validation split is empty: x has shape (0, 4)"),
        (data(3), "train.batch_size is 5, but the train split has 3 rows; make it smaller"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused_before_training(split: Any, message: str) -> None:
    """The Solver says so when it is made."""
    with pytest.raises(DataError) as caught:
        Solver(build(), split, batch_size=5)
    assert str(caught.value) == message


# Memory


def test_a_step_holds_what_the_way_back_needs() -> None:
    """A deep network keeps one array a layer with weights, and hands the others from layer to layer."""
    depth = 20
    model = nnplug.build([*[affine(16), "relu"] * depth, affine(10)], input_shape=16)
    rng = np.random.default_rng(0)
    solver = Solver(model, (rng.random((64, 16)), rng.integers(0, 10, 64)), batch_size=32, epochs=3, evaluate=())
    solver.fit()
    assert depth < solver._arena.allocations < depth + 10


def test_a_long_run_takes_no_memory() -> None:
    """1,000 steps leave less than 64 KiB behind, and allocate no array of a layer's size on the way."""
    batch, steps = 100, 1110
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (batch * steps, 20), np.uint8), rng.integers(0, 10, batch * steps)
    layers = [affine(128), "relu", {"type": "dropout"}, affine(32), "sigmoid", affine(10)]
    model = nnplug.build({"layers": layers, "l2": 1e-4}, input_shape=20, scale=(0.0, 1 / 255))
    memory: list[int] = []
    peaks: list[int] = []
    allocations: set[tuple[int, int]] = set()

    def note(run: Run) -> None:
        current, peak = tracemalloc.get_traced_memory()
        memory.append(current)
        peaks.append(peak - current)
        allocations.add((solver._arena.allocations, solver.updater._arena.allocations))
        tracemalloc.reset_peak()

    at = At(steps={100: lambda run: tracemalloc.start(), **dict.fromkeys(range(110, steps + 1, 100), note)})
    solver = Solver(
        model,
        (x, y, np.ones(len(x))),
        iterations=steps,
        batch_size=batch,
        evaluate=(),
        callbacks=[at],
        update={"type": "adam", "clip_norm": 5.0, "schedule": "cosine"},
        class_weights="balanced",
    )
    try:
        solver.fit()
    finally:
        tracemalloc.stop()
    assert len(memory) == 11
    assert memory[-1] - memory[0] < 64 * 1024
    assert max(peaks) < 40 * 1024 < batch * 128 * 4  # NumPy itself buffers up to 8,192 elements in a ufunc
    assert len(allocations) == 1
