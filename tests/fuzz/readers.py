"""Hostile data files: ``python tests/fuzz/readers.py --runs 20000 --seed 0``.

Valid .npy, .npz, IDX and csv files are changed, byte by byte or in what they say, and read. A reader refuses a file
with a DataError, or gives what an independent and trusting reader gives, too: NumPy, gzip, Python's csv.
"""

from __future__ import annotations

import csv
import gzip
import io
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from harness import main
from mutations import LENGTHS, Rng, choose, mutate_bytes

from nnplug import Array, DataError, Dataset, NnplugError, read_npy
from nnplug_builtins._idx import read_idx
from nnplug_builtins.arrays import Arrays
from nnplug_builtins.csv import Csv

BOMB = 300_000_000  # bytes that a small file may unpack to


def blank(kind: int, size: int = BOMB) -> bytes:
    """Zeros, packed: deflated, or as a gzip file."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, kind), bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()


GZIP_BOMB, DEFLATED_BOMB = blank(31), blank(-15)


# NumPy's files

DTYPES = ("<f4", "<f8", ">f8", "<f2", "u1", "<i8", ">i2", "|b1", "<u8")
WORDS = (
    "|O",
    "<U5",
    "|S3",
    "<c16",
    "<f16",
    "<M8[s]",
    "<M8[x]",
    "|V8",
    "<f4,<i4",
    "O",
    "f",
    "",
    "<i9",
    "|b1",
    "abcd",
    "3f4",
)
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


def read_one_npy(rng: Rng, folder: Path) -> str:
    """A single file."""
    path, mapped = folder / "x.npy", rng.random() < 0.5
    path.write_bytes(hostile_npy(rng, int(rng.integers(1, 30))))
    found = read_npy(path, mapped=mapped)
    same(found, trusting(path))
    return "a .npy file"


def load_npy(rng: Rng, folder: Path) -> str:
    """Two files."""
    rows = int(rng.integers(1, 30))
    for name in ("x", "y"):
        (folder / f"{name}.npy").write_bytes(hostile_npy(rng, rows))
    fraction = choose(rng, (0.0, 0.3))
    loader = Arrays(folder / "x.npy", targets=folder / "y.npy", test=fraction, memory_map=rng.random() < 0.5)
    data = used(loader.load())
    if not fraction:
        same(data.train[0], trusting(folder / "x.npy"))
        same(data.train[1], trusting(folder / "y.npy"))
    return "two .npy files"


NAMES = (
    "x",
    "y",
    "x_train",
    "y_train",
    "x_test",
    "y_test",
    "x_validation",
    "weight",
    "weight_test",
    "x_",
    "x_dev",
    "z",
)
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


def load_npz(rng: Rng, folder: Path) -> str:
    """One file with everything."""
    path = folder / "d.npz"
    bomb = rng.random() < 0.01
    path.write_bytes(NPZ_BOMB if bomb else hostile_npz(rng))
    data = used(Arrays(path).load())
    assert not bomb
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.load(path, allow_pickle=False) as file:
            same(data.train[0], file["x" if "x" in file else "x_train"])
            same(data.train[1], file["y" if "y" in file else "y_train"])
    return "a .npz file"


def trusting(path: Path) -> Array:
    """What NumPy reads from a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old headers
        found: Array = np.load(path, allow_pickle=False)
        return found


def same(found: Any, expected: Array) -> None:
    """Both are the same numbers; the byte order is the reader's own affair."""
    assert found.shape == expected.shape
    assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    assert (
        found.astype(found.dtype.newbyteorder("=")).tobytes()
        == expected.astype(found.dtype.newbyteorder("=")).tobytes()
    )


def used(data: Dataset) -> Dataset:
    """Every split has as many rows of x as of y, all there."""
    for split in (data.train, data.validation, data.test):
        if split is not None:
            assert len({len(part) for part in split}) == 1
            for part in split:
                np.asarray(part).tobytes()
    return data


