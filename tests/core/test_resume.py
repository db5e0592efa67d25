"""Training that goes on from a checkpoint ends with the very bytes of training that was never stopped."""

from __future__ import annotations

import json
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from attrs import define, evolve, field, frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    Callback,
    CheckpointError,
    ConfigError,
    Context,
    DataError,
    Dataset,
    Layer,
    NnplugError,
    Params,
    ParamSpec,
    Plan,
    Run,
    Solver,
    StateSpec,
    Step,
    UpdateRule,
)
from nnplug.checkpoint import read_checkpoint, write_checkpoint
from nnplug.identity import compare
from nnplug.registry import default_registry
from nnplug.snapshot import callback_states
from nnplug.tensorfile import CODES, TensorFile, write_tensors


@frozen
class Running(Layer):
    """Subtracts a running mean, kept in state: what batch normalisation needs, in short."""

    def plan(self, x: ArraySpec) -> Plan:
        """A scale to learn, a mean and a count to keep."""
        state = {"mean": StateSpec(x.shape), "seen": StateSpec((), dtype="int64")}
        return Plan(out=x, params={"s": ParamSpec(x.shape, 1.0, decay=False)}, state=state)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``s * (x - mean)``."""
        if ctx.training:
            params["seen"][...] += 1
            params["mean"][...] += 0.1 * (x.mean(axis=0) - params["mean"])
        centred = x - params["mean"]
        return params["s"] * centred, centred

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """Return ``s * dout``."""
        grads["s"][...] = (dout * cache).sum(axis=0)
        return params["s"] * dout


@frozen
class Whole(UpdateRule):
    """A rule that is given parameters in their own shapes, with a slot."""

    slots: ClassVar[tuple[str, ...]] = ("v",)
    elementwise: ClassVar[bool] = False

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Momentum that grows with t."""
        slots["v"] *= 1 - 1 / (step.t + 1)
        slots["v"] += dw
        w -= step.learning_rate * slots["v"]


