"""Checkpoints: files that training goes on from as if it had not stopped; the last few of a run are kept.

What stands in them is `nnplug.snapshot`'s business.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nnplug.config import TrainConfig
from nnplug.errors import CheckpointError, ModelFileError
from nnplug.files import remove_leftovers
from nnplug.modelfile import Specs, read_tensors, write_tensors
from nnplug.packing import pack, unpack
from nnplug.specs import Array

FOLDER = "checkpoints"  # in the run's folder
LEAST_SHARE = 50  # a checkpoint that took a second is followed by so many seconds without one

Check = Callable[[dict[str, Any], Specs], None]


def write_checkpoint(path: Path, snapshot: Mapping[str, Any]) -> None:
    """Write a snapshot, a table of plain values and arrays, whole or not at all.

    Raises:
        CheckpointError: it holds something that no file can, or is too large for one.
        OSError: the file cannot be written.
    """
    from safetensors import SafetensorError

    arrays: dict[str, Array] = {}
    try:
        content = {key: pack(value, arrays, key) for key, value in snapshot.items()}
        write_tensors(path, {"checkpoint": content, "checksum": _checksum(content, arrays)}, arrays)
    except TypeError as error:
        raise CheckpointError(f"{error} fits into no file") from error
    except SafetensorError as error:
        raise CheckpointError(str(error)) from error


def read_checkpoint(path: Path, check: Check) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote.

    Args:
        path: the file.
        check: is shown what is no array and the specs of the arrays, and may refuse them before any array is read.

    Raises:
        CheckpointError: the file is missing, broken or no checkpoint, or was refused.
    """
    try:
        header, arrays = read_tensors(path, "checkpoint", lambda header, specs: check(header["checkpoint"], specs))
        content = header["checkpoint"]
        _verify(header.get("checksum"), content, arrays)
        return {key: unpack(value, arrays) for key, value in content.items()}
    except ModelFileError as error:
        raise CheckpointError(str(error)) from error
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error
    except (KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be used: it contradicts itself ({error})") from error


def _checksum(content: Any, arrays: Mapping[str, Array]) -> str:
    import hashlib
    import json

    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {arrays[name].shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _verify(checksum: Any, content: Any, arrays: Mapping[str, Array]) -> None:
    if checksum != _checksum(content, arrays):
        raise CheckpointError("its content does not fit its checksum, it was damaged")


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a run's folder, the newest first."""
    found = (path for path in (folder / FOLDER).glob("step-*.safetensors") if path.is_file())
    return sorted(found, key=_step, reverse=True)


def _step(path: Path) -> int:
    found = re.fullmatch(r"step-(\d{1,18})", path.stem)
    return int(found[1]) if found else -1


def newest_checkpoint(folder: Path, check: Check) -> dict[str, Any]:
    """The newest good checkpoint of a run's folder; a warning for each newer one that is not.

    Raises:
        CheckpointError: there is none.
    """
    problems: list[str] = []
    for path in checkpoints_in(folder):
        try:
            snapshot = read_checkpoint(path, check)
        except CheckpointError as error:
            problems.append(str(error))
        else:
            for problem in problems:
                warnings.warn(f"{problem}; going on from {path.name} instead", stacklevel=2)
            return snapshot
    told = "; ".join(problems) or f"{folder} holds no checkpoint"
    raise CheckpointError(told)


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run's folder; the newest last, so that a run that is killed here can go on."""
    for path in reversed(checkpoints_in(folder)):
        path.unlink(missing_ok=True)
    remove_leftovers(folder / FOLDER)
    if (folder / FOLDER).is_dir() and not any((folder / FOLDER).iterdir()):
        (folder / FOLDER).rmdir()


class Keeper:
    """Writes the checkpoints of a run when they are due, and removes old ones.

    Args:
        folder: the run's folder.
        config: how often, and how many are kept.
    """

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        self._folder, self._config = folder, config
        self._next = perf_counter() + config.checkpoint_seconds

    def due(self, step: int, now: float) -> bool:
        """Whether a checkpoint is to be written after this step."""
        seconds, steps = self._config.checkpoint_seconds, self._config.checkpoint_steps
        return (seconds > 0 and now >= self._next) or (steps is not None and step % steps == 0)

    def keep(self, step: int, write: Callable[[Path], None]) -> None:
        """Write a checkpoint. Where that fails, a warning says so: a full disk does not end hours of training."""
        started = perf_counter()
        path = self._folder / FOLDER / f"step-{step}.safetensors"
        try:
            write(path)
        except (OSError, MemoryError, CheckpointError) as error:
            kept = checkpoints_in(self._folder)
            last = f"the last one is {kept[0].name}" if kept else "there is none yet"
            reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
            told = f"no checkpoint can be written to {path.parent}: {reason}; training goes on, {last}"
            warnings.warn(told, stacklevel=2)
        else:
            older = [other for other in checkpoints_in(self._folder) if _step(other) <= step]
            for other in older[self._config.keep_checkpoints :]:
                other.unlink(missing_ok=True)
        done = perf_counter()
        self._next = done + max(self._config.checkpoint_seconds, LEAST_SHARE * (done - started))
