"""Model files: a tensor file with the weights and, as JSON among its texts, the config they belong to.

Nothing in a file is unpickled, evaluated or imported by path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnplug.errors import ConfigError, ModelFileError
from nnplug.files import parse_json, replacing
from nnplug.limits import check_size
from nnplug.naming import cut, printable
from nnplug.specs import Array
from nnplug.tensorfile import DamagedError, TensorFile, write_tensors

FORMAT = 1
KEY = "nnplug"
TO_DO = "if it should be a model, it was damaged or cut off: get it once more from where it came from"


def write_model(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a model file; one that exists is replaced as a whole, or stays as it is.

    Raises:
        ModelFileError: the file cannot be written, or nobody could read it.
    """
    import json

    header = {"format": FORMAT, **header}
    try:
        check_size(header, finite=True)
        text = json.dumps(header, default=_refuse)
        with replacing(path) as file:
            write_tensors(file, {KEY: text}, arrays)
    except OSError as error:
        raise ModelFileError(f"{printable(str(path))} cannot be written: {error.strerror}") from error
    except (ConfigError, TypeError, ValueError) as error:  # an option that JSON cannot say, an array of such a dtype
        raise ModelFileError(f"{printable(str(path))} cannot be written: {error}") from error


def _refuse(value: object) -> None:
    raise TypeError(f"an option is {cut(printable(repr(value)))}, which has no place in a file")


@contextmanager
def open_model(path: Path) -> Iterator[tuple[dict[str, Any], TensorFile]]:
    """The header of what `write_model` wrote, and the file with the arrays, which are read when they are asked for.

    Raises:
        ModelFileError: the file is missing, cannot be read, or is no model of nnplug.
    """
    name = printable(str(path))
    try:
        with TensorFile(path) as file:
            yield _header(name, file), file
    except OSError as error:
        raise ModelFileError(f"{name} cannot be read: {error.strerror or error}") from error
    except DamagedError as error:
        raise ModelFileError(f"{name} is no model file: it {error}; {TO_DO}") from error


def _header(name: str, file: TensorFile) -> dict[str, Any]:
    try:
        header = parse_json(file.texts.get(KEY, "null"))
    except ValueError as error:
        raise ModelFileError(f"{name} is no model file: its config {error}; {TO_DO}") from None
    if isinstance(header, dict) and "checkpoint" in header:
        raise ModelFileError(f"{name} is a checkpoint, no model; resume its run, then there will be one")
    if isinstance(header, dict) and "diverged" in header:
        raise ModelFileError(f"{name} is no model, but what was kept of a training that diverged, to look at")
    if not isinstance(header, dict) or not isinstance(header.get("model"), dict):
        raise ModelFileError(f"{name} is a safetensors file, but not one that nnplug wrote: it has no config")
    try:
        check_size(header, finite=True)
    except ConfigError as error:
        raise ModelFileError(f"{name} is no model that nnplug can read: {error}") from None
    if fault := format_fault(header, FORMAT):
        raise ModelFileError(f"{name} {fault}")
    return header


def format_fault(header: Mapping[str, Any], known: int) -> str:
    """What to say of a file whose header gives another format than the known one; nothing, if it gives that."""
    given = header.get("format")
    if type(given) is int and given == known:  # True is 1, too
        return ""
    return f"has format {cut(repr(given))}; this nnplug reads format {known}, a newer one may read it"
