"""The folder of a run: claimed by one run, and found again by whoever resumes it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from nnplug.checkpoint import checkpoints_in
from nnplug.config import CARRIED_OUT, Experiment, parse, read_toml
from nnplug.errors import ConfigError, NnplugError, Problem
from nnplug.files import is_leftover
from nnplug.identity import differences
from nnplug.naming import printable
from nnplug.options import members, options_of, show
from nnplug.registry import Registry

CONFIG, MODEL, HISTORY, RESULT = "config.toml", "model.safetensors", "history.json", "result.json"


def claim_folder(out: str | Path | None, name: str, resume: bool = False) -> Path:
    """Make a new run's folder, so that no other run, even one that starts at this moment, writes into it.

    Args:
        out: the folder that is asked for, if any.
        name: what a numbered folder is called otherwise.
        resume: take a folder, too, that a run has claimed and was killed before it wrote anything.

    Raises:
        NnplugError: the folder that was asked for holds something, or cannot be made.
    """
    try:
        return _claim(out, name, resume)
    except (OSError, ValueError) as error:  # a path that is none, such as one with a null byte, is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise NnplugError(f"{printable(str(out or 'runs'))}: {reason}; name another folder for the run") from error


def _claim(out: str | Path | None, name: str, resume: bool) -> Path:
    if out is None:
        for i in count(1):
            with suppress(FileExistsError):
                folder = Path("runs") / f"{name}-{i}"
                folder.mkdir(parents=True)
                return folder
    folder = Path(out or ".")
    if resume and was_killed_while_starting(folder):
        return folder
    if folder.exists() and not folder.is_dir():
        raise NnplugError(f"{folder} is a file; name a new folder for the run")
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        with suppress(FileExistsError):
            (folder / CONFIG).touch(exist_ok=False)
            return folder
    told = f"{folder} exists and is not empty; name a new folder for the run"
    if checkpoints_in(folder):
        told += f", or go on with the one that it holds: {how_to_go_on(folder)}"
    raise NnplugError(told)


def release_folder(folder: Path) -> None:
    """Take away what a run that failed before its first step wrote, so that it can be begun again once it is mended."""
    for name in (CONFIG, HISTORY):
        with suppress(OSError):
            (folder / name).unlink()
    with suppress(OSError):
        folder.rmdir()  # unless it holds something else


def has_begun(folder: Path) -> bool:
    """Whether a run has written its config into a folder; an empty one is from a run that was killed while starting."""
    try:
        path = folder / CONFIG
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def was_killed_while_starting(folder: Path) -> bool:
    """Whether a folder holds no more than what a run claims it with, an empty config, and perhaps half a config."""
    try:
        files = [path for path in folder.iterdir() if not is_leftover(path)]
        return [path.name for path in files] == [CONFIG] and files[0].stat().st_size == 0
    except (OSError, ValueError):  # the latter: a path that is none
        return False


def config_of(folder: Path) -> Path:
    """The config of the run in a folder.

    Raises:
        NnplugError: there is none.
    """
    if not has_begun(folder):
        raise NnplugError(f"{folder} holds no run: there is no {CONFIG} in it; to begin one there, name a config, too")
    return folder / CONFIG


def has_ended(folder: Path) -> bool:
    """Whether a run has written its result and kept nothing to go on from.

    Whatever has the result's name now, a pipe or a broken link, nothing is trained anew over it.
    """
    return os.path.lexists(folder / RESULT) and not checkpoints_in(folder)


def check_same(folder: Path, experiment: Experiment, registry: Registry, plugins: Registry) -> None:
    """Refuse to resume a run with another config than it began with, but for how it is carried out.

    Args:
        folder: the run's folder.
        experiment: the config it is to go on with.
        registry: where the names in that config were looked up.
        plugins: where names are looked up before any ``[plugins]`` table.

    Raises:
        ConfigError: with every key that differs.
    """
    old, old_registry = parse(read_toml(folder / CONFIG), plugins, str(folder / CONFIG))
    may_change = {f"train.{name}" for name in CARRIED_OUT} | _paths(experiment.data)
    found = differences(old_registry.describe(old), registry.describe(experiment))
    problems = [
        Problem(path, f"is {show(now)}, but the run in {folder} began with {show(was)}")
        for path, was, now in found
        if path not in may_change
    ]
    if problems:
        told = (
            f"only {', '.join(sorted(may_change))} may change when a run is resumed; name a new folder for another run"
        )
        raise ConfigError([*problems, Problem("", told)])


def _paths(loader: Any) -> set[str]:
    """The options that say where data lies: it may be elsewhere now, and whether it is the same is seen by itself."""
    return {f"data.{name}" for name, option in options_of(type(loader)).items() if Path in members(option.hint)}


def how_to_go_on(folder: Path, changes: Iterable[str] = ()) -> str:
    """The command that resumes a run."""
    words = [word for change in changes for word in ("--set", change)]
    return shlex.join(["nnplug", "train", "--out", str(folder), "--resume", *words])