@define
class Mean(Callback):
    """Keeps the mean of the parameters over all steps, and counts epochs."""

    mean: Any = field(init=False, default=None, eq=False)
    seen: list[Any] = field(init=False, factory=list, eq=False)

    def start(self, run: Run) -> None:
        """Begin afresh."""
        self.mean, self.seen = np.zeros_like(run.model.network.buffers.vector), [0, 0]

    def step(self, run: Run) -> None:
        """Count."""
        self.seen[0] += 1
        self.mean += (run.model.network.buffers.vector - self.mean) / self.seen[0]

    def epoch(self, run: Run) -> None:
        """Count."""
        self.seen[1] += 1

    def state(self) -> dict[str, Any]:
        """What must be kept."""
        return {"mean": self.mean, "seen": tuple(self.seen), "nothing": [float("nan"), None, {"ä": True}]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up."""
        assert np.isnan(state["nothing"][0])
        assert state["nothing"][1:] == [None, {"ä": True}]
        self.mean, self.seen = state["mean"].copy(), list(state["seen"])


class Stream:
    """A Source that draws each batch when it is asked for, and remembers nothing."""

    rows = None

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self.y = x, y

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield one epoch of four batches."""
        for number in range(4):
            rows = np.arange(8) if rng is None else rng.integers(0, len(self.x), batch_size)
            if number >= start:
                yield self.x[rows], self.y[rows], None


LAYERS = [
    {"type": "affine", "units": 6},
    Running(),
    {"type": "dropout", "rate": 0.3},
    "tanh",
    {"type": "affine", "units": 3},
]


def data(rows: int = 40, seed: int = 0) -> tuple[Array, Array]:
    """Samples of three classes that can be told apart, mostly."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return rng.normal(size=(rows, 4)) + 1.5 * np.eye(4)[y], y


def adam(**options: Any) -> dict[str, Any]:
    """A table."""
    return {"type": "adam", "learning_rate": 0.05, **options}


# What is trained: the data, the update rule, the options.
TRAININGS: dict[str, tuple[Callable[[], Any], Any, dict[str, Any]]] = {
    "adam, plateau, early stopping": (
        data,
        adam(schedule={"type": "plateau", "patience": 1}, clip_norm=0.5),
        {"epochs": 5, "validation": 0.2, "callbacks": [{"type": "early_stopping", "patience": 2}]},
    ),
    "class and row weights": (
        lambda: (*data(), np.linspace(0, 2, 40)),
        adam(),
        {"epochs": 3, "validation": 0.2, "class_weights": "balanced", "monitor": "loss"},
    ),
    "cosine, warm-up, a cut epoch": (
        lambda: Dataset(data(), data(20, 1), data(20, 2)),
        {"type": "momentum", "schedule": {"type": "cosine", "warmup": 4}},
        {"iterations": 17, "evaluate": ("validation", "test")},
    ),
    "a stream": (
        lambda: Dataset(Stream(*data()), Stream(*data(20, 1))),
        {"type": "rmsprop", "schedule": {"type": "step", "milestones": [5, 9]}},
        {"iterations": 14},
    ),
    "whole parameters, nothing monitored": (data, Whole(learning_rate=0.05), {"epochs": 3}),
}


def solver(name: str, **more: Any) -> Solver:
    """A training of the list, not begun."""
    given, update, options = TRAININGS[name]
    model = nnplug.build({"layers": LAYERS, "l2": 1e-3}, input_shape=4, seed=5)
    callbacks = [*options.get("callbacks", ()), Mean(), *more.pop("callbacks", ())]
    return Solver(model, given(), update=update, **{**options, "batch_size": 7, "callbacks": callbacks, **more})


def left(training: Solver) -> dict[str, Any]:
    """Everything that a training leaves but times."""
    history, buffers = training.history, training.model.network.buffers
    return {
        "vector": buffers.vector.tobytes(),
        "state": {path: array.tobytes() for path, array in buffers.state.items()},
        "slots": {name: slot.tobytes() for name, slot in training.updater.slots.items()},
        "updates": training.updater.t,
        "streams": training.model.streams.state(),
        "losses": history.losses.tobytes(),
        "epochs": json.dumps([{k: v for k, v in row.items() if "seconds" not in k} for row in history.epochs]),
        "best": (history.best_epoch, history.stopped, history.monitor),
        "mean": next(c.mean.tobytes() for c in training.callbacks if isinstance(c, Mean)),
        "seen": next(list(c.seen) for c in training.callbacks if isinstance(c, Mean)),
        "run": (training.run.step, training.run.epoch),
    }


def checkpoints(folder: Path) -> list[Path]:
    """Those in a run's folder, by step."""
    return sorted(folder.glob("checkpoints/step-*"), key=lambda path: int(path.stem[5:]))


@pytest.mark.parametrize("name", TRAININGS)
def test_going_on_from_any_step_ends_alike(name: str, tmp_path: Path) -> None:
    """With a checkpoint after every step, each leads to the same end; writing them changes nothing."""
    whole = solver(name)
    whole.fit()
    written = solver(name, folder=tmp_path, checkpoint_steps=1, keep_checkpoints=100)
    written.fit()
    assert left(written) == left(whole)
    found = checkpoints(tmp_path)
    last = whole.run.step - (1 if whole.history.stopped == "finished" else 0)
    assert [path.stem for path in found] == [f"step-{step}" for step in range(1, last + 1)]
    for path in found:
        resumed = solver(name)
        resumed.resume(path)
        assert resumed.run.step == int(path.stem[5:])
        resumed.fit()
        assert left(resumed) == left(whole), path.stem


def test_stopping_again_and_again_ends_alike(tmp_path: Path) -> None:
    """A run interrupted after every fifth step, and resumed each time by a new Solver, ends as if it had not been."""
    name = "adam, plateau, early stopping"
    whole = solver(name)
    whole.fit()

    @define
    class Interrupt(Callback):
        """Presses Ctrl-C."""

        def step(self, run: Run) -> None:
            if run.step % 5 == 0:
                signal.raise_signal(signal.SIGINT)

    for times in range(20):
        training = solver(name, folder=tmp_path, callbacks=[Interrupt()])
        if times:
            training.resume(tmp_path)
        history = training.fit()
        if not training.history.unfinished:
            break
        assert (history.signal, history.stopped) == (signal.SIGINT, "interrupted by SIGINT")
        assert checkpoints(tmp_path)[-1].stem == f"step-{5 * times + 5}"
    assert times > 2
    assert left(training) == left(whole)


@pytest.mark.parametrize("at", [8, 12])
def test_an_epoch_cut_short_is_no_reason_to_stop(at: int, tmp_path: Path) -> None:
    """Early stopping sees the row of an epoch that an interrupt cut short, or ended; the run can go on all the same."""
    name = "adam, plateau, early stopping"
    stopping = {"type": "early_stopping", "patience": 1, "min_delta": 1e9}  # ends training after the second epoch

    @define
    class Interrupt(Callback):
        """Presses Ctrl-C."""

        def step(self, run: Run) -> None:
            if run.step == at:
                signal.raise_signal(signal.SIGINT)

    whole, resumed = (solver(name, callbacks=[stopping], validation=0.1) for _ in range(2))
    whole.fit()
    assert whole.run.step == 12
    training = solver(name, callbacks=[stopping, Interrupt()], validation=0.1, folder=tmp_path)
    assert training.fit().stopped == "interrupted by SIGINT"
    assert training.history.unfinished
    resumed.resume(tmp_path)
    resumed.fit()
    assert left(resumed) == left(whole)


def test_a_callback_may_save_at_an_epochs_end(tmp_path: Path) -> None:
    """Between two epochs, in `epoch` of the last callback, is between two steps."""
    name = "cosine, warm-up, a cut epoch"

    @define
    class Save(Callback):
        """Saves after every epoch."""

        def epoch(self, run: Run) -> None:
            whole.save_checkpoint(tmp_path / f"{run.epoch}.safetensors")

    whole = solver(name, callbacks=[Save()])
    whole.fit()
    for epoch in (1, 2):
        resumed = solver(name)
        resumed.resume(tmp_path / f"{epoch}.safetensors")
        assert (resumed.run.epoch, resumed.run.step) == (epoch, 6 * epoch)
        resumed.fit()
        assert left(resumed) == left(whole)
    with pytest.raises(CheckpointError, match="step 17 in epoch 3 is no place to go on from"):
        solver(name).resume(tmp_path / "3.safetensors")


def test_a_checkpoint_before_the_first_step(tmp_path: Path) -> None:
    """Step 0 is a place to go on from, too."""
    whole, begun = solver("a stream"), solver("a stream")
    begun.save_checkpoint(tmp_path / "0.safetensors")
    resumed = solver("a stream")
    resumed.resume(tmp_path / "0.safetensors")
    whole.fit()
    resumed.fit()
    assert left(resumed) == left(whole)


def test_time_that_is_used_counts(tmp_path: Path) -> None:
    """max_seconds ends training with a checkpoint; with more seconds it goes on, with no more it is refused."""
    first = solver("a stream", folder=tmp_path, max_seconds=1e-9)
    assert first.fit().stopped == "max_seconds = 1e-09 reached"
    assert first.history.unfinished
    assert [path.stem for path in checkpoints(tmp_path)] == ["step-1"]
    with pytest.raises(ConfigError, match=r"^train.max_seconds: 0.0 of 1e-09 seconds are used up; give more$"):
        solver("a stream", max_seconds=1e-9).resume(tmp_path)
    more, whole = solver("a stream", max_seconds=1e6), solver("a stream")
    more.resume(tmp_path)
    assert more.history.train_seconds > 0
    more.fit()
    whole.fit()
    assert left(more) == left(whole)


def test_a_solver_resumes_before_it_trains(tmp_path: Path) -> None:
    """Neither after training nor twice; and what is trained to the end leaves nothing to go on from."""
    training = solver("a stream")
    training.save_checkpoint(tmp_path / "0.safetensors")
    training.fit()
    with pytest.raises(NnplugError, match=r"^this Solver has trained already; make a new one and resume before fit$"):
        training.resume(tmp_path / "0.safetensors")
    with pytest.raises(NnplugError, match=r"^training has ended, there is nothing to go on from; save the model"):
        training.save_checkpoint(tmp_path / "1.safetensors")


# Whose checkpoint it is


@pytest.fixture
def step_3(tmp_path: Path) -> Path:
    """A checkpoint of the first training, after step 3."""
    solver("adam, plateau, early stopping", folder=tmp_path, checkpoint_steps=3, keep_checkpoints=100).fit()
    return tmp_path / "checkpoints" / "step-3.safetensors"


def other(**changes: Any) -> Solver:
    """The first training, but for something."""
    given, update, options = TRAININGS["adam, plateau, early stopping"]
    build = {"input_shape": 4, "seed": 5, **changes.pop("build", {})}
    config = {"layers": LAYERS, "l2": 1e-3, **changes.pop("model", {})}
    rows, rule = changes.pop("data", given()), {**update, **changes.pop("update", {})}
    options = {**options, "batch_size": 7, "callbacks": ["early_stopping", Mean()], **changes}
    return Solver(nnplug.build(config, **build), rows, update=rule, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 8}, "train.batch_size = 7, this run has 8"),
        ({"epochs": 6}, "train.epochs = 5, this run has 6"),
        ({"build": {"seed": 6}}, "seed = 5, this run has 6"),
        ({"build": {"dtype": "float64"}}, "dtype = 'float32', this run has 'float64'"),
        ({"model": {"l2": 1e-4}}, "model.l2 = 0.001, this run has 0.0001"),
        ({"update": {"learning_rate": 0.1}}, "update.learning_rate = 0.05, this run has 0.1"),
        ({"update": {"schedule": "constant"}}, "update.schedule.type = 'plateau', this run has 'constant'"),
        ({"update": {"clip_norm": None}}, "update.clip_norm = 0.5, this run has None"),
        (
            {"model": {"layers": [*LAYERS[:2], {"type": "dropout", "rate": 0.4}, *LAYERS[3:]]}},
            "model.layers[2].rate = 0.3, this run has 0.4",
        ),
    ],
)
def test_another_config_is_refused(changes: dict[str, Any], message: str, step_3: Path) -> None:
    """The key that differs is named with both values, and nothing is touched."""
    training = other(**changes)
    before = training.model.network.buffers.vector.tobytes()
    with pytest.raises(CheckpointError) as caught:
        training.resume(step_3)
    assert str(caught.value) == f"{step_3} cannot be used: it belongs to a run with {message}"
    assert training.model.network.buffers.vector.tobytes() == before
    assert (training.run.step, len(training.history.losses)) == (0, 0)


