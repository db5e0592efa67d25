"""What must hold of any network and any training: both are drawn at random, from everything that is built in.

More examples than the everyday number: ``pytest tests/core/test_properties.py --hypothesis-profile=nightly``.
"""

from __future__ import annotations

import json
import signal
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, frozen
from hypothesis import assume, event, given
from hypothesis import strategies as st

import nnplug
from nnplug import Array, Callback, DivergedError, Model, Registry, Run, Solver
from nnplug.config import parse, to_toml
from nnplug.discovery import CORE
from nnplug.testing.differences import agree, at_kinks, differences

REGISTRY = Registry()
Table = dict[str, Any]


# What is drawn


def tables(name: str, **options: Any) -> st.SearchStrategy[Any]:
    """The table of one component, some of its options left out; its name alone where all are."""
    return st.fixed_dictionaries({}, optional=options).map(lambda given: {"type": name, **given} if given else name)


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers that a person might choose."""
    return st.floats(low, high).map(lambda value: min(max(float(f"{value:.3g}"), low), high))


# Everything built in, by kind and name; a test below holds that nothing is missing.
DRAWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {}
DRAWN["initializer"] = {
    "he": tables("he"),
    "xavier": tables(
        "xavier",
        mode=st.sampled_from(["fan_avg", "fan_in", "fan_out"]),
        distribution=st.sampled_from(["uniform", "normal"]),
    ),
    "normal": tables("normal", std=floats(0.0, 1.0)),
    "uniform": tables("uniform", low=floats(-1.0, -0.1), high=floats(0.1, 1.0)),
    "constant": tables("constant", value=floats(-1.0, 1.0)),
    "zeros": tables("zeros"),
}
WARMUP = st.integers(0, 5)
FACTOR = floats(0.1, 0.9)
DRAWN["schedule"] = {
    "constant": tables("constant", warmup=WARMUP),
    "cosine": tables("cosine", floor=FACTOR, warmup=WARMUP),
    "exponential": tables("exponential", decay=FACTOR, every=st.integers(1, 4), warmup=WARMUP),
    "plateau": tables(
        "plateau", drop=FACTOR, patience=st.integers(1, 2), min_delta=floats(0.0, 0.1), floor=FACTOR, warmup=WARMUP
    ),
    "step": st.builds(
        lambda milestones, more: {"type": "step", "milestones": sorted(milestones), **more},
        st.sets(st.integers(1, 5), min_size=1, max_size=3),
        st.fixed_dictionaries({}, optional={"drop": FACTOR, "warmup": WARMUP}),
    ),
}
COMMON = {
    "schedule": st.one_of(*DRAWN["schedule"].values()),
    "clip_norm": floats(0.01, 10.0),
    "learning_rate": floats(1e-4, 0.05),
}
MOMENTS = {"beta1": floats(0.0, 0.95), "beta2": floats(0.5, 0.999), "eps": floats(1e-8, 0.1), **COMMON}
DRAWN["update_rule"] = {
    "sgd": tables("sgd", **COMMON),
    "momentum": tables("momentum", momentum=floats(0.0, 0.95), nesterov=st.booleans(), **COMMON),
    "rmsprop": tables("rmsprop", rho=floats(0.5, 0.999), eps=floats(1e-8, 0.1), **COMMON),
    "adagrad": tables("adagrad", eps=floats(1e-8, 0.1), **COMMON),
    "adam": tables("adam", **MOMENTS),
    "adamw": tables("adamw", weight_decay=floats(0.0, 0.1), **MOMENTS),
}
DRAWN["loss"] = {
    "softmax": tables("softmax"),
    "svm": tables("svm", margin=floats(0.5, 2.0)),
    "mse": tables("mse"),
    "binary_cross_entropy": tables("binary_cross_entropy"),
}
TRAINABLE = {"trainable": st.booleans()}


def affine(low: int, high: int) -> st.SearchStrategy[Table]:
    """The table of an affine layer; some do not learn."""
    return st.fixed_dictionaries(
        {"type": st.just("affine"), "units": st.integers(low, high)},
        optional={"weight_init": st.one_of(*DRAWN["initializer"].values()), **TRAINABLE},
    )


def chain(layers: st.SearchStrategy[Any]) -> st.SearchStrategy[Table]:
    """Layers in a chain of their own."""
    inner = st.lists(layers, min_size=1, max_size=3)
    return st.fixed_dictionaries({"type": st.just("chain"), "layers": inner}, optional=TRAINABLE)


DRAWN["layer"] = {
    "affine": affine(1, 8),
    "relu": tables("relu"),
    "leaky_relu": tables("leaky_relu", slope=floats(0.01, 0.9)),
    "sigmoid": tables("sigmoid"),
    "tanh": tables("tanh"),
    "dropout": tables("dropout", rate=floats(0.0, 0.8)),
    "flatten": tables("flatten"),
    "standardize": tables("standardize"),
    "rescale": st.fixed_dictionaries(
        {"type": st.just("rescale"), "factor": floats(0.1, 9.0)}, optional={"offset": floats(-9.0, 9.0)}
    ),
}
HIDDEN = st.recursive(st.one_of(*DRAWN["layer"].values()), chain, max_leaves=4)
DRAWN["layer"]["chain"] = chain(HIDDEN)


@frozen
class Case:
    """A network, and data that fits it.

    Args:
        model: its ``[model]`` table, input shape included.
        dtype: its floating-point type.
        scale: what raw input is shifted and multiplied by.
        seed: what parameters and data follow from.
        rows: how many there are.
        targets: of which sort they are.
        weighted: whether each row has a weight of its own.
    """

    model: Table
    dtype: str
    scale: tuple[float, float] | None
    seed: int
    rows: int
    targets: str
    weighted: bool

    def build(self) -> Model:
        """The network, new."""
        return nnplug.build(self.model, seed=self.seed, dtype=self.dtype, scale=self.scale, registry=REGISTRY)

    def data(self) -> tuple[Array, ...]:
        """``(x, y)`` or ``(x, y, weight)``, where one row weighs nothing."""
        rng, n, units = np.random.default_rng(self.seed), self.rows, self.model["layers"][-1]["units"]
        x = rng.normal(size=(n, *self.model["input_shape"]))
        y = {
            "classes": lambda: rng.integers(0, units, n),
            "probabilities": lambda: rng.dirichlet(np.ones(units), n),
            "labels": lambda: rng.integers(0, 2, (n, units)),
            "values": lambda: rng.normal(size=(n, units)),
            "numbers": lambda: rng.normal(size=n),
        }[self.targets]()
        weight = rng.integers(1, 5, n) / 2.0
        weight[0] = 0.0
        return (x, y, weight) if self.weighted else (x, y)


TARGETS = {
    "softmax": ["classes", "probabilities"],
    "svm": ["classes"],
    "mse": ["values", "numbers"],
    "binary_cross_entropy": ["labels"],
}
SHAPES = st.one_of(
    st.lists(st.integers(1, 6), min_size=1, max_size=1), st.lists(st.integers(1, 3), min_size=2, max_size=3)
)


@st.composite
def cases(draw: st.DrawFn, dtype: str | None = None) -> Case:
    """A chain of one to six layers, the last of them affine, as wide as the loss and the targets ask for."""
    loss = draw(st.sampled_from(sorted(TARGETS)))
    targets = draw(st.sampled_from(TARGETS[loss]))
    low, high = {"numbers": (1, 1), "classes": (2, 5), "probabilities": (2, 5)}.get(targets, (1, 4))
    layers = [*draw(st.lists(HIDDEN, max_size=5)), draw(affine(low, high))]
    if draw(st.booleans()):
        layers[-1]["name"] = "scores"
    model = {"layers": layers, "loss": draw(DRAWN["loss"][loss]), "input_shape": draw(SHAPES)}
    if draw(st.booleans()):
        model["l2"] = draw(floats(0.0, 1.0))
    return Case(
        model,
        dtype or draw(st.sampled_from(["float32", "float64"])),
        draw(st.none() | st.tuples(floats(-1.0, 1.0), floats(0.5, 2.0))),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(10, 16)),
        targets,
        draw(st.booleans()),
    )


@frozen
class Training:
    """A case, and how it is trained.

    Args:
        case: the network and the data.
        update: the table of an update rule.
        options: what ``[train]`` holds.
    """

    case: Case
    update: Any
    options: Table

    def solver(self, folder: Path | None = None, callbacks: tuple[Any, ...] = ()) -> Solver:
        """One that has not begun."""
        options = {**self.options, "callbacks": [*self.options["callbacks"], *callbacks]}
        return Solver(self.case.build(), self.case.data(), update=self.update, folder=folder, **options)


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    """A few steps, in epochs or in iterations, with or without anything held out, watched or weighted."""
    case, update = draw(cases()), draw(st.one_of(*DRAWN["update_rule"].values()))
    options: Table = {"batch_size": draw(st.integers(1, 7)), "callbacks": []}
    options |= draw(
        st.one_of(
            st.builds(lambda n: {"epochs": n}, st.integers(1, 5)),
            st.builds(lambda n: {"iterations": n}, st.integers(2, 20)),
        )
    )
    if "plateau" in json.dumps(update) or draw(st.booleans()):  # plateau and early stopping watch what is held out
        options["validation"] = 0.2
        if draw(st.booleans()):
            options["monitor"] = "loss"
        if draw(st.booleans()):
            options["callbacks"] = [draw(tables("early_stopping", patience=st.integers(1, 2)))]
    if case.targets == "classes" and draw(st.booleans()):
        options["class_weights"] = "balanced"
    return Training(case, update, options)


# What must hold


def test_all_that_is_built_in_is_drawn() -> None:
    """A new built-in must be added above."""
    entries = [listed.entry for listed in REGISTRY.listing()]
    for kind, drawn in DRAWN.items():
        assert {e.name for e in entries if (e.kind, e.distribution) == (kind, CORE)} == set(drawn)


@given(cases(dtype="float64"), st.booleans())
def test_gradients_are_those_of_central_differences(case: Case, training: bool) -> None:
    """In float64, parameter by parameter; where a slope jumps, as relu's does at 0, there is nothing to compare."""
    model = case.build()
    rng = np.random.default_rng(case.seed)
    for array in model.params.values():  # zeros, as biases start, would put relu right on its kink
        array += rng.normal(0, 0.3, array.shape)
    x, y, *weight = case.data()
    _, gradients = model.gradients(x, y, *weight, training=training)
    offset, factor = case.scale or (0.0, 1.0)
    batch = ((x - offset) * factor, y, weight[0] if weight else None)

    kept = {path: array.copy() for path, array in model.state.items()}

    def objective() -> float:
        for path, array in kept.items():  # running statistics move with every pass in training
            model.state[path][...] = array
        return model.network.objective(*batch, model.network.context(model.streams.copy(), training=training))

    for path, array in model.params.items():
        found = gradients[path].reshape(-1)
        right = differences(objective, array, np.arange(array.size))
        if not agree(found, right):
            smooth = ~at_kinks(objective, array, np.arange(array.size))
            event("a kink was met")
            assert agree(found[smooth], right[smooth]), path


