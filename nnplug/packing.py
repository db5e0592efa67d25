"""Plain values with arrays in them, apart: what JSON can say, and the arrays by path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

ARRAY = "$array"  # a table with this key stands for an array, its value is the array's path


def pack(value: Any, arrays: dict[str, np.ndarray[Any, Any]], path: str) -> Any:
    """A value as JSON can say it; what is an array goes into ``arrays`` under its path, ``callbacks/0/seen``.

    Tuples become lists. NaN and infinity stay, as Python's own reader and writer of JSON keep them.

    Raises:
        TypeError: something in it is neither a number, a text, a list, a dict with texts for keys, nor an array of
            numbers; with its path.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc" and value.dtype.itemsize <= 8:
        while path in arrays:  # {"a/b": one, "a": {"b": another}}
            path += "+"
        arrays[path] = value
        return {ARRAY: path}
    if isinstance(value, list | tuple):
        return [pack(item, arrays, f"{path}/{i}") for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        raise TypeError(f"{path}, {_kind(value)},")
    for key in value:
        if not isinstance(key, str) or key == ARRAY:
            raise TypeError(f"{path}, a dict with the key {key!r},")
    return {key: pack(item, arrays, f"{path}/{key}") for key, item in value.items()}


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, np.generic):  # a Python number would come back, with which NumPy computes otherwise
        return f"NumPy's {value.dtype} (make it a Python number, or an array)"
    return type(value).__name__


def unpack(value: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    """What `pack` took apart.

    Raises:
        KeyError: an array is missing.
    """
    if isinstance(value, list):
        return [unpack(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if ARRAY in value:
        return arrays[value[ARRAY]]
    return {key: unpack(item, arrays) for key, item in value.items()}
