"""The reader of IDX files, on good files and on hostile ones."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins._idx import read_idx


def idx(shape: tuple[int, ...], data: bytes, type_code: int = 0x08) -> bytes:
    return bytes((0, 0, type_code, len(shape))) + b"".join(n.to_bytes(4, "big") for n in shape) + data


def message(path: Path, ndim: int) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path, ndim)
    return str(caught.value)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_packed_and_unpacked_files_are_read(tmp_path: Path, name: str) -> None:
    """Bytes come back in the header's shape, in an array that the caller may write to."""
    data = idx((2, 3, 4), bytes(range(24)))
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    x = read_idx(path, ndim=3)
    assert x.dtype == np.uint8
    assert x.tolist() == np.arange(24).reshape(2, 3, 4).tolist()
    assert x.flags.writeable


def test_files_larger_than_a_piece_are_read_whole(tmp_path: Path) -> None:
    """What is read piece by piece is put together in order."""
    expected = np.random.default_rng(0).integers(0, 256, 500_001, np.uint8)
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(idx(expected.shape, expected.tobytes())))
    assert (read_idx(path, ndim=1) == expected).all()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "begins with nothing, expected 00000803: an IDX file of unsigned bytes with 3 dimensions"),
        (b"\x00\x00", "begins with 0000, expected 00000803: an IDX file of unsigned bytes with 3 dimensions"),
        (
            b"<html>404</html>",
            "begins with 3c68746d, expected 00000803: an IDX file of unsigned bytes with 3 dimensions",
        ),
        (
            idx((1, 1, 1), bytes(4), type_code=0x0D),
            "begins with 00000d03, expected 00000803: an IDX file of unsigned bytes with 3 dimensions",
        ),
        (
            idx((2,), bytes(2)),
            "begins with 00000801, expected 00000803: an IDX file of unsigned bytes with 3 dimensions",
        ),
        (idx((2, 3, 4), b"")[:11], "ends within its header, after 11 bytes"),
        (idx((2, 3, 4), bytes(23)), "the header says 24 bytes, shape (2, 3, 4), but only 23 follow"),
        (idx((2, 3, 4), bytes(25)), "the header says 24 bytes, shape (2, 3, 4), but more follow"),
        (idx((0, 3, 4), bytes(1)), "the header says 0 bytes, shape (0, 3, 4), but more follow"),
    ],
)
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_broken_files_are_refused(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    """The message names the file and what is wrong with it, whether it is packed or not."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert message(path, 3) == f"{path}: {problem}"


def test_one_dimension_is_told_in_the_singular(tmp_path: Path) -> None:
    """Labels have one dimension."""
    path = tmp_path / "labels"
    path.write_bytes(b"no idx")
    assert (
        message(path, 1)
        == f"{path}: begins with 6e6f2069, expected 00000801: an IDX file of unsigned bytes with 1 dimension"
    )


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_a_promise_of_exabytes_allocates_nothing(tmp_path: Path, name: str) -> None:
    """Dimensions of 2**32 - 1 are believed only as far as bytes follow."""
    path = tmp_path / name
    content = idx((2**32 - 1,) * 3, bytes(1000))
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    tracemalloc.start()
    try:
        text = message(path, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = (2**32 - 1) ** 3
    shape = (2**32 - 1,) * 3
    assert text == f"{path}: the header says {size} bytes, shape {shape}, but only 1000 follow"
    assert peak < 2_000_000


def bomb(path: Path) -> None:
    """Ten gigabytes of zeros, packed into ten megabytes."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(idx((1, 2, 5), b"")) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(1 << 25)) + packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(start + zeros * 320)


def long_name(path: Path) -> None:
    """A gzip header with a file name of a hundred megabytes."""
    path.write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 100_000_000)


def empty_parts(path: Path) -> None:
    """Two million gzip files in one, all of them empty."""
    path.write_bytes(gzip.compress(b"") * 2_000_000)


def sparse(path: Path) -> None:
    """Ten terabytes that take no room on the disk."""
    path.write_bytes(gzip.compress(idx((1, 2, 5), bytes(10))))
    with path.open("r+b") as file:
        try:
            file.truncate(10**13)
        except OSError as error:
            pytest.skip(f"this file system has no such large files: {error}")


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (bomb, "the header says 10 bytes, shape (1, 2, 5), but more follow"),
        (long_name, "cannot be read: it ends too early"),
        (empty_parts, "cannot be read: it goes on after its end"),
        (sparse, "cannot be read: it goes on after its end"),
    ],
)
def test_hostile_gzip_files(tmp_path: Path, write: Callable[[Path], None], problem: str) -> None:
    """None is read for long, and none fills the memory."""
    path = tmp_path / "images.gz"
    write(path)
    tracemalloc.start()
    start = time.process_time()
    try:
        text = message(path, 3)
        seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert text == f"{path}: {problem}"
    assert seconds < 2
    assert peak < 2_000_000


def test_damaged_gzip_files_are_refused(tmp_path: Path) -> None:
    """No gzip file, those cut short or continued, one with a wrong checksum, and one with a flipped bit in its data."""
    good = gzip.compress(idx((2, 3, 4), bytes(range(24))), mtime=0)
    path = tmp_path / "images.gz"
    for content, problem in (
        (b"not gzip", "incorrect header check"),
        (b"", "it ends too early"),
        (good[:-10], "it ends too early"),
        (good[:-1], "it ends too early"),
        (good[:-6] + b"!" + good[-5:], "incorrect data check"),
        (good + b"!", "it goes on after its end"),
        (good + good, "it goes on after its end"),
        (good[:30] + bytes([good[30] ^ 0xFF]) + good[31:], None),
    ):
        path.write_bytes(content)
        text = message(path, 3)
        assert text.startswith(f"{path}: cannot be read: ")
        assert problem is None or text.endswith(problem)


def test_what_is_no_file(tmp_path: Path) -> None:
    """Missing, or a folder."""
    path = tmp_path / "images"
    assert message(path, 3) == f"{path}: no such file; the current folder is {Path.cwd()}"
    assert message(tmp_path, 3) == f"{tmp_path}: is a folder, not a file"
