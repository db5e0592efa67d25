"""Samples to predict, from files that NumPy wrote."""

from __future__ import annotations

import reprlib
from pathlib import Path

import numpy as np

from nnplug.arrayfiles import read_npy, read_npz
from nnplug.errors import DataError
from nnplug.model import Model
from nnplug.paths import data_file
from nnplug.specs import Array


def read_batch(path: Path, model: Model) -> Array:
    """A batch of samples that the model takes; a file with one sample is a batch of one.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    array, shape = _read(path), model.input_spec.shape
    if array.shape == shape:
        return array[np.newaxis]
    if array.ndim and array.shape[1:] == shape:
        return array
    batch = "(" + ", ".join(["N", *map(str, shape)]) + ")"
    raise DataError(f"{path}: has shape {array.shape}; the model takes {shape}, or {batch} for N samples")


def _read(path: Path) -> Array:
    """The array of a ``.npy`` file, mapped into memory, or x of a ``.npz`` file."""
    with data_file(path).open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PK"):
        return read_npz(path, lambda names: _choose(path, names))["x"]
    if start == b"\x93NUMPY":
        return read_npy(path)
    raise DataError(f"{path}: is neither a .npy nor a .npz file")


def _choose(path: Path, names: list[str]) -> dict[str, str]:
    """Only x: an array of another name, such as y_test, may be anything."""
    if "x" not in names:
        raise DataError(f"{path}: has no array x; it holds {reprlib.repr(names)}; call the one to predict 'x'")
    return {"x": "x"}
