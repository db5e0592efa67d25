"""Read arrays of numbers from the files that NumPy writes, and nothing else: no pickled object, no text.

What a file says about itself is held against its size before it is believed. So nothing is allocated for an array that
is not there, and nothing is passed over: a file holds what its header says, no less and no more.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, BytesIO, FileIO
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Literal
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from attrs import frozen

from nnplug.errors import DataError
from nnplug.naming import printable
from nnplug.paths import data_file
from nnplug.specs import Array, ArraySpec

HEADER = 1 << 12  # bytes; an array of numbers needs a hundred or two
PIECE = 1 << 17  # bytes unpacked at a time: small enough to stay in the processor's cache
CONTENTS = 1 << 20  # bytes of a .npz file's table of contents: some ten thousand arrays
SMALL, RATIO = 1 << 27, 100  # what may be unpacked: this many bytes, and this many times the file's own
ENCRYPTED = 1  # a bit of a zip entry's flags


def read_npy(path: Path | str, *, mapped: bool = True) -> Array:
    """The array of a ``.npy`` file, for instance ``read_npy("x.npy")``.

    Args:
        path: the file; ``~`` is expanded.
        mapped: whether to map it into memory, read-only, instead of reading it.

    Returns:
        Booleans, integers or real numbers, at least one row, in the order and byte order that the file has.

    Raises:
        DataError: the file cannot be read, holds something else than rows of numbers, or less or more of them than its
            header says.
    """
    path = data_file(path)
    with _refusing(path), path.open("rb") as file:
        header = _Header.read(path, file.read(HEADER), path.stat().st_size)
        array: Array = np.memmap(path, header.dtype, "r", header.start, header.shape, header.order)
        return array if mapped else np.array(array)


def read_npz(path: Path | str, choose: Callable[[list[str]], Mapping[str, str]]) -> dict[str, Array]:
    """Some arrays of a ``.npz`` file, read into memory.

    Together they may unpack to 128 MiB, and beyond that to a hundred times the size of the file. No measured data are
    packed so tightly; a small file that unpacks to more was made to fill somebody's memory.

    Args:
        path: the file; ``~`` is expanded.
        choose: is given the names in the file, and says which to read and under what name to return them.

    Returns:
        Booleans, integers or real numbers, at least one row each, in the order and byte order that the file has.

    Raises:
        DataError: the file or a chosen array cannot be read, a name is there twice or not at all, the arrays would
            unpack to too much, or one holds something else than rows of numbers, or less or more of them than its
            header says.
    """
    path = data_file(path)
    with _open(path) as archive:
        return {called: _unpack(where, archive, info) for called, where, info in _chosen(path, archive, choose)}


def npz_headers(path: Path | str, choose: Callable[[list[str]], Mapping[str, str]]) -> dict[str, ArraySpec]:
    """Shape and dtype of some arrays of a ``.npz`` file, without reading the arrays.

    Args:
        path: the file; ``~`` is expanded.
        choose: is given the names in the file, and says which to look at and under what name to return them.

    Returns:
        The shape, of which the first axis is rows, and the dtype, in the byte order that the file has.

    Raises:
        DataError: as `read_npz` would, as far as a header and the table of contents tell.
    """
    path = data_file(path)
    specs = {}
    with _open(path) as archive:
        for called, where, info in _chosen(path, archive, choose):
            with _member(where, archive, info) as file:
                header = _Header.read(where, file.read(HEADER), info.file_size)
            specs[called] = ArraySpec(header.shape, header.dtype)
    return specs


@frozen
class _Header:
    """What a ``.npy`` file says about its array, found true: the numbers from ``start`` on are all there."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]
    start: int

    @classmethod
    def read(cls, where: object, beginning: bytes, size: int) -> _Header:
        """Read a header from the beginning of a file of ``size`` bytes, as many as there are or `HEADER`.

        Raises:
            DataError: it is no header, or does not fit the size or what we read.
        """
        buffer = BytesIO(beginning)
        with _refusing(where), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header of Python 2, or an old name of a dtype, is no less clear
            version = np.lib.format.read_magic(buffer)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"version {version} of the format, which has no numbers")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(buffer, max_header_size=HEADER)
        _check_numbers(where, shape, dtype)
        header = cls(shape, "F" if fortran else "C", dtype, buffer.tell())
        given, expected = size - header.start, prod(shape) * dtype.itemsize
        if given != expected:
            told = f"only {given} follow" if given < expected else "more follow"
            raise DataError(f"{where}: the header says {expected} bytes, shape {shape}, but {told}")
        return header


