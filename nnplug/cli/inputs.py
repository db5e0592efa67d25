"""Samples to predict, from files that NumPy wrote and from tables."""

from __future__ import annotations

import reprlib
from pathlib import Path

import numpy as np

from nnplug.arrayfiles import read_npy, read_npz
from nnplug.errors import DataError, ModelFileError
from nnplug.model import Model
from nnplug.naming import quote
from nnplug.paths import data_file
from nnplug.runfolder import MODEL
from nnplug.specs import Array
from nnplug.table import Table

TABLES = (".csv", ".tsv", ".txt")


def model_file(path: Path) -> Path:
    """The file of a model: the one that is named, or that of the run whose folder is.

    Raises:
        ModelFileError: the folder holds none.
    """
    if not path.is_dir():
        return path
    if not (path / MODEL).is_file():
        raise ModelFileError(f"{path} is a folder that holds no {MODEL}: no run has led to a model there")
    return path / MODEL


def read_batch(path: Path, model: Model, delimiter: str) -> Array:
    """A batch of samples that the model takes; a file with one sample is a batch of one.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    if path.suffix.lower() in TABLES:
        return _read_table(data_file(path), model, delimiter)
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
    raise DataError(f"{path}: is neither a .npy nor a .npz file, nor called a table ({', '.join(TABLES)})")


def _choose(path: Path, names: list[str]) -> dict[str, str]:
    """Only x: an array of another name, such as y_test, may be anything."""
    if "x" not in names:
        raise DataError(f"{path}: has no array x; it holds {reprlib.repr(names)}; call the one to predict 'x'")
    return {"x": "x"}


def _read_table(path: Path, model: Model, delimiter: str) -> Array:
    """The columns that the model knows by their names; where it knows no names, all columns as they stand."""
    shape, wanted = model.input_spec.shape, model.feature_names
    if len(shape) != 1:
        raise DataError(f"{path}: is a table, whose rows are of shape (D,); the model takes samples of shape {shape}")
    table = Table(path, delimiter)
    if wanted is None:
        if all(map(Table.is_number, table.names)):
            table = Table(path, delimiter, header=False)
        if len(table.names) != shape[0]:
            raise DataError(f"{path}: has {_columns(table)}; the model takes {shape[0]}, and knows no names for them")
        return table.read(["x"] * shape[0])["x"]
    for name in wanted:
        if (times := table.names.count(name)) != 1:
            fault = f"no column is called {quote(name)}" if not times else f"{times} columns are called {quote(name)}"
            raise DataError(f"{path}: {fault}; the model was made for columns of that name. It has {_columns(table)}")
    x = table.read(["x" if name in wanted else "ignored" for name in table.names])["x"]
    there = [name for name in table.names if name in wanted]
    return x[:, [there.index(name) for name in wanted]]


def _columns(table: Table) -> str:
    """How many columns there are, and their names; of a single one, a hint."""
    count = len(table.names)
    if count == 1:
        return f"1 column, {reprlib.repr(table.names[0])}; is {table.delimiter!r} its delimiter (--delimiter)?"
    return f"{count} columns: {reprlib.repr(table.names)}" if any(table.names) else f"{count} columns"