@pytest.mark.parametrize(
    "changes", [{"max_seconds": 100.0}, {"checkpoint_seconds": 0.0}, {"checkpoint_steps": 5}, {"keep_checkpoints": 9}]
)
def test_how_a_run_is_carried_out_may_change(changes: dict[str, Any], step_3: Path) -> None:
    """Limits and checkpoints decide nothing."""
    training = other(**changes)
    training.resume(step_3)
    assert training.run.step == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x, y: (x[:-1], y[:-1]), r"train.rows was 32 and is 31"),
        (lambda x, y: (x.astype("float32").astype("float64"), y), r"\w+.sample was '\w{32}' and is '\w{32}'"),
        (lambda x, y: (x, np.where(np.arange(40) == 3, (y + 1) % 3, y)), r"\w+.sample was"),
        (lambda x, y: (x, y.astype("int32")), r"train.arrays\[1\] was '\(40,\) int64' and is '\(40,\) int32'"),
        (lambda x, y: (x, y, np.ones(40)), r"train.arrays was .* and is"),
        (lambda x, y: Dataset((x, y), test=(x, y)), r"test was None and is"),
    ],
)
def test_other_data_is_refused(change: Callable[[Array, Array], Any], told: str, step_3: Path) -> None:
    """Data that is not what it was: fewer rows, other values, another dtype, a split more."""
    with pytest.raises(
        DataError, match=rf"^the data is not what it was when the checkpoint was written: {told}.*; a run"
    ):
        other(data=change(*data())).resume(step_3)


