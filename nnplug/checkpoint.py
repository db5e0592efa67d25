"""Checkpoints: files that training goes on from as if it had not stopped; the last few of a run are kept.

A checkpoint is a tensor file. What is no array stands in it as JSON, in an array of bytes. What a checkpoint holds is
the business of `nnplug.snapshot`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nnplug.config import TrainConfig
from nnplug.errors import CheckpointError, NnplugError
from nnplug.files import parse_json, remove_leftovers, replacing
from nnplug.modelfile import KEY, format_fault
from nnplug.naming import printable
from nnplug.packing import pack, unpack
from nnplug.specs import Array
from nnplug.tensorfile import DamagedError, Stored, TensorFile, write_tensors

FORMAT = 1
FOLDER = "checkpoints"  # in the run's folder
CONTENT = "content"  # the array with the JSON
CONTENT_BYTES = 64 * 2**20  # the history of two hundred thousand epochs takes less
LEAST_SHARE = 50  # a checkpoint that took a second is followed by so many seconds without one

Check = Callable[[Mapping[str, Any], Mapping[str, Stored]], None]


def write_checkpoint(path: Path, snapshot: Mapping[str, Any]) -> None:
    """Write a snapshot, a table of plain values and arrays, whole or not at all.

    Raises:
        CheckpointError: it holds something that no file can, or more than anybody reads.
        OSError: the file cannot be written.
    """
    import json

    arrays: dict[str, Array] = {}
    try:
        text = json.dumps({key: pack(value, arrays, key) for key, value in snapshot.items()}).encode()
        if len(text) > CONTENT_BYTES:
            raise CheckpointError(f"{len(text):,} bytes of history and states are more than fit into a checkpoint")
        arrays[CONTENT] = np.frombuffer(text, np.uint8)
        header = {"format": FORMAT, "checkpoint": _checksum(arrays)}
        with replacing(path) as file:
            write_tensors(file, {KEY: json.dumps(header)}, arrays)
    except TypeError as error:
        raise CheckpointError(f"{error} cannot be written to a file, so there can be no checkpoint") from error
    except ValueError as error:
        raise CheckpointError(f"{error}, so there can be no checkpoint") from error


def read_checkpoint(path: Path, check: Check) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote.

    Args:
        path: the file.
        check: is shown what is no array, and what arrays there are, and may refuse them before any is read.

    Raises:
        CheckpointError: the file is missing, broken or no checkpoint, or was refused.
    """
    name = printable(str(path))
    try:
        with TensorFile(path) as file:
            checksum, content = _header(file), _content(file)
            check(content, {name: stored for name, stored in file.arrays.items() if name != CONTENT})
            arrays = {name: file.read(name) for name in file.arrays}
        if checksum != _checksum(arrays):
            raise CheckpointError("its content does not fit its checksum, it was damaged")  # noqa: TRY301
        return {key: unpack(value, arrays) for key, value in content.items()}
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror or error}") from error
    except DamagedError as error:
        raise CheckpointError(f"{name} is no checkpoint, or was damaged: it {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{name} cannot be used: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{name} cannot be used: it contradicts itself") from error


def _header(file: TensorFile) -> str:
    """The checksum that the file should have."""
    header = parse_json(file.texts.get(KEY, "null"))
    if not isinstance(header, dict) or not isinstance(header.get("checkpoint"), str):
        raise CheckpointError("it is no checkpoint")
    if fault := format_fault(header, FORMAT):
        raise CheckpointError(f"it {fault}")
    return str(header["checkpoint"])


def _content(file: TensorFile) -> dict[str, Any]:
    stored = file.arrays[CONTENT]
    if stored.dtype != "uint8" or stored.stop - stored.start > CONTENT_BYTES:
        raise CheckpointError("its content is no text, or too long")
    return dict(parse_json(file.read(CONTENT).tobytes().decode()))


def _checksum(arrays: Mapping[str, Array]) -> str:
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


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
    raise CheckpointError(f"{told}; to begin anew, name a new folder")


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that is done; the newest last, so that a run that is killed here can go on."""
    _remove(reversed(checkpoints_in(folder)))
    with _warning_of_what_stays():
        remove_leftovers(folder / FOLDER)
        if (folder / FOLDER).is_dir() and not any((folder / FOLDER).iterdir()):
            (folder / FOLDER).rmdir()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with _warning_of_what_stays():
            path.unlink(missing_ok=True)


@contextmanager
def _warning_of_what_stays() -> Iterator[None]:
    """No training fails for a file that nobody needs any more."""
    try:
        yield
    except OSError as error:
        told = f"{error.filename} cannot be removed: {error.strerror}; it is not needed any more, remove it yourself"
        warnings.warn(told, stacklevel=4)


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
        except (OSError, MemoryError, NnplugError) as error:
            kept = checkpoints_in(self._folder)
            last = f"the last one is {kept[0].name}" if kept else "there is none yet"
            reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
            told = f"no checkpoint can be written to {path.parent}: {reason}; training goes on, {last}"
            warnings.warn(told, stacklevel=2)
        else:
            older = [other for other in checkpoints_in(self._folder) if _step(other) <= step]
            _remove(older[self._config.keep_checkpoints :])
        done = perf_counter()
        self._next = done + max(self._config.checkpoint_seconds, LEAST_SHARE * (done - started))
