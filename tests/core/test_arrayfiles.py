"""The readers of ``.npy`` and ``.npz`` files: arrays of numbers as NumPy writes them, and files that were made to harm.

Each hostile file must end in a `DataError`, after less than two seconds of computing and in less than 500 MB.
"""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

import nnplug
from nnplug import DataError

X = np.arange(24, dtype=np.uint8).reshape(6, 4)
Write = Callable[[BinaryIO], object]


def everything(names: list[str]) -> dict[str, str]:
    return {name: name for name in names}


def refusal(path: Path, headers: bool = False, **options: Any) -> str:
    """What the reader says of a file, which it must say in time, in printable characters and with no warning."""
    read_npz = nnplug.npz_headers if headers else nnplug.read_npz
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(DataError) as caught:
            read_npz(path, everything) if path.suffix == ".npz" else nnplug.read_npy(path, **options)
        seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seconds < 2
    assert peak < 500e6
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 2000
    return text.removeprefix(f"{path}: ")


# .npy


def with_header(text: str, data: bytes = bytes(48), version: int = 1, length: int | None = None) -> bytes:
    """A ``.npy`` file with any text as its header."""
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes((version, 0)) + size + text.encode("latin-1") + data


def declaring(shape: str, dtype: str = "'<f8'", order: str = "False", data: bytes = bytes(48)) -> bytes:
    """A ``.npy`` file whose header says this."""
    return with_header(f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}\n", data)


@pytest.fixture
def npy(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "x.npy"
        path.write_bytes(content)
        return path

    return write


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    "x",
    [X, np.asfortranarray(X), X.astype(">f4"), X > 3, np.arange(6), np.ones((1,) * 20, np.float16)],
    ids=["rows", "Fortran", "big-endian", "bool", "one axis", "twenty axes"],
)
def test_arrays_come_as_they_were_saved(npy: Callable[[bytes], Path], x: np.ndarray, mapped: bool) -> None:
    """Values, dtype and order; mapped read-only, or in memory of their own."""
    found = nnplug.read_npy(npy(saved(x)), mapped=mapped)
    assert isinstance(found, np.memmap) == mapped
    assert found.flags.writeable != mapped
    assert found.flags.f_contiguous == x.flags.f_contiguous
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, x)


