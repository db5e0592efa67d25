"""The whole job: config -> data -> model -> training -> a folder with everything about the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from nnplug.builder import build
from nnplug.config import Experiment, parse, read_toml, set_value, to_toml
from nnplug.contracts import Callback, DataLoader
from nnplug.data import sample_spec
from nnplug.errors import DataError, NnplugError, PluginError, RegistryError
from nnplug.files import json_text, write_atomically
from nnplug.history import History
from nnplug.model import Model
from nnplug.options import fields_of
from nnplug.presets import read_preset
from nnplug.registry import Registry, default_registry
from nnplug.solver import Solver
from nnplug.specs import Dataset


@frozen
class TrainResult:
    """What a training job leaves.

    Args:
        model: holds the best parameters, or the last where nothing was monitored.
        history: what happened.
        results: loss and metrics of each split at the end: ``results["test"]["accuracy"]``.
        folder: the run's folder: ``config.toml``, ``model.safetensors``, ``history.json``, ``result.json``.
    """

    model: Model
    history: History
    results: dict[str, dict[str, float]]
    folder: Path

    @property
    def model_path(self) -> Path:
        """The model's file."""
        return self.folder / "model.safetensors"

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
) -> TrainResult:
    """Run a config from beginning to end: load the data, build the model, train it, evaluate it, save everything.

    Args:
        config: a TOML file, the name of a preset, or a dict.
        changes: assignments such as ``"train.epochs=5"``, made before the config is read.
        out: the run's folder; default: the first free ``runs/NAME-1``, ``runs/NAME-2``, ...
        callbacks: more callbacks than the config's; they are not recorded in it. One that the config has already,
            with the same options, is not added a second time.
        registry: where names are looked up; default: everything installed.

    Raises:
        ConfigError: with everything that is wrong with the config.
        NnplugError: the data, the shapes or the folder cannot be used; or training diverged.
    """
    raw, name, source = read_config(config)
    for change in changes:
        set_value(raw, change)
    experiment, registry = parse(raw, registry or default_registry(), source)
    extra = [registry.create("callback", callback) for callback in callbacks]
    assert isinstance(experiment.data, DataLoader)  # noqa: S101  (parse resolved it)
    data = experiment.data.load()
    model = build_for(experiment, data, registry)
    own = experiment.train.callbacks
    options = fields_of(evolve(experiment.train, callbacks=(*own, *(c for c in extra if c not in own))))
    solver = Solver(model, data, update=experiment.update, **options)
    folder = solver.run.folder = _claim_folder(out, name)
    write_atomically(folder / "config.toml", to_toml(experiment, registry).encode())
    result = TrainResult(model, solver.history, {}, folder)
    try:
        solver.fit()
    except Exception as error:  # divergence, or a callback that cannot write: hours of training are not lost to it
        usable = solver.history.best_epoch is not None
        _keep(result, usable)
        if usable:
            error.add_note(f"the best model before that is kept in {result.model_path}")
        raise
    _keep(result, usable=True)  # before the evaluation, which may fail or be interrupted
    result.results.update({split: solver.evaluate(split) for split in solver.splits})
    _write_json(folder / "result.json", result.as_dict())
    return result


def _keep(result: TrainResult, usable: bool) -> None:
    """Write what training led to; the model, unless it diverged before there was anything good."""
    history = result.history
    _write_json(result.folder / "history.json", {**asdict(history), "losses": list(history.losses)})
    if usable:
        result.model.save(result.model_path)


def read_config(config: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    """A config as a dict of its own, a short name for it, and its source for messages.

    Raises:
        ConfigError: the file is missing or no TOML.
        RegistryError: it is neither a file nor a preset.
        PluginError: it is a preset that cannot be read.
    """
    if isinstance(config, Mapping):
        return deepcopy(dict(config)), "run", ""
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
        scale=data.scale,
        classes=data.classes,
        class_names=data.class_names,
        registry=registry,
    )


def _claim_folder(out: str | Path | None, name: str) -> Path:
    """Make the run's folder, so that no other run, even one that starts at this moment, writes into it.

    Raises:
        NnplugError: the folder that was asked for holds something.
    """
    if out is None:
        for i in count(1):
            with suppress(FileExistsError):
                folder = Path("runs") / f"{name}-{i}"
                folder.mkdir(parents=True)
                return folder
    folder = Path(out or ".")
    if folder.exists() and not folder.is_dir():
        raise NnplugError(f"{folder} is a file; name a new folder for the run")
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        with suppress(FileExistsError):
            (folder / "config.toml").touch(exist_ok=False)
            return folder
    raise NnplugError(f"{folder} exists and is not empty; name a new folder for the run")


def _write_json(path: Path, content: Any) -> None:
    write_atomically(path, json_text(content, indent=1).encode())
