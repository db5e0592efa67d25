"""The whole job: config -> data -> model -> training -> a folder with everything about the run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from nnplug.about import FACTS
from nnplug.builder import build
from nnplug.checkpoint import FOLDER as CHECKPOINTS
from nnplug.checkpoint import checkpoints_in, remove_checkpoints
from nnplug.config import Experiment, parse, read_toml, set_value, to_toml
from nnplug.contracts import Callback
from nnplug.data import sample_spec
from nnplug.errors import CheckpointError, DataError, DivergedError, NnplugError, PluginError, RegistryError
from nnplug.files import json_text, remove_leftovers, write_atomically
from nnplug.history import FAILED, History
from nnplug.loading import load, load_data
from nnplug.lock import locked
from nnplug.model import Model
from nnplug.naming import one_or_many
from nnplug.options import fields_of
from nnplug.presets import read_preset
from nnplug.records import read_history, read_results
from nnplug.registry import Registry, default_registry
from nnplug.runfolder import (
    CONFIG,
    HISTORY,
    MODEL,
    RESULT,
    check_same,
    claim_folder,
    has_begun,
    has_ended,
    how_to_go_on,
    release_folder,
    was_killed_while_starting,
)
from nnplug.solver import Solver
from nnplug.specs import Dataset


@frozen
class TrainResult:
    """What a training job leaves.

    Args:
        model: holds the best parameters, or the last where nothing was monitored.
        history: what happened.
        results: loss and metrics of each split at the end: ``results["test"]["accuracy"]``.
        folder: the run's folder: ``config.toml``, ``model.safetensors``, ``history.json``, ``result.json``, and
            ``checkpoints`` if the run can go on.
    """

    model: Model
    history: History
    results: dict[str, dict[str, float]]
    folder: Path

    @property
    def model_path(self) -> Path:
        """The model's file."""
        return self.folder / MODEL

    @property
    def how_to_go_on(self) -> str:
        """The command that resumes a run that was interrupted or ran out of time; "" if there is nothing to resume."""
        if not self.history.unfinished or not checkpoints_in(self.folder):
            return ""
        return how_to_go_on(self.folder, [] if self.history.signal else ["train.max_seconds=SECONDS"])

    def as_dict(self) -> dict[str, Any]:
        """The result as ``nnplug train --json`` prints it."""
        return {
            "steps": len(self.history.losses),
            "epochs": len(self.history.epochs),
            "train_seconds": self.history.train_seconds,
            "stopped": self.history.stopped,
            "monitor": self.history.monitor,
            "best_epoch": self.history.best_epoch,
            **{name: self.results.get(name) for name in ("train", "validation", "test")},
            "model": str(self.model_path),
            "run": str(self.folder),
        }


def train(
    config: str | Path | Mapping[str, Any],
    *,
    changes: Iterable[str] = (),
    out: str | Path | None = None,
    callbacks: Iterable[Callback | str] = (),
    registry: Registry | None = None,
    resume: bool = False,
) -> TrainResult:
    """Run a config from beginning to end: load the data, build the model, train it, evaluate it, save everything.

    Checkpoints are written to the run's folder on the way. They are removed when the result is written, unless
    training ended by an interrupt or by ``max_seconds``: such a run can go on later.

    Args:
        config: a TOML file, the name of a preset, or a dict.
        changes: assignments such as ``"train.epochs=5"``, made before the config is read.
        out: the run's folder; default: the first free ``runs/NAME-1``, ``runs/NAME-2``, ...
        callbacks: more callbacks than the config's; they are not recorded in it. One that the config has already,
            with the same options, is not added a second time.
        registry: where names are looked up; default: everything installed.
        resume: go on with the run in ``out`` where it stopped, with its own config; begin it if it has not begun, and
            return its result if it has ended.

    Raises:
        ConfigError: with everything that is wrong with the config, or with every key in which it is another one than
            the run began with.
        NnplugError: the data, the shapes, the folder or its checkpoints cannot be used; or training diverged.
    """
    if resume and out is None:
        raise NnplugError("name the folder of the run that is to be resumed, with 'out'")
    out = None if out is None else Path(out).expanduser()
    raw, name, source = read_config(config)
    for change in one_or_many(changes):
        set_value(raw, change)
    installed = registry or default_registry()
    experiment, registry = parse(raw, installed, source)
    with ExitStack() as held:
        folder = out if resume and out is not None and has_begun(out) else None
        if folder is not None:
            held.enter_context(locked(folder))
            check_same(folder, experiment, registry, installed)
            if has_ended(folder):
                return _ended(folder, registry)
        solver = _make_solver(experiment, callbacks, registry)
        begun = folder is not None or (resume and out is not None and was_killed_while_starting(out))
        if folder is None:
            folder = claim_folder(out, name, resume)
            held.enter_context(locked(folder))
        return _run(solver, folder, to_toml(experiment, registry), begun)


