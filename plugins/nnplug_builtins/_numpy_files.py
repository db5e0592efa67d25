"""Read arrays of numbers from the files that NumPy writes, and nothing else: no pickled object, no text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from nnplug import Array, DataError


def read_npy(path: Path, mapped: bool) -> Array:
    """The array of a ``.npy`` file, mapped into memory or read.

    Raises:
        DataError: the file cannot be read, or holds no rows of numbers.
    """
    array = _try(path, np.lib.format.open_memmap, path, mode="r")
    return _numbers(path, array if mapped else np.array(array))


def read_npz(path: Path, choose: Callable[[list[str]], Mapping[str, str]]) -> dict[str, Array]:
    """Some arrays of a ``.npz`` file, read into memory.

    Args:
        path: the file.
        choose: is given the names in the file, and says which to read and under what name to return them.

    Raises:
        DataError: the file or a chosen array cannot be read, or the array holds no rows of numbers.
    """
    _try(path, path.open).close()  # is_zipfile says no to a file that is not there
    if not is_zipfile(path):
        raise DataError(f"{path}: is no .npz file")
    with _try(path, np.load, path, allow_pickle=False) as file:
        arrays = {}
        for name, called in choose(file.files).items():
            where = f"{path}: {name}"
            arrays[called] = _numbers(where, _try(where, file.__getitem__, name))
        return arrays


def _try(where: object, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return function(*args, **options)
    except FileNotFoundError as error:
        raise DataError(f"{where}: no such file; the current folder is {Path.cwd()}") from error
    except Exception as error:  # for a broken header NumPy raises anything, from ValueError to TokenError
        if "Python objects" in str(error) or "Object arrays" in str(error):  # NumPy has no exception of its own for it
            raise DataError(f"{where}: holds Python objects, expected numbers") from error
        raise DataError(f"{where}: cannot be read: {error}") from error


def _numbers(where: object, array: Any) -> Array:
    """The array, checked. One in another order would be copied whole for every batch; it is copied once, here."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, got {getattr(array, 'dtype', type(array).__name__)}")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{where}: expected at least one row, got shape {array.shape}")
    if array.flags.c_contiguous and array.dtype.isnative:
        return array
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))