def test_another_version_of_a_plugin_is_warned_of(step_3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions are named, and training goes on."""
    training = other()
    monkeypatch.setattr(np, "__version__", "9.8.7")
    with pytest.warns(
        UserWarning, match=rf"^numpy was {np.version.version} when .* and is 9.8.7 now; training may not"
    ):
        training.resume(step_3)
    assert training.run.step == 3


@frozen
class Slow(UpdateRule):
    """Version 1 of a rule."""

    factor: float = 1.0

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Slow down."""
        w -= self.factor * step.learning_rate * dw


@frozen
class SlowAgain(UpdateRule):
    """Version 2: the option has another name, and the old one is still read."""

    share: float = 1.0
    factor: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Take the old name."""
        if self.factor is not None:
            warnings.warn("slow: the option 'factor' is now called 'share'", FutureWarning, stacklevel=3)
            object.__setattr__(self, "share", self.factor)
            object.__setattr__(self, "factor", None)

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        """Slow down."""
        w -= self.share * step.learning_rate * dw


@pytest.mark.parametrize(("share", "told"), [(0.5, ""), (0.25, r"update\.share = 0\.5, this run has 0\.25")])
def test_a_run_outlives_a_new_name_of_an_option(share: float, told: str, tmp_path: Path) -> None:
    """A checkpoint of the version before is read as a config would be; another value is still another run."""

    def solver(rule: type[UpdateRule], **options: float) -> nnplug.Solver:
        registry = nnplug.Registry()
        registry.register(rule, name="slow")
        model = nnplug.build({"layers": LAYERS[:1], "loss": "softmax"}, input_shape=4, registry=registry)
        update = {"type": "slow", "learning_rate": 0.1, **options}
        return nnplug.Solver(model, data(), update=update, epochs=2, batch_size=10)

    whole, old, new = solver(Slow, factor=0.5), solver(Slow, factor=0.5), solver(SlowAgain, share=share)
    whole.fit()
    old.save_checkpoint(tmp_path / "0.safetensors")
    if told:
        with pytest.raises(CheckpointError, match=told):
            new.resume(tmp_path / "0.safetensors")
        return
    new.resume(tmp_path / "0.safetensors")
    new.fit()
    assert new.model.params["affine1.W"].tobytes() == whole.model.params["affine1.W"].tobytes()


def test_callbacks_take_their_own_states(step_3: Path) -> None:
    """A callback that was not there begins afresh; the n-th of a kind takes the n-th state; one less is no matter."""
    training = other(callbacks=["progress", Mean(), Mean(), "early_stopping"], evaluate=("validation",))
    with pytest.raises(CheckpointError, match=r"train\.evaluate"):
        training.resume(step_3)
    training = other(callbacks=["progress", Mean(), Mean(), "early_stopping"])
    training.resume(step_3)
    first, second = (callback for callback in training.callbacks if isinstance(callback, Mean))
    training.fit()
    assert first.seen[0] == training.run.step
    assert second.seen[0] == training.run.step - 3


def test_a_state_that_no_file_can_hold_is_told_before_training(tmp_path: Path) -> None:
    """Not after an hour, at the first checkpoint; without a folder it is no matter."""

    @define
    class Odd(Callback):
        """Keeps a set."""

        def state(self) -> dict[str, Any]:
            return {"seen": {1, 2}}

    training = other(callbacks=[Odd()], folder=tmp_path)
    with pytest.raises(NnplugError) as caught:
        training.fit()
    assert len(training.history.losses) == 0
    where = "test_a_state_that_no_file_can_hold_is_told_before_training.<locals>.Odd"
    assert str(caught.value) == (
        f"the callback '{where}' fits into no checkpoint: state()/seen, set, cannot be written to a file; "
        "it may keep numbers, texts, lists, dicts, arrays and None"
    )
    assert other(callbacks=[Odd()]).fit().stopped


def test_a_numpy_scalar_is_no_state() -> None:
    """A Python number would come back, and NumPy computes otherwise with it; the message says what to do."""

    @define
    class Scalar(Callback):
        def state(self) -> dict[str, Any]:
            return {"f": np.float32(1)}

    told = r"state\(\)/f, NumPy's float32 \(make it a Python number, or an array\), cannot be written"
    with pytest.raises(NnplugError, match=told):
        callback_states([Scalar()], default_registry())


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({"a": "1", "b": "2"}, {"a": "1"}, "b was 2 when the checkpoint was written and is not in use now"),
        ({"a": "1"}, {"a": "1", "b": "2"}, "b was not in use when the checkpoint was written and is 2 now"),
        ({"a": "1"}, {"a": "2"}, "a was 1 when the checkpoint was written and is 2 now"),
    ],
)
def test_other_plugins_are_warned_of(then: dict[str, str], now: dict[str, str], told: str) -> None:
    """Another version, one that is gone and one that is new: each may compute otherwise."""
    same: dict[str, Any] = {"config": {}, "data": {}}
    with pytest.warns(UserWarning, match=rf"^{told}; training may not go on exactly as it would have$"):
        compare({**same, "versions": then}, {**same, "versions": now}, nnplug.Registry())


def test_a_checkpoint_holds_what_a_model_file_can(tmp_path: Path) -> None:
    """An array of each dtype comes back as it was; of another one the path and the dtype are told."""
    path = tmp_path / "c.safetensors"
    arrays = {name: np.arange(3).astype(name) for name in CODES}
    write_checkpoint(path, {"state": arrays})
    found = read_checkpoint(path, lambda content, stored: None)["state"]
    assert {name: (a.dtype.name, a.tolist()) for name, a in found.items()} == {
        name: (name, a.tolist()) for name, a in arrays.items()
    }
    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(path, {"state": {"a": np.zeros(1, "complex128")}})
    told = "state/a, an array of complex128, cannot be written to a file, so there can be no checkpoint"
    assert str(caught.value) == told


# What a stranger may have put into it


def changed(step_3: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The checkpoint with something else in it, and the checksum of that."""
    snapshot = read_checkpoint(step_3, lambda content, stored: None)
    change(snapshot)
    write_checkpoint(step_3, snapshot)
    return step_3


def _put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(snapshot: dict[str, Any]) -> None:
        table: Any = snapshot
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = value

    return change


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no step": lambda s: s.pop("step"),
    "no config": lambda s: s.pop("config"),
    "no data": lambda s: s.pop("data"),
    "no versions": lambda s: s.pop("versions"),
    "no streams": lambda s: s.pop("streams"),
    "no callbacks": lambda s: s.pop("callbacks"),
    "no losses": lambda s: s.pop("losses"),
    "no params": lambda s: s.pop("params"),
    "a step that is none": _put("step", value="three"),
    "a fraction of a step": _put("step", value=3.5),
    "a step beyond the end": _put("step", value=10**12),
    "a negative step": _put("step", value=-1),
    "an epoch that begins later": _put("epoch_start", value=4),
    "more epochs than rows": _put("epoch", value=2),
    "rows that are none": lambda s: s.update(epoch=1, epochs=["row"]),
    "rows of texts": lambda s: s.update(epoch=1, epochs=[{"validation_accuracy": "much"}]),
    "losses of another length": _put("losses", value=np.zeros(4)),
    "losses that are integers": _put("losses", value=np.zeros(3, "int64")),
    "losses in line": _put("losses", value=[1.0, 2.0, 3.0]),
    "a parameter less": lambda s: s["params"].pop("affine1.W"),
    "a parameter more": _put("params", "affine9.W", value=np.zeros(3, "float32")),
    "a parameter of another shape": _put("params", "affine1.W", value=np.zeros((6, 4), "float32")),
    "a parameter that is a number": _put("params", "affine1.W", value=1.0),
    "a slot less": lambda s: s["slots"].pop("m"),
    "state of another dtype": _put("state", "running1.seen", value=np.array(3.0)),
    "best that is no table": _put("best", value=3),
    "best without parameters": _put("best", value={"value": 1.0}),
    "best that is no number": lambda s: s.update(
        best={"value": "best", "params": dict(s["params"]), "state": dict(s["state"])}
    ),
    "a best epoch that is none": _put("best_epoch", value=[1]),
    "updates that are none": _put("updates", value=None),
    "streams that are none": _put("streams", value=["shuffle:"]),
    "no shuffle": lambda s: s["streams"].pop("shuffle:"),
    "another generator": _put("streams", "shuffle:", "bit_generator", value="MT19937"),
    "a generator with a huge state": _put("streams", "shuffle:", "state", "state", value=10**100),
    "a generator without a state": _put("streams", "shuffle:", value={}),
    "callbacks that are none": _put("callbacks", value=[3]),
    "a state that is none": _put("callbacks", value=[["mean", "state"]]),
    "versions that are none": _put("versions", value=3),
    "an array among the extras": lambda s: s.update(extra=np.zeros(10)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_contradicts_itself_is_refused(kind: str, step_3: Path) -> None:
    """Whatever is wrong, the error is one sentence that names the file, and the Solver is as it was."""
    path, training = changed(step_3, HOSTILE[kind]), other()
    before = left_before(training)
    with pytest.raises(CheckpointError) as caught:
        training.resume(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert left_before(training) == before


def left_before(training: Solver) -> tuple[Any, ...]:
    """What a refused checkpoint must not change."""
    buffers = training.model.network.buffers
    state = {path: array.tobytes() for path, array in buffers.state.items()}
    streams = training.model.streams.state()
    return (
        buffers.vector.tobytes(),
        state,
        streams,
        training.run.step,
        training.updater.t,
        list(training.history.losses),
    )


def test_a_callback_that_cannot_take_up_its_state_is_named(step_3: Path) -> None:
    """It is the callback's own state: what it raises is told as an error of the checkpoint."""
    path = changed(step_3, lambda s: s["callbacks"][1][1].pop("mean"))
    training = other()
    training.resume(path)
    with pytest.raises(CheckpointError, match=r"^the callback 'Mean' cannot take up its state: KeyError: 'mean'$"):
        training.fit()
    assert training.history.stopped == "failed"


def test_the_file_is_a_tensor_file(step_3: Path) -> None:
    """Parameters, slots and losses stand in it by path, so that any reader of safetensors finds them."""
    with TensorFile(step_3) as file:
        assert {"params/affine1.W", "slots/m/affine2.b", "state/running1.mean", "losses"} <= file.arrays.keys()
        assert file.arrays["slots/v/affine1.W"].shape == (4, 6)
        assert not [name for name in file.arrays if name.startswith("best/")]  # no epoch has ended


def test_a_model_is_no_checkpoint_nor_the_reverse(step_3: Path, tmp_path: Path) -> None:
    """Each says what it is."""
    training = other()
    nnplug.build([{"type": "affine", "units": 3}], input_shape=4).save(tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"m.safetensors cannot be used: it is no checkpoint$"):
        training.resume(tmp_path / "m.safetensors")
    with pytest.raises(
        nnplug.ModelFileError, match=r"step-3.safetensors is a checkpoint, no model; resume its run, then"
    ):
        nnplug.load(step_3)
    assert evolve(training.config).keep_checkpoints == 2


@pytest.mark.parametrize("number", [2, True, "1", 1.0, None])
def test_another_format_is_refused(step_3: Path, number: Any) -> None:
    """A newer one may hold what this nnplug would overlook."""
    with TensorFile(step_3) as file:
        header, arrays = json.loads(file.texts["nnplug"]), {name: file.read(name) for name in file.arrays}
    with step_3.open("wb") as out:
        write_tensors(out, {"nnplug": json.dumps(header | {"format": number})}, arrays)
    with pytest.raises(CheckpointError, match=f"it has format {number!r}; this nnplug reads format 1, a newer one may"):
        other().resume(step_3)
