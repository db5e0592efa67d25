"""IDX, the file format of MNIST: a magic number, the dimensions, the bytes.

The header is big-endian: two zero bytes, the type of an element (0x08, unsigned byte), the number of dimensions, then
each dimension as a 32-bit integer. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nnplug import Array, DataError, data_file

PIECE = 1 << 17  # bytes read or unpacked at a time: small enough to stay in the processor's cache
GZIP = 31  # tells zlib that a gzip header comes first


def read_idx(path: Path, ndim: int) -> Array:
    """Read an IDX file of unsigned bytes, unpacked or, if its name ends in ``.gz``, packed.

    What the header promises is believed only as far as bytes arrive: memory grows with the data that is really there,
    and nothing is unpacked beyond what the header says.

    Args:
        path: the file.
        ndim: the number of dimensions it must have.

    Returns:
        A uint8 array of its own, of the shape that the header gives.

    Raises:
        DataError: the file cannot be read, is no IDX file of unsigned bytes in ``ndim`` dimensions, or holds more or
            fewer bytes than its header says.
    """
    path, start, data = data_file(path), 4 + 4 * ndim, bytearray()
    try:
        with path.open("rb") as file:
            pieces = _unpacked(file) if path.suffix == ".gz" else iter(partial(file.read, PIECE), b"")
            _fill(data, pieces, start)
            shape = _shape(bytes(data[:start]), path, ndim)
            _fill(data, pieces, start + prod(shape))
    except (OSError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    follow = len(data) - start
    if follow != prod(shape):
        given = f"only {follow} follow" if follow < prod(shape) else "more follow"
        raise DataError(f"{path}: the header says {prod(shape)} bytes, shape {shape}, but {given}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """What a gzip file unpacks to, in pieces.

    Python's gzip would follow a name without end, or empty parts without number; zlib passes over the one at the
    speed of memory, and of several parts MNIST's files have none.
    """
    unpacker, packed = zlib.decompressobj(GZIP), b""
    while not unpacker.eof and (packed := packed or file.read(PIECE)):
        piece = unpacker.decompress(packed, PIECE)
        packed = unpacker.unconsumed_tail
        if piece:
            yield piece
    if not unpacker.eof:
        raise OSError("it ends too early")
    if unpacker.unused_data or file.read(1):
        raise OSError("it goes on after its end")


def _fill(data: bytearray, pieces: Iterator[bytes], size: int) -> None:
    """Add pieces until there are more than ``size`` bytes, or no pieces left."""
    while len(data) <= size and (piece := next(pieces, b"")):
        data += piece


def _shape(header: bytes, path: Path, ndim: int) -> tuple[int, ...]:
    magic = bytes((0, 0, 0x08, ndim))
    if header[:4] != magic:
        raise DataError(
            f"{path}: begins with {header[:4].hex() or 'nothing'}, expected {magic.hex()}: "
            f"an IDX file of unsigned bytes with {ndim} dimension{'s' if ndim > 1 else ''}"
        )
    if len(header) < 4 + 4 * ndim:
        raise DataError(f"{path}: ends within its header, after {len(header)} bytes")
    return tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))
