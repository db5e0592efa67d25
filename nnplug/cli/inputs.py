"""Samples to predict, from files that NumPy wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nnplug.errors import DataError
from nnplug.model import Model
from nnplug.specs import Array


def read_batch(path: Path, model: Model) -> Array:
    """A batch of samples that the model takes; a file with one sample is a batch of one.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    array, shape = _read(path), model.input_spec.shape
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path} holds {array.dtype}, the model takes numbers")
    if array.shape == shape:
        return array[np.newaxis]
    if array.ndim and array.shape[1:] == shape:
        if not len(array):
            raise DataError(f"{path} holds no samples, its shape is {array.shape}")
        return array
    batch = "(" + ", ".join(["N", *map(str, shape)]) + ")"
    raise DataError(f"{path} has shape {array.shape}; the model takes {shape}, or {batch} for N samples")


def _read(path: Path) -> Array:
    """The array of a ``.npy`` file, mapped into memory, or x of a ``.npz`` file."""
    try:
        with path.open("rb") as file:  # given a path, np.load would leave a broken archive open
            start = file.read(6)
            file.seek(0)
            if start.startswith(b"PK"):
                with np.load(file, allow_pickle=False) as archive:
                    return _choose(path, archive)
        if start == b"\x93NUMPY":
            array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
    except (OSError, DataError):
        raise
    except Exception as error:  # for a damaged file NumPy raises anything, from ValueError to TokenError
        raise DataError(f"{path} cannot be read: {error}") from error
    raise DataError(f"{path} is neither a .npy nor a .npz file")


def _choose(path: Path, archive: Any) -> Array:
    names = list(archive.files)
    if "x" not in names and len(names) != 1:
        raise DataError(f"{path} holds {', '.join(names) or 'nothing'}; call the one to predict 'x'")
    array: Array = archive["x" if "x" in names else names[0]]
    return array