def _check_numbers(where: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, expected numbers")
    if dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, got {_short(dtype)}")
    if any(type(n) is not int or not 0 <= n < 2**63 for n in shape):
        raise DataError(f"{where}: no array has the shape that its header says")
    if not shape or 0 in shape:
        raise DataError(f"{where}: expected at least one row, and something in it, got shape {shape}")


class _ShortReads(BufferedReader):
    """A file for zipfile, which reads little at a time, but the table of contents at once, whatever its size."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > CONTENTS:
            raise BadZipFile(f"its table of contents has {size} bytes")
        return super().read(size)


@contextmanager
def _open(path: Path) -> Iterator[ZipFile]:
    with _refusing(path):
        file = FileIO(path)
    with file:
        with _refusing(path, "is no .npz file"):
            archive = ZipFile(_ShortReads(file))
        yield archive


def _chosen(
    path: Path, archive: ZipFile, choose: Callable[[list[str]], Mapping[str, str]]
) -> list[tuple[str, str, ZipInfo]]:
    """What to call each chosen array, what messages call it, and its entry; in the order of the file."""
    entries = [(info.filename.removesuffix(".npy"), info) for info in archive.infolist()]
    names = [name for name, _ in entries]
    chosen = choose(names)
    for name in chosen:
        if names.count(name) != 1:
            raise DataError(f"{path}: holds {names.count(name)} arrays called {name!r}, expected one")
    wanted = [(chosen[name], f"{path}: {printable(name)}", info) for name, info in entries if name in chosen]
    size, limit = sum(info.file_size for _, _, info in wanted), max(SMALL, RATIO * path.stat().st_size)
    if size > limit:
        raise DataError(
            f"{path}: would unpack to {size} bytes, and a file of this size may to {limit}; "
            "if they are all meant, save the arrays unpacked, with numpy.savez"
        )
    return wanted


@contextmanager
def _member(where: str, archive: ZipFile, info: ZipInfo) -> Iterator[IO[bytes]]:
    """An entry, opened."""
    if info.flag_bits & ENCRYPTED:
        raise DataError(f"{where}: is encrypted; NumPy's own files are not")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise DataError(f"{where}: is packed in a way that NumPy does not use (method {info.compress_type})")
    with _refusing(where), archive.open(info) as file:
        yield file


def _unpack(where: str, archive: ZipFile, info: ZipInfo) -> Array:
    """One array, in memory that grows as the bytes arrive."""
    with _member(where, archive, info) as file:
        beginning = file.read(HEADER)
        header = _Header.read(where, beginning, info.file_size)
        data, size = bytearray(beginning[header.start :]), info.file_size - header.start
        while len(data) < size and (piece := file.read(PIECE)):
            data += piece
        if len(data) < size:
            raise DataError(f"{where}: the header says {size} bytes, shape {header.shape}, but only {len(data)} follow")
        return np.frombuffer(data, header.dtype).reshape(header.shape, order=header.order)


@contextmanager
def _refusing(where: object, fault: str = "cannot be read") -> Iterator[None]:
    """Make one error of ours of whatever NumPy and zipfile raise for a broken file, from ValueError to TokenError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{where}: {fault}: {_short(_reason(error))}") from error


def _reason(error: Exception) -> object:
    """What went wrong, without what only programmers care for."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it has a name in no encoding that we know"
    if isinstance(error, TokenError):
        return error.args[0]  # the place is one in the header, not in the file
    if "<ast." in str(error):  # Python's parser, of a header that is code
        return "its header is no table of shape, order and dtype"
    return error.strerror if isinstance(error, OSError) and error.strerror else error


def _short(what: object) -> str:
    """A text of somebody else's, which may quote the file: no control characters, no page of it."""
    text = printable(str(what)) or type(what).__name__
    return text if len(text) <= 200 else f"{text[:200]}..."