# IDX


def hostile_idx(rng: Rng, ndim: int) -> bytes:
    """An IDX file, its header changed or not."""
    shape = rng.integers(0, 7, ndim).tolist()
    content = rng.bytes(int(np.prod(shape)))
    if rng.random() < 0.3:
        shape[int(rng.integers(ndim))] = length(rng) & 0xFFFFFFFF
    magic = bytes((0, 0, 8, ndim)) if rng.random() < 0.9 else rng.bytes(4)
    return magic + b"".join(n.to_bytes(4, "big") for n in shape) + content


def read_one_idx(rng: Rng, folder: Path) -> str:
    """A single file, unpacked or packed, perhaps changed after packing, perhaps in several parts."""
    ndim = int(rng.integers(1, 4))
    content, packed = hostile_idx(rng, ndim), rng.random() < 0.6
    if rng.random() < 0.3:
        content = mutate_bytes(rng, content, content)
    if packed:
        unpacked, content = content, gzip.compress(content, choose(rng, (0, 1, 9)), mtime=0)
        kind = rng.integers(10)
        if kind < 3:
            content = mutate_bytes(rng, content, content)
        elif kind == 3:  # with a name, a comment and a field without meaning
            texts = [rng.bytes(int(2 ** rng.uniform(0, 16))).replace(b"\0", b"x") + b"\0" for _ in range(2)]
            extra = rng.bytes(int(rng.integers(0, 2**16)))
            content = (
                content[:3]
                + b"\x1c"
                + content[4:10]
                + struct.pack("<H", len(extra))
                + extra
                + b"".join(texts)
                + content[10:]
            )
        elif kind == 4:
            content = content * int(2 ** rng.uniform(0, 14))
        elif kind == 5:
            content = gzip.compress(unpacked[: 4 + 4 * ndim]) + gzip.compress(b"") * 1000 + content
        elif kind == 6 and rng.random() < 0.1:
            content = GZIP_BOMB
    path = folder / ("d.gz" if packed else "d")
    path.write_bytes(content)
    found = read_idx(path, ndim)
    expected = gzip.decompress(content) if packed else content
    assert expected[4 + 4 * ndim :] == found.tobytes()
    assert found.shape == struct.unpack(f">{ndim}I", expected[4 : 4 + 4 * ndim])
    return "an IDX file, packed" if packed else "an IDX file"


# csv

CELLS = (
    "1",
    "0",
    "-2.5",
    "3e4",
    "1e308",
    "5e-324",
    "+1",
    ".5",
    "5.",
    " 7 ",
    "7\t",
    "1_0",
    "0x10",
    "nan",
    "inf",
    "-inf",
)
CELLS += (
    "1e999",
    "",
    " ",
    '"4"',
    '"4',
    '4"',
    '""',
    '"a""b"',
    '"a,b"',
    '"1\n"',
    '"\r\n"',
    "'1'",
    "#1",
    "# x",
    "\\",
    "\\n",
)
CELLS += (
    "1\x00",
    "\x00",
    "\x1b[2J",
    "é",
    "٣",
    "\u00a01",
    "1\u2028",
    "1\x85",
    "1\x0c",
    "1\x1c",
    "\ufeff1",
    "1j",
    "True",
)
CELLS += (
    "1.7976931348623159e308",
    "9" * 400,
    "1" * 5000,
    "0." + "3" * 2000,
    "a",
    "b",
    "None",
    "1 2",
    "1d5",
    "1f",
    "infinity",
)
ENDS = ("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n \n", "\r\r\n", "\n\r", "")


