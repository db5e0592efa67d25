"""Files of NumPy's that are nearly right: arrays behind made-up headers, changed archives, bombs."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib

import numpy as np
from mutations import LENGTHS, Rng, choose, mutate_bytes

from nnplug import Array

BOMB = 300_000_000  # bytes that a small file may unpack to


def blank(kind: int, size: int = BOMB) -> bytes:
    """Zeros, packed: deflated, or as a gzip file."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, kind), bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()


GZIP_BOMB, DEFLATED_BOMB = blank(31), blank(-15)


# .npy

DTYPES = ("<f4", "<f8", ">f8", "<f2", "u1", "<i8", ">i2", "|b1", "<u8")
WORDS = ("|O", "<U5", "|S3", "<c16", "<f16", "<M8[s]", "<M8[x]", "|V8", "<f4,<i4", "O", "f", "", "<i9", "|b1")
WORDS += ("abcd", "3f4")
HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
    "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }",
    "{'descr': '<f4', 'fortran_order': 0, 'shape': (True, 2), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 5, }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': [2], }",
    "[" * 1000,
    "(" * 3000 + ")" * 3000,
    "-" * 4000 + "1",
    "{" + "1:" * 1500 + "1}",
    "__import__('os').system('true')",
    "'\\ud800\x1b[2J",
    "1" * 4000,
    "\n\n\n",
    "",
)


def array(rng: Rng, rows: int, row: tuple[int, ...] | None = None) -> Array:
    """Any numbers, in rows."""
    shape = (rows, *(sample_shape(rng) if row is None else row))
    dtype = np.dtype(choose(rng, DTYPES))
    values = rng.integers(0, 2, shape) if dtype.kind == "b" else rng.normal(size=shape) * 50 + 100
    return np.asarray(values.astype(dtype), order=choose(rng, ("C", "F")))


def sample_shape(rng: Rng) -> tuple[int, ...]:
    """The shape of a row."""
    return tuple(rng.integers(1, 4, int(rng.integers(0, 3))).tolist())


def npy(values: Array) -> bytes:
    """A ``.npy`` file as NumPy writes it."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def length(rng: Rng) -> int:
    """Some number, often a bad one."""
    return choose(rng, LENGTHS) if rng.random() < 0.5 else int(rng.integers(-2, 20))


def with_header(rng: Rng, content: bytes) -> bytes:
    """The numbers of a file behind another header; mostly one that NumPy would read."""
    if rng.random() < 0.3:
        text = choose(rng, HEADERS)
    else:
        shape = tuple(length(rng) for _ in range(choose(rng, (0, 1, 1, 2, 3, 40))))
        descr = choose(rng, WORDS + DTYPES)
        text = f"{{'descr': {descr!r}, 'fortran_order': {choose(rng, (True, False, 1))!r}, 'shape': {shape!r}, }}"
    header = text.encode() + b" " * int(rng.integers(0, 70)) + b"\n"
    version = choose(rng, (1, 1, 1, 1, 2, 2, 3, 4))
    said = len(header) if rng.random() < 0.9 else length(rng)
    size = struct.pack("<H", said & 0xFFFF) if version == 1 else struct.pack("<I", said & 0xFFFFFFFF)
    return b"\x93NUMPY" + bytes((version, 0)) + size + header + content[-int(rng.integers(1, 200)) :]


def hostile_npy(rng: Rng, rows: int) -> bytes:
    """A ``.npy`` file, changed or not."""
    good = npy(array(rng, rows))
    kind = rng.integers(5)
    if kind == 0:
        return good
    return with_header(rng, good) if kind < 3 else mutate_bytes(rng, good, npy(array(rng, 3)))


# .npz

NAMES = ("x", "y", "x_train", "y_train", "x_test", "y_test", "x_validation", "weight", "weight_test", "x_", "x_dev")
NAMES += ("z",)
NAMES += ("", "../x", "/etc/x", "x\x1b[2J", "é", "x" * 3000)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def hostile_npz(rng: Rng) -> bytes:
    """A ``.npz`` file whose entries are changed, or the bytes between them, or nothing."""
    rows, row, file = int(rng.integers(1, 30)), sample_shape(rng), io.BytesIO()
    names = ["x", "y"] if rng.random() < 0.5 else ["x_train", "y_train", "x_test", "y_test"]
    if rng.random() < 0.3:
        names += [choose(rng, NAMES) for _ in range(int(rng.integers(1, 4)))]
    changed = rng.random() < 0.5
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may be there twice
        for name in names:
            content = hostile_npy(rng, rows) if changed and rng.random() < 0.3 else npy(array(rng, rows, row))
            method = choose(rng, METHODS) if rng.random() < 0.2 else zipfile.ZIP_DEFLATED
            archive.writestr(f"{name}.npy" if rng.random() < 0.97 else name or "-", content, method)
    content = file.getvalue()
    if rng.random() < 0.6:
        content = mutate_bytes(rng, content, content)
    if rng.random() < 0.4:  # in the table of contents: sizes, offsets, flags, methods
        data = bytearray(content)
        at = max(content.rfind(b"PK\1\2"), content.rfind(b"PK\5\6") if rng.random() < 0.5 else 0, 0)
        at += int(rng.integers(4, 46))
        data[at : at + 4] = (length(rng) & 0xFFFFFFFF).to_bytes(4, "little")
        content = bytes(data)
    return content


def bomb_npz() -> bytes:
    """A small file that says truly how much it unpacks to."""
    header = npy(np.zeros(1, np.uint8)).replace(b"(1,), }" + 9 * b" ", f"({BOMB >> 20 << 20},), }}".encode().ljust(16))[
        :128
    ]
    content, size = struct.pack("<BHH", 0, 128, 128 ^ 0xFFFF) + header, 128 + (BOMB >> 20 << 20)
    packed = content + DEFLATED_BOMB
    crc = zlib.crc32(bytes(size - 128), zlib.crc32(header))
    sizes = struct.pack("<LLL", crc, len(packed), size)
    out = b""
    table = b""
    for name in (b"x.npy", b"y.npy"):
        common = struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", len(name), 0)
        table += b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHLL", 0, 0, 0, 0, len(out)) + name
        out += b"PK\3\4" + common + name + packed
    return out + table + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 2, 2, len(table), len(out), 0)


NPZ_BOMB = bomb_npz()
