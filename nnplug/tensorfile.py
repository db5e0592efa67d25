"""Tensor files: arrays by name and some texts, in the safetensors format.

A file is 8 bytes, the length of its header; the header, a JSON table of what the arrays are called, of their dtypes,
their shapes and where their bytes stand; and these bytes. Nothing that a file says is believed before it is checked
against what is there, and no array is allocated before somebody asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from attrs import frozen

from nnplug.files import open_to_read, parse_json
from nnplug.naming import quote
from nnplug.specs import Array

HEADER = 2 * 2**20  # bytes; a network of three thousand layers, written out, takes three quarters of that
TEXTS = "__metadata__"
DTYPES = {
    "BOOL": "bool",
    **{f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "C64": "complex64",
}
CODES = {name: code for code, name in DTYPES.items()}
SIZES = {code: np.dtype(name).itemsize for code, name in DTYPES.items()}


class DamagedError(ValueError):
    """What a file says contradicts itself, or what is there; the message is the rest of a sentence about it."""


@frozen
class Stored:
    """An array in a file: its shape, its dtype as NumPy calls it, and where its bytes begin and end."""

    shape: tuple[int, ...]
    dtype: str
    start: int
    stop: int


def write_tensors(file: BinaryIO, texts: Mapping[str, str], arrays: Mapping[str, Array]) -> None:
    """Write a tensor file. No second copy of the arrays is made; the same content gives the same bytes.

    Raises:
        ValueError: an array's dtype has no place in such a file, or the header is longer than anybody reads.
    """
    import json

    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))  # so that all are aligned
    header: dict[str, Any] = {TEXTS: dict(texts)}
    end = 0
    for name in order:
        array = arrays[name]
        if array.dtype.name not in CODES:
            raise ValueError(f"{quote(name)} has dtype {array.dtype}, which has no place in a file")
        start, end = end, end + array.nbytes
        header[name] = {"dtype": CODES[array.dtype.name], "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER:
        raise ValueError(f"its header takes {len(text):,} bytes, and nnplug reads at most {HEADER:,}")
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        little_endian = arrays[name].dtype.newbyteorder("<")
        file.write(_bytes(np.ascontiguousarray(arrays[name], little_endian)).data)


def _bytes(array: Array) -> Array:
    """The bytes of a contiguous array, in its own memory."""
    return array.reshape(-1).view(np.uint8)


class TensorFile:
    """An open tensor file; a context manager that closes it.

    Attributes:
        texts: its texts by name.
        arrays: what arrays it holds, by name.

    Raises:
        OSError: the file cannot be read.
        DamagedError: it is no tensor file.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_to_read(path)
        try:
            header, begin, end = _read_header(self._file)
            self.texts = _texts(header.pop(TEXTS, {}))
            self.arrays = {name: _stored(name, entry, begin) for name, entry in sorted(header.items())}
            _check_places(self.arrays, begin, end)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str) -> Array:
        """An array, in memory of its own; raises what `read_into` does."""
        array = np.empty(self.arrays[name].shape, self.arrays[name].dtype)
        self.read_into(name, array)
        return array

    def read_into(self, name: str, out: Array) -> None:
        """Fill a contiguous array of the same shape; no second copy is made if it has the same dtype, too.

        Raises:
            OSError: the file cannot be read.
            DamagedError: it is shorter than it was, or holds what is neither true nor false.
        """
        stored = self.arrays[name]
        as_stored = np.dtype(stored.dtype).newbyteorder("<")
        array = out if out.dtype == as_stored else np.empty(stored.shape, as_stored)
        self._file.seek(stored.start)
        if self._file.readinto(_bytes(array).data) < array.nbytes:  # type: ignore[attr-defined]  # it is buffered
            raise DamagedError(f"ends in the middle of {quote(name)}")
        if array.dtype == bool and _bytes(array).max(initial=0) > 1:
            raise DamagedError(f"holds in {quote(name)} what is neither true nor false")
        if array is not out:
            out[...] = array


def _read_header(file: BinaryIO) -> tuple[dict[str, Any], int, int]:
    """The header, and where the arrays' bytes begin and end."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise DamagedError(f"would have a header of {length:,} bytes, but is {size:,} bytes long")
    if length > HEADER:
        raise DamagedError(f"has a header of {length:,} bytes; nnplug reads at most {HEADER:,}")
    try:
        header = parse_json(file.read(length).decode())
    except UnicodeDecodeError:
        raise DamagedError("has a header that is no text") from None
    except ValueError as error:
        raise DamagedError(f"has a header that {error}") from None
    if not isinstance(header, dict):
        raise DamagedError("has a header that is no table")
    return header, 8 + length, size


def _texts(table: Any) -> dict[str, str]:
    if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
        raise DamagedError("holds something else than texts where texts are expected")
    return table


def _stored(name: str, entry: Any, begin: int) -> Stored:
    """One entry of the header, if it makes sense by itself."""
    if not isinstance(entry, dict) or not entry.keys() >= {"dtype", "shape", "data_offsets"}:
        raise DamagedError(f"does not say dtype, shape and place of {quote(name)}")
    code, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise DamagedError(f"gives {quote(name)} a dtype that NumPy does not have")
    if not _counts(shape) or len(shape) > 64 or not _counts(place) or len(place) != 2:
        raise DamagedError(f"gives {quote(name)} a shape or a place that cannot be")
    size = prod(n for n in shape if n) * SIZES[code]
    if size >= 2**63 or place[1] - place[0] != (0 if 0 in shape else size):
        raise DamagedError(f"gives {quote(name)} a place that is not as large as its shape")
    return Stored(tuple(shape), DTYPES[code], begin + place[0], begin + place[1])


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)


def _check_places(arrays: Mapping[str, Stored], begin: int, end: int) -> None:
    """One array after the other, without gaps, up to the end of the file."""
    at = begin
    for name, stored in sorted(arrays.items(), key=lambda item: (item[1].start, item[1].stop)):
        if stored.start != at:
            raise DamagedError(f"has bytes that belong to no array, or to two, before {quote(name)}")
        at = stored.stop
    if at != end:
        raise DamagedError(f"holds {end - begin:,} bytes of arrays, and tells of {at - begin:,}")