@given(cases())
def test_a_saved_model_is_loaded_as_it_was(case: Case) -> None:
    """Parameters, predictions, config and summary; saved again, it is the same file."""
    model, x = case.build(), case.data()[0]
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first"), Path(folder, "second")
        model.save(first)
        loaded = nnplug.load(first, registry=REGISTRY)
        loaded.save(second)
        assert second.read_bytes() == first.read_bytes()
    assert parameters(loaded) == parameters(model)
    assert loaded.scores(x).tobytes() == model.scores(x).tobytes()
    assert loaded.predict(x).tobytes() == model.predict(x).tobytes()
    assert loaded.config == model.config
    assert str(loaded.summary()) == str(model.summary())
    assert (loaded.scale, loaded.seed, loaded.dtype) == (model.scale, model.seed, model.dtype)


@define
class Interrupt(Callback):
    """Presses Ctrl-C.

    Args:
        at: after which step.
    """

    at: int

    def step(self, run: Run) -> None:
        """Now, or not."""
        if run.step == self.at:
            signal.raise_signal(signal.SIGINT)


@given(trainings(), st.data())
def test_an_interrupted_training_that_goes_on_ends_alike(training: Training, data: st.DataObject) -> None:
    """Stopped after any step and resumed from its checkpoint, it leaves the bytes of one that was never stopped."""
    whole = training.solver()
    try:
        whole.fit()
    except DivergedError:
        assume(False)
    steps = len(whole.history.losses)
    assume(steps > 1)
    at = data.draw(st.integers(1, steps - 1), label="interrupted after step")
    with tempfile.TemporaryDirectory() as folder:
        stopped = training.solver(Path(folder), (Interrupt(at),))
        stopped.fit()
        assert stopped.history.unfinished
        assert len(stopped.history.losses) == at
        resumed = training.solver(Path(folder))
        resumed.resume(Path(folder))
        resumed.fit()
    event(whole.history.stopped.split(" of ")[0])
    assert left(resumed) == left(whole)