def _run(solver: Solver, folder: Path, config: str, begun: bool) -> TrainResult:
    """Train in a folder that is ours, from its last checkpoint if there is one."""
    if checkpoints_in(folder):
        try:
            solver.resume(folder)
        except CheckpointError as error:
            if (folder / MODEL).is_file():
                error.add_note(f"the model as it was when the run stopped is in {folder / MODEL}")
            raise
    elif begun:
        warnings.warn(f"{folder} holds no checkpoint to go on from; training begins at the first step", stacklevel=3)
    solver.run.folder = folder
    remove_leftovers(folder)
    remove_leftovers(folder / CHECKPOINTS)
    write_atomically(folder / CONFIG, config.encode())
    try:
        return _carry_out(solver, TrainResult(solver.model, solver.history, {}, folder))
    except BaseException as error:
        if isinstance(error, DivergedError):
            error.add_note("resumed, it would end in the same way; begin a new run, perhaps with a lower learning rate")
        elif checkpoints_in(folder):
            error.add_note(f"to go on from the last checkpoint: {how_to_go_on(folder)}")
        elif isinstance(error, NnplugError) and solver.run.step == 0 and not begun:
            release_folder(folder)
        raise


def _ended(folder: Path, registry: Registry) -> TrainResult:
    """The result of a run that has ended before."""
    history = read_history(folder)
    told = f"the run in {folder} has ended ({history.stopped}); there is nothing to resume"
    if history.unfinished:
        told = (
            f"the run in {folder} was cut short ({history.stopped}), and its checkpoints are gone; "
            "it cannot go on, its model is as it was then"
        )
    warnings.warn(told, stacklevel=3)
    return TrainResult(load(folder / MODEL, registry=registry), history, read_results(folder), folder)


def _make_solver(experiment: Experiment, callbacks: Iterable[Callback | str], registry: Registry) -> Solver:
    """Load the data, build the model, and put both together."""
    extra = [registry.create("callback", callback) for callback in one_or_many(callbacks)]
    data = load_data(experiment.data, registry=registry)
    model = build_for(experiment, data, registry)
    own = experiment.train.callbacks
    options = fields_of(evolve(experiment.train, callbacks=(*own, *(c for c in extra if c not in own))))
    return Solver(model, data, update=experiment.update, **options)


def _carry_out(solver: Solver, result: TrainResult) -> TrainResult:
    """Train, and write to the run's folder what came of it."""
    try:
        solver.fit()
    except Exception as error:  # divergence, or a callback that cannot write: hours of training are not lost to it
        found = _worth_keeping(solver.history, error)
        _keep(result, usable=bool(found))
        if found:
            error.add_note(f"{found} is kept in {result.model_path}")
        raise
    _keep(result, usable=True)  # before the evaluation, which may fail or be interrupted
    result.results.update({split: solver.evaluate(split) for split in solver.splits})
    _record(result, RESULT, result.as_dict())
    if not solver.history.unfinished:
        remove_checkpoints(result.folder)
    return result


def _worth_keeping(history: History, error: Exception) -> str:
    """What the model holds after an error, in words; "" if it is nothing of use."""
    if history.stopped != FAILED and not isinstance(error, DivergedError):  # a callback failed in its `stop`
        return "the model that training led to"
    return "the best model before that" if history.best_epoch is not None else ""


def _keep(result: TrainResult, usable: bool) -> None:
    """Write what training led to: first the model, unless training failed before there was anything good."""
    history = result.history
    if usable:
        result.model.save(result.model_path)
    _record(result, HISTORY, history.as_dict())


def _record(result: TrainResult, name: str, content: Any) -> None:
    """Write what is told of a run; the error says that the model is there all the same."""
    try:
        write_atomically(result.folder / name, json_text(content, indent=1).encode())
    except OSError as error:
        if result.model_path.is_file():
            missing = f"{name} alone is" if name == RESULT else f"{name} and {RESULT} are"
            error.add_note(f"the model is kept in {result.model_path} and can be used; {missing} missing")
        raise


def read_config(config: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    """A config as a dict of its own, a short name for it, and its source for messages.

    Raises:
        ConfigError: the file is missing or no TOML.
        RegistryError: it is neither a file nor a preset.
        PluginError: it is a preset that cannot be read.
    """
    if isinstance(config, Mapping):
        return _copied(dict(config)), "run", ""
    path = Path(config)
    if path.suffix == ".toml" or path.is_file():
        return read_toml(path), path.stem, str(path)
    try:
        return read_preset(str(config)), str(config).rpartition(":")[2], f"preset {config}"
    except PluginError:
        raise
    except RegistryError as error:
        what = "is a folder, not a config file" if path.is_dir() else "is no file"
        raise RegistryError(f"{config} {what}, and {error}") from None


def _copied(value: Any) -> Any:
    """A table with all tables and lists in it; components stay what they are: somebody may hold on to a callback."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def build_for(experiment: Experiment, data: Dataset, registry: Registry) -> Model:
    """The model of an experiment, with input shape and classes read off the data unless the config gives them.

    Raises:
        DataError: neither the data nor the config says what a sample looks like.
        ShapeError: layers do not fit together.
    """
    shape = experiment.model.input_shape
    if shape is None:
        sample = sample_spec(data.train, experiment.dtype)
        if sample is None:
            raise DataError("the data is a stream and does not say what a sample looks like; set model.input_shape")
        shape = sample.shape
    return build(
        experiment.model,
        input_shape=shape,
        seed=experiment.seed,
        dtype=experiment.dtype,
        **{name: getattr(data, name) for name in FACTS},
        registry=registry,
    )