def test_files_of_old_are_read(npy: Callable[[bytes], Path]) -> None:
    """Python 2 wrote its long integers with an L; version 2 of the format has longer headers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nnplug.read_npy(npy(declaring("(6L,)"))).shape == (6,)
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, X, version=(2, 0))
        assert (nnplug.read_npy(npy(buffer.getvalue())) == X).all()


IMPOSSIBLE = "no array has the shape that its header says"
UNREADABLE = "cannot be read: "


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", UNREADABLE),
        (b"<html>not found</html>", UNREADABLE),
        (saved(X)[:5], UNREADABLE),
        (saved(X)[:20], UNREADABLE),
        (saved(X)[:-1], "the header says 24 bytes, shape (6, 4), but only 23 follow"),
        (saved(X) + b"\0", "the header says 24 bytes, shape (6, 4), but more follow"),
        (saved(X) * 2, "the header says 24 bytes, shape (6, 4), but more follow"),
        (declaring(f"({10**18},)"), f"the header says {8 * 10**18} bytes, shape ({10**18},), but only 48 follow"),
        (declaring(f"({2**61}, 8)"), f"the header says {2**67} bytes, shape ({2**61}, 8), but only 48 follow"),
        (declaring(f"({2**61}, 4, {2**61})"), f"the header says {2**127} bytes, "),
        (declaring(f"({2**63},)"), IMPOSSIBLE),
        (declaring(f"({'9' * 3900},)"), IMPOSSIBLE),
        (declaring(f"(0x{'f' * 3900},)"), IMPOSSIBLE),
        (declaring(f"({'9' * 5000},)"), UNREADABLE),
        (declaring("(-6, -1)"), IMPOSSIBLE),
        (declaring("(True, 6)"), IMPOSSIBLE),
        (declaring("(6.0,)"), UNREADABLE),
        (declaring("(nan,)"), UNREADABLE),
        (declaring("(1e400,)"), UNREADABLE),
        (declaring("[6]"), UNREADABLE),
        (declaring("6"), UNREADABLE),
        (declaring("(" + "1, " * 65 + "6)"), UNREADABLE),
        (declaring("()", data=bytes(8)), "expected at least one row, and something in it, got shape ()"),
        (declaring("(0, 4)", data=b""), "expected at least one row, and something in it, got shape (0, 4)"),
        (declaring(f"({10**18}, 0)", data=b""), "expected at least one row, and something in it, got shape"),
        (declaring("(6,)", order="1"), UNREADABLE),
        (declaring("(6000, 1000)", order="True"), "the header says 48000000 bytes, shape (6000, 1000), but only 48"),
        (declaring("(6,)", "'|O'"), "holds Python objects, expected numbers"),
        (declaring("(6,)", "[('a', '|O')]"), "holds Python objects, expected numbers"),
        (declaring("(6,)", "[('a', '<f8')]"), "expected numbers, got [('a', '<f8')]"),
        (declaring("(6,)", "('<f8', (2, 3))"), "expected numbers, got ('<f8', (2, 3))"),
        (declaring("(6,)", "'(100000,100000)f8'"), UNREADABLE),
        (declaring("(6,)", "'V1000000000'"), "expected numbers, got |V1000000000"),
        (declaring("(6,)", "'S8'"), "expected numbers, got |S8"),
        (declaring("(6,)", "'<M8[s]'"), "expected numbers, got datetime64[s]"),
        (declaring("(6,)", "'\\d'"), UNREADABLE),
        (declaring("(6,)", "'\x1b[2J\n'"), UNREADABLE),
        (declaring("(6,)", "'\\x1b[2J'"), UNREADABLE),
        (with_header("{'\\x1b[2J': 1}"), UNREADABLE),
        (with_header("print()"), UNREADABLE + "its header is no table of shape, order and dtype"),
        (with_header("\0" * 200), UNREADABLE),
        (with_header("(" * 4000), UNREADABLE),
        (with_header("-" * 4000 + "1"), UNREADABLE),
        (with_header("not " * 1000 + "1"), UNREADABLE),
        (with_header("1" + "+1j" * 1000), UNREADABLE),
        (with_header("1" + "**9" * 1000), UNREADABLE),
        (with_header("[" * 90 + "]" * 90), UNREADABLE),
        (with_header("{" + "{}:" * 80 + "1" + "}" * 80), UNREADABLE),
        (with_header("{" + " " * (1 << 20) + "}", version=2), UNREADABLE),
        (with_header("{", version=2, length=2**32 - 1), UNREADABLE),
        (with_header("{}", version=3), UNREADABLE + "version (3, 0) of the format, which has no numbers"),
    ],
)
def test_hostile_npy_files(npy: Callable[[bytes], Path], content: bytes, problem: str, mapped: bool) -> None:
    """The header is believed as far as the file's size bears it out, and parsed as far as arrays of numbers need it."""
    text = refusal(npy(content), mapped=mapped)
    assert text.startswith(problem)
    assert "recursion" not in text
    assert "('EOF" not in text


def test_a_long_file_that_says_little(npy: Callable[[bytes], Path]) -> None:
    """Ten terabytes of nothing, which take no room on the disk, are not looked through."""
    path = npy(declaring("(6,)"))
    with path.open("r+b") as file:
        try:
            file.truncate(10**13)
        except OSError as error:
            pytest.skip(f"this file system has no such large files: {error}")
    assert refusal(path).endswith("but more follow")


# .npz

READERS = pytest.mark.parametrize("headers", [False, True], ids=["arrays", "headers"])


