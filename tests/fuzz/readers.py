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
from pathlib import Path
from typing import Any

import numpy as np
from harness import main
from mutations import Rng, choose, mutate_bytes
from numpyfiles import GZIP_BOMB, NPZ_BOMB, hostile_npy, hostile_npz, length
from tables import hostile_table

from nnplug import Array, DataError, Dataset, NnplugError, read_npy
from nnplug_builtins._idx import read_idx
from nnplug_builtins.arrays import Arrays
from nnplug_builtins.csv import Csv

# NumPy's files


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
    with warnings.catch_warnings():
        for told in ("takes its first line for the columns' names", "all rows are of one class"):
            warnings.filterwarnings("ignore", f".*{told}", UserWarning)
        data = used(loader.load())
    assert np.isfinite(data.train[0]).all()
    if not fraction:
        agree(data, loader, content)
    return f"a table, {task}"


def agree(data: Dataset, loader: Csv, content: bytes) -> None:
    """What was read is what Python's csv and float read."""
    text, limit = content.decode("utf-8-sig"), csv.field_size_limit(1 << 23)
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=loader.delimiter, strict=True))
    csv.field_size_limit(limit)  # it is everybody's
    rows = [row for row in lines[int(loader.header) :] if row]
    names, width = lines[0], len(rows[0])

    def index(wanted: str | int) -> int:
        return [name.strip() for name in names].index(wanted) if isinstance(wanted, str) else wanted % width

    targets = loader.target if isinstance(loader.target, tuple) else (loader.target,)
    apart = {index(target) for target in (*targets, *loader.ignore)}
    x, y = data.train
    assert x.tolist() == [[float(row[i].strip()) for i in range(width) if i not in apart] for row in rows]
    if loader.task == "classification":
        assert [data.class_names[i] for i in y] == [row[index(targets[0])].strip() for row in rows]
    else:
        values = [[float(row[index(target)].strip()) for target in targets] for row in rows]
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
