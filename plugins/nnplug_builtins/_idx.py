"""IDX, the file format of MNIST: a magic number, the dimensions, the bytes.

The header is big-endian: two zero bytes, the type of an element (0x08, unsigned byte), the number of dimensions, then
each dimension as a 32-bit integer. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import zlib
from io import BufferedIOBase
from math import prod
from pathlib import Path

import numpy as np

from nnplug import Array, DataError

PIECE = 1 << 17  # bytes unpacked at a time: small enough to stay in the processor's cache


def read_idx(path: Path, ndim: int) -> Array:
    """Read an IDX file of unsigned bytes, unpacked or, if its name ends in ``.gz``, packed.

    What the header promises is believed only as far as bytes arrive: memory grows with the data that is really there.

    Args:
        path: the file.
        ndim: the number of dimensions it must have.

    Returns:
        A uint8 array of its own, of the shape that the header gives.

    Raises:
        DataError: the file cannot be read, is no IDX file of unsigned bytes in ``ndim`` dimensions, or holds more or
            fewer bytes than its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            shape = _read_shape(file, path, ndim)
            data = _read_bytes(file, prod(shape))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(data) != prod(shape):
        given = f"only {len(data)} follow" if len(data) < prod(shape) else "more follow"
        raise DataError(f"{path}: the header says {prod(shape)} bytes, shape {shape}, but {given}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read_shape(file: BufferedIOBase, path: Path, ndim: int) -> tuple[int, ...]:
    header = file.read(4 + 4 * ndim)
    magic = bytes((0, 0, 0x08, ndim))
    if header[:4] != magic:
        raise DataError(
            f"{path}: begins with {header[:4].hex() or 'nothing'}, expected {magic.hex()}: "
            f"an IDX file of unsigned bytes with {ndim} dimension{'s' if ndim > 1 else ''}"
        )
    if len(header) < 4 + 4 * ndim:
        raise DataError(f"{path}: ends within its header, after {len(header)} bytes")
    return tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))


def _read_bytes(file: BufferedIOBase, size: int) -> bytearray:
    """Read ``size`` bytes, fewer if the file ends before, and some more if it goes on."""
    data = bytearray()
    while len(data) <= size and (piece := file.read(PIECE)):
        data += piece
    return data