def hostile_table(rng: Rng, delimiter: str, kinds: str) -> str:
    """A table, with cells, columns and line ends as they may come."""
    columns, rows = choose(rng, (1, 2, 2, 3, 5)), int(2 ** rng.uniform(0, 7))
    wrong = choose(rng, (0, 0, 0.002, 0.02, 0.1))
    end = choose(rng, ENDS[:5])
    lines = [delimiter.join(f"c{i}" for i in range(columns))]
    for _ in range(rows):
        cells = [f"{rng.normal():.4g}" for _ in range(columns - 1)] + [choose(rng, kinds)]
        cells = [choose(rng, CELLS) if rng.random() < wrong else cell for cell in cells]
        if rng.random() < wrong / 3:
            cells = cells[1:] if rng.random() < 0.5 else cells * int(2 ** rng.uniform(0, 10))
        lines.append(delimiter.join(cells))
    text = "".join(line + (choose(rng, ENDS) if rng.random() < wrong else end) for line in lines)
    if rng.random() < 0.02:
        at = int(rng.integers(len(text) + 1))
        text = (
            text[:at]
            + choose(rng, ('"', "9", "\0", "\n", delimiter, " ", "é")) * int(2 ** rng.uniform(0, 22))
            + text[at:]
        )
    return text


def load_csv(rng: Rng, folder: Path) -> str:
    """One table."""
    delimiter = choose(rng, ",,,,,,;\t |é\0")
    encoding = choose(rng, 20 * ("utf-8",) + ("utf-8-sig", "utf-16", "latin-1"))
    task = choose(rng, ("classification", "regression"))
    kinds = "abc1" if task == "classification" and rng.random() < 0.5 else "123"
    content = hostile_table(rng, delimiter, kinds).encode(encoding, "replace")
    if rng.random() < 0.2:
        content = mutate_bytes(rng, content, content)
    (folder / "d.csv").write_bytes(content)
    header, fraction = rng.random() < 0.7, choose(rng, (0.0, 0.0, 0.3))
    options: dict[str, Any] = {"task": task, "header": header, "test": fraction, "delimiter": delimiter}
    options["target"] = choose(rng, (-1,) if rng.random() < 0.8 else (0, 1, "c0", 7, -9))
    if task == "regression" and rng.random() < 0.3:
        options["target"] = choose(rng, ((0, 1), (1, 0), (-1, -1), ()))
    if rng.random() < 0.1:
        options["ignore"] = choose(rng, ((0,), (1,), (0, 1), ("c1",), (-1,)))
    loader = Csv(folder / "d.csv", **options)
    data = used(loader.load())
    assert np.isfinite(data.train[0]).all()
    if not fraction:
        agree(data, loader, content)
    return f"a table, {task}"


def agree(data: Dataset, loader: Csv, content: bytes) -> None:
    """What was read is what Python's csv and float read."""
    text = content.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=loader.delimiter, strict=True))
    rows = [row for row in rows[int(loader.header) :] if row]
    names, width = next(csv.reader(io.StringIO(text, newline=""), delimiter=loader.delimiter)), len(rows[0])

    def index(wanted: str | int) -> int:
        return [name.strip() for name in names].index(wanted) if isinstance(wanted, str) else wanted % width

    targets = loader.target if isinstance(loader.target, tuple) else (loader.target,)
    apart = {index(target) for target in (*targets, *loader.ignore)}
    x, y = data.train
    assert x.tolist() == [[float(row[i]) for i in range(width) if i not in apart] for row in rows]
    if loader.task == "classification":
        assert [data.class_names[i] for i in y] == [row[index(targets[0])].strip() for row in rows]
    else:
        values = [[float(row[index(target)]) for target in targets] for row in rows]
        assert y.tolist() == (values if isinstance(loader.target, tuple) else [row[0] for row in values])


READERS = (read_one_npy, load_npy, load_npz, load_npz, read_one_idx, load_csv, load_csv)


def attempt(rng: Rng, folder: Path) -> str:
    """One file, or two that belong together."""
    read = choose(rng, READERS)
    try:
        return read(rng, folder)
    except DataError:
        raise
    except NnplugError as error:
        raise AssertionError("another error than DataError") from error


if __name__ == "__main__":
    sys.exit(main(attempt))