@given(trainings())
def test_a_config_written_out_builds_the_same(training: Training) -> None:
    """What a run's folder holds, every default filled in, is read as the same experiment and builds the same model."""
    raw = {
        "data": "digits",
        "seed": training.case.seed,
        "dtype": training.case.dtype,
        "model": training.case.model,
        "update": training.update,
        "train": training.options,
    }
    experiment, _ = parse(raw, REGISTRY)
    text = to_toml(experiment, REGISTRY)
    again, _ = parse(tomllib.loads(text), REGISTRY)
    assert again == experiment
    assert to_toml(again, REGISTRY) == text
    built = [
        nnplug.build(each.model, seed=each.seed, dtype=each.dtype, registry=REGISTRY) for each in (experiment, again)
    ]
    assert parameters(built[1]) == parameters(built[0])
    assert str(built[1].summary()) == str(built[0].summary())
    assert parameters(built[0]) == parameters(training.case.build())


def parameters(model: Model) -> Mapping[str, bytes]:
    """The bytes of every parameter, by path."""
    return {path: array.tobytes() for path, array in model.params.items()}


def left(solver: Solver) -> Table:
    """Everything that a training leaves but times."""
    history = solver.history
    return {
        "parameters": parameters(solver.model),
        "slots": {name: slot.tobytes() for name, slot in solver.updater.slots.items()},
        "updates": solver.updater.t,
        "streams": solver.model.streams.state(),
        "losses": history.losses.tobytes(),
        "epochs": json.dumps([{k: v for k, v in row.items() if "seconds" not in k} for row in history.epochs]),
        "ended": (history.best_epoch, history.stopped, history.monitor, solver.run.step, solver.run.epoch),
    }