def zipped(path: Path, *entries: tuple[str, bytes | Write], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A ``.npz`` file of any entries, given as bytes or as what writes them."""
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two entries of one name
        for name, content in entries:
            with archive.open(name, "w", force_zip64=callable(content)) as file:
                content(file) if callable(content) else file.write(content)
    return path


def patched(path: Path, place: int, values: bytes, signature: bytes = b"PK\1\2") -> Path:
    """The file with other bytes in its first entry of the table of contents, or where ``signature`` stands."""
    content = bytearray(path.read_bytes())
    at = content.index(signature) + place
    content[at : at + len(values)] = values
    path.write_bytes(content)
    return path


def zeros(count: int) -> Write:
    """What writes a true array of ``count`` zeros, which packs a thousandfold."""

    def write(file: BinaryIO) -> None:
        file.write(declaring(f"({count},)", "'|u1'", data=b""))
        for start in range(0, count, 1 << 24):
            file.write(bytes(min(1 << 24, count - start)))

    return write


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


def test_what_is_chosen_is_read(npz: Path) -> None:
    """Under the name asked for, in memory of its own; whatever else the file holds is not looked at."""
    zipped(npz, ("x.npy", saved(X)), ("y.npy", saved(X[:, 0])), ("../notes\x1b", b"text"), ("z.npy", zeros(1 << 28)))
    found = nnplug.read_npz(npz, lambda names: {names[0]: "images", "y": "labels"})
    assert {name: array.tolist() for name, array in found.items()} == {"images": X.tolist(), "labels": X[:, 0].tolist()}
    assert found["images"].flags.writeable


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_headers_tell_what_there_is_to_read(npz: Path, save: Callable[..., None]) -> None:
    """Shape and dtype, in the file's byte order, of what is chosen; nothing is unpacked for it."""
    save(npz, x=X, big=np.zeros((1000, 5000), ">f8"), flag=np.array([True]), y=X)
    tracemalloc.start()
    try:
        found = nnplug.npz_headers(npz, lambda names: {name: name.upper() for name in names if name != "y"})
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
    assert found == {
        "X": nnplug.ArraySpec((6, 4), "uint8"),
        "BIG": nnplug.ArraySpec((1000, 5000), ">f8"),
        "FLAG": nnplug.ArraySpec((1,), "bool"),
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_any_order_and_size(npz: Path, save: Callable[..., None]) -> None:
    """Packed or not, in Fortran order, in another byte order, and larger than what is read at a time."""
    large = np.random.default_rng(0).standard_normal((1000, 300))
    save(npz, x=X, fortran=np.asfortranarray(X), big=X.astype(">i8"), large=large)
    found = nnplug.read_npz(npz, everything)
    assert found["fortran"].flags.f_contiguous
    assert found["big"].dtype == ">i8"
    for name in ("x", "fortran", "big"):
        np.testing.assert_array_equal(found[name], X)
    np.testing.assert_array_equal(found["large"], large)


def test_data_may_pack_a_hundredfold(npz: Path) -> None:
    """What stays under 128 MiB may pack better still: labels in order do."""
    zipped(npz, ("y.npy", saved(np.repeat(np.arange(10), 1_000_000))))
    assert npz.stat().st_size * 500 < 80_000_000
    assert nnplug.read_npz(npz, everything)["y"].sum() == 45_000_000


@READERS
@pytest.mark.parametrize("count", [1, 4])
def test_bombs(npz: Path, count: int, headers: bool) -> None:
    """A file that unpacks to a thousand times its size, in one array or in several: told before any is unpacked."""
    zipped(npz, *((f"x{i}.npy", zeros((1 << 28) // count)) for i in range(count)))
    assert npz.stat().st_size < 300_000
    with zipfile.ZipFile(npz) as archive:
        size = sum(info.file_size for info in archive.infolist())
    assert refusal(npz, headers) == (
        f"would unpack to {size} bytes, and a file of this size may to 134217728; "
        "if they are all meant, save the arrays unpacked, with numpy.savez"
    )


@READERS
def test_a_header_that_never_ends(npz: Path, headers: bool) -> None:
    """It claims four gigabytes; a few kilobytes are looked at."""
    bomb = with_header("{", data=b" " * 100_000_000, version=2, length=2**32 - 1)
    assert refusal(zipped(npz, ("x.npy", bomb)), headers).startswith("x: cannot be read: EOF: reading array header, ")


@READERS
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "x: cannot be read: "),
        (b"text\x1b[2J", "x: cannot be read: "),
        (saved(X)[:-1], "x: the header says 24 bytes, shape (6, 4), but only 23 follow"),
        (saved(X) + bytes(100), "x: the header says 24 bytes, shape (6, 4), but more follow"),
        (declaring(f"({10**12},)"), f"x: the header says {8 * 10**12} bytes, shape ({10**12},), but only 48 follow"),
        (declaring(f"({10**18}, 0)", data=b""), "x: expected at least one row, and something in it"),
        (declaring("(6,)", "'|O'"), "x: holds Python objects, expected numbers"),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_hostile_arrays(npz: Path, content: bytes, problem: str, method: int, headers: bool) -> None:
    """A header is believed as far as the size of the entry bears it out."""
    assert refusal(zipped(npz, ("x.npy", content), method=method), headers).startswith(problem)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_entries_that_lie_about_their_size(npz: Path, method: int) -> None:
    """Larger or smaller than what is there, in agreement with the array's header or not."""
    for content, size in ((saved(X), 10), (saved(X), 2**27), (saved(X[:5]), len(saved(X)))):
        patched(zipped(npz, ("x.npy", content), method=method), 24, struct.pack("<I", size))
        assert refusal(npz).startswith("x: ")
    promise = declaring(f"({10**8},)", "'|u1'", data=b"")
    patched(zipped(npz, ("x.npy", promise), method=method), 24, struct.pack("<I", len(promise) + 10**8))
    assert refusal(npz) == "x: the header says 100000000 bytes, shape (100000000,), but only 0 follow"


def test_a_flipped_bit_is_seen(npz: Path) -> None:
    """By the checksum that every entry has."""
    zipped(npz, ("x.npy", saved(X)), method=zipfile.ZIP_STORED)
    patched(npz, 5, b"\xff", signature=X.tobytes())
    assert refusal(npz) == "x: cannot be read: Bad CRC-32 for file 'x.npy'"


@READERS
def test_names_that_two_arrays_have(npz: Path, headers: bool) -> None:
    """NumPy would take the last one; nobody knows which was meant."""
    for second in ("x.npy", "x"):
        assert (
            refusal(zipped(npz, ("x.npy", saved(X)), (second, saved(X))), headers)
            == "holds 2 arrays called 'x', expected one"
        )


def test_a_choice_that_is_not_there(npz: Path) -> None:
    """A reader that asks for it hears of it."""
    zipped(npz, ("x.npy", saved(X)))
    for read in (nnplug.read_npz, nnplug.npz_headers):
        with pytest.raises(DataError, match="holds 0 arrays called 'y', expected one"):
            read(npz, lambda names: {"y": "y"})


@READERS
def test_encrypted_entries(npz: Path, headers: bool) -> None:
    """There is no password to ask for."""
    patched(zipped(npz, ("x.npy", saved(X))), 8, b"\1")
    assert refusal(npz, headers) == "x: is encrypted; NumPy's own files are not"


@READERS
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack(npz: Path, method: int, headers: bool) -> None:
    """They unpack to a million times their size, or ask for gigabytes to begin with; NumPy writes neither."""
    text = refusal(zipped(npz, ("x.npy", saved(X)), method=method), headers)
    assert text == f"x: is packed in a way that NumPy does not use (method {method})"


@READERS
def test_a_hundred_thousand_entries(npz: Path, headers: bool) -> None:
    """The table of contents is read at once, so it has a limit."""
    zipped(npz, *((f"a{i}", b"") for i in range(100_000)), method=zipfile.ZIP_STORED)
    assert refusal(npz, headers) == "is no .npz file: its table of contents has 5188890 bytes"


@READERS
def test_names_cannot_drive_the_terminal(npz: Path, headers: bool) -> None:
    """Wherever a message quotes one."""
    assert refusal(zipped(npz, ("\x1b[2J\n.npy", b"text")), headers).startswith(r"\x1b[2J\n: cannot be read: ")
    assert "\\x1b" in refusal(zipped(npz, *2 * [("\x1b[2J\n.npy", b"text")]), headers)


def test_names_in_no_encoding(npz: Path) -> None:
    """They claim to be in UTF-8."""
    content = zipped(npz, ("é.npy", saved(X))).read_bytes()
    npz.write_bytes(content.replace("é".encode(), b"\xff\xff"))
    assert refusal(npz) == "is no .npz file: it has a name in no encoding that we know"


@READERS
@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PK\5\6" + bytes(17), saved(X)])
def test_what_is_no_archive(npz: Path, content: bytes, headers: bool) -> None:
    """Whatever zipfile raises, it becomes one error of ours that names the file."""
    npz.write_bytes(content)
    assert refusal(npz, headers).startswith("is no .npz file: ")


@READERS
def test_archives_cut_short(npz: Path, headers: bool) -> None:
    """At any byte."""
    good = zipped(npz, ("x.npy", saved(X))).read_bytes()
    for end in range(len(good)):
        npz.write_bytes(good[:end])
        assert refusal(npz, headers).startswith("is no .npz file: ")
