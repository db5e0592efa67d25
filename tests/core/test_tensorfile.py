"""Tensor files: what is written and read agrees with the safetensors library; what contradicts itself is refused."""

from __future__ import annotations

import io
import json
import os
import sys
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

from nnplug.tensorfile import DTYPES, HEADER, DamagedError, TensorFile, write_tensors

ARRAYS = {
    **{f"of {name}": np.arange(6).reshape(2, 3).astype(name) for name in DTYPES.values()},
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "sliced": np.arange(10, dtype=np.float32)[::2],
    "big-endian": np.arange(3, dtype=">f8"),
    "scalar": np.array(3, np.int64),
    "empty": np.zeros((0, 3), np.float32),
    "ä/ö \x1b[2J": np.ones(1),
}


def content(arrays, texts=None):
    """The bytes of a file."""
    file = io.BytesIO()
    write_tensors(file, texts or {}, arrays)
    return file.getvalue()


@pytest.fixture
def put(tmp_path):
    """Write bytes, or a header with bytes behind it, to a file."""

    def put(header, data=b"", length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "x.safetensors"
        path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
        return path

    return put


def refused(path):
    """Why a file is refused."""
    with pytest.raises(DamagedError) as caught:
        TensorFile(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


# What everybody can read


def test_the_library_reads_what_is_written():
    """Every dtype and layout, and the texts, byte for byte."""
    written = content(ARRAYS, {"a": "b", "ü": '"\n'})
    found = safetensors.numpy.load(written)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype.newbyteorder("=")
    assert json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])["__metadata__"] == {"a": "b", "ü": '"\n'}


def test_what_the_library_writes_is_read(tmp_path):
    """So that models written with it, as early ones were, go on to load."""
    native = {name: np.array(array.astype(array.dtype.newbyteorder("=")), order="C") for name, array in ARRAYS.items()}
    safetensors.numpy.save_file(native, tmp_path / "x", {"a": "b"})
    with TensorFile(tmp_path / "x") as file:
        assert file.texts == {"a": "b"}
        assert file.arrays.keys() == ARRAYS.keys()
        for name, array in native.items():
            np.testing.assert_array_equal(file.read(name), array)
            assert (file.read(name).dtype, file.read(name).shape) == (array.dtype, array.shape)


def test_arrays_are_aligned_and_the_same_content_gives_the_same_bytes():
    """Whoever maps the file into memory finds each array where its processor wants it."""
    written = content(ARRAYS)
    assert written == content(dict(reversed(ARRAYS.items())))
    length = int.from_bytes(written[:8], "little")
    assert length % 8 == 0
    for entry in json.loads(written[8 : 8 + length]).values():
        if entry:
            assert entry["data_offsets"][0] % np.dtype(DTYPES[entry["dtype"]]).itemsize == 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_reading_into_an_array(put, dtype):
    """One of the same dtype is filled without a second one; another is converted to."""
    path = put(b"")
    path.write_bytes(content({"a": np.arange(1_000_000, dtype="float32")}))
    out = np.zeros(1_000_000, dtype)
    with TensorFile(path) as file:
        tracemalloc.start()
        try:
            file.read_into("a", out)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(out, np.arange(1_000_000, dtype="float32").astype(dtype))
    assert (peak < 100_000) == (dtype == "float32")


def test_writing_makes_no_second_copy(tmp_path):
    """Arrays go from their own memory to the file."""
    arrays = {"a": np.ones(1_000_000), "b": np.ones((1000, 1000))}
    tracemalloc.start()
    try:
        with (tmp_path / "x").open("wb") as file:
            write_tensors(file, {}, arrays)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.ones(1, "complex128"), np.ones(1, "M8[s]")])
def test_dtypes_without_a_place(array):
    """They are refused before anything is written."""
    file = io.BytesIO()
    with pytest.raises(ValueError, match=r"^'a' has dtype .+, which has no place in a file$"):
        write_tensors(file, {}, {"a": array})
    assert file.getvalue() == b""


def test_a_header_that_nobody_would_read_is_not_written():
    """The limit of the reader is the writer's, too."""
    with pytest.raises(ValueError, match=r"^its header takes 2,097,\d{3} bytes, and nnplug reads at most 2,097,152$"):
        content({}, {"a": "x" * HEADER})


# What nobody should believe


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    """The header of a file with one array of eight bytes."""
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}}


PLACE = "gives 'a' a place that is not as large as its shape"
CANNOT_BE = "gives 'a' a shape or a place that cannot be"
NO_DTYPE = "gives 'a' a dtype that NumPy does not have"
NOT_SAID = "does not say dtype, shape and place of 'a'"

HEADERS = [
    (entry(offsets=(0, 2**40)), PLACE),
    (entry(offsets=(0, 4)), PLACE),
    (entry(offsets=(8, 0)), PLACE),
    (entry(offsets=(8, 16)), "has bytes that belong to no array, or to two, before 'a'"),
    (entry(offsets=(-8, 0)), CANNOT_BE),
    (entry(offsets=(0,)), CANNOT_BE),
    (entry(offsets=(0, 8, 8)), CANNOT_BE),
    (entry(offsets=(0.0, 8.0)), CANNOT_BE),
    (entry(offsets=(False, 8)), CANNOT_BE),
    (entry(offsets="08"), CANNOT_BE),
    (entry(shape=(-2,)), CANNOT_BE),
    (entry(shape=(2.0,)), CANNOT_BE),
    (entry(shape=(True, 2)), CANNOT_BE),
    (entry(shape=(float("nan"),)), CANNOT_BE),
    (entry(shape=(float("inf"),)), CANNOT_BE),
    (entry(shape={}), CANNOT_BE),
    (entry(shape=None), CANNOT_BE),
    (entry(shape=(1,) * 65), CANNOT_BE),
    (entry(shape=(2**40, 2**40)), PLACE),
    (entry(shape=(10**299,)), PLACE),
    (entry(shape=(0, 2**62), offsets=(0, 0)), PLACE),
    (entry(shape=()), PLACE),
    (entry(dtype="F99"), NO_DTYPE),
    (entry(dtype="BF16", shape=(4,)), NO_DTYPE),
    (entry(dtype="F8_E4M3", shape=(8,)), NO_DTYPE),
    (entry(dtype="float32"), NO_DTYPE),
    (entry(dtype="O"), NO_DTYPE),
    (entry(dtype="\x1b[2J"), NO_DTYPE),
    (entry(dtype=["F32"]), NO_DTYPE),
    (entry(dtype=None), NO_DTYPE),
    ({"a": {"dtype": "F32", "shape": [2]}}, NOT_SAID),
    ({"a": None}, NOT_SAID),
    ({"a": [1]}, NOT_SAID),
    ({}, "holds 8 bytes of arrays, and tells of 0"),
    ({"__metadata__": {}}, "holds 8 bytes of arrays, and tells of 0"),
    ({**entry(), "__metadata__": []}, "holds something else than texts where texts are expected"),
    ({**entry(), "__metadata__": {"x": 1}}, "holds something else than texts where texts are expected"),
    ({**entry(), "__metadata__": {"x": None}}, "holds something else than texts where texts are expected"),
    ({**entry(), "b": entry()["a"]}, "has bytes that belong to no array, or to two, before 'b'"),
    ({**entry(), "\x1b[2J\u202e": 3}, r"does not say dtype, shape and place of '\x1b[2J\u202e'"),
    ([1, 2], "has a header that is no table"),
    (None, "has a header that is no table"),
    (b"", "has a header that is no valid JSON (Expecting value at character 0)"),
    (
        b"{nonsense",
        "has a header that is no valid JSON (Expecting property name enclosed in double quotes at character 1)",
    ),
    (b"{}x", "has a header that is no valid JSON (Extra data at character 2)"),
    (b"\xff\xfe{}", "has a header that is no text"),
    ("{}".encode("utf-16"), "has a header that is no text"),
    (b"[" * 100_000, "has a header that is nested too deeply"),
    (b'{"a":1,"a":1}', "has a header that says 'a' twice"),
    (b'{"__metadata__":{"x":"1","x":"2"}}', "has a header that says 'x' twice"),
    (b'{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}', "has a header that says 'dtype' twice"),
    (b'{"a":' + b"1" * 10**6 + b"}", "has a header that holds a number of 1,000,000 digits"),
    (b'{"' + b"k" * 10**6 + b'":1}', "does not say dtype, shape and place of '" + "k" * 76 + "..."),
]


@pytest.mark.parametrize(("header", "told"), HEADERS, ids=range(len(HEADERS)))
def test_headers_that_are_refused(put, header, told):
    """Each is told in words of our own, before any array is allocated."""
    assert refused(put(header, b"01234567")) == told


OURS_ALONE = ("twice", "nested", "1,000,000 digits", "or to two", "gives 'a'")  # we are stricter, or say more


@pytest.mark.parametrize(
    "header", [header for header, told in HEADERS if not any(words in told for words in OURS_ALONE)], ids=str
)
def test_the_library_refuses_them_too(put, header):
    """What we refuse is damaged in its eyes, unless it holds what we forbid and it does not."""
    with pytest.raises(safetensors.SafetensorError):
        safetensors.numpy.load(put(header, b"01234567").read_bytes())


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**31, 100])
def test_a_header_longer_than_the_file(put, length):
    """Its length is held against the file's before anything is read."""
    assert refused(put(b"{}", length=length)) == f"would have a header of {length:,} bytes, but is 10 bytes long"


@pytest.mark.parametrize("size", range(8))
def test_files_too_short_to_have_a_header(tmp_path, size):
    """Down to none."""
    (tmp_path / "x").write_bytes(bytes(size))
    assert refused(tmp_path / "x") == f"would have a header of 0 bytes, but is {size} bytes long"


def test_a_header_of_gigabytes_is_not_read(tmp_path):
    """The file is sparse: it takes no room on the disk, and none in memory."""
    with (tmp_path / "x").open("wb") as file:
        file.write((2**32).to_bytes(8, "little"))
        file.truncate(2**33)
    tracemalloc.start()
    try:
        assert refused(tmp_path / "x") == f"has a header of 4,294,967,296 bytes; nnplug reads at most {HEADER:,}"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_arrays_of_terabytes_are_not_read(put):
    """Opening a file says what it holds and allocates none of it."""
    path = put({"a": {"dtype": "F64", "shape": [2**37], "data_offsets": [0, 2**40]}})
    try:
        os.truncate(path, path.stat().st_size + 2**40)
    except OSError as error:
        pytest.skip(f"no file of a terabyte here: {error}")
    tracemalloc.start()
    try:
        with TensorFile(path) as file:
            assert file.arrays["a"].shape == (2**37,)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_file_cut_off_while_it_is_open(put):
    """Somebody overwrites it in place: an error, not a crash of the process as with a mapped file."""
    path = put(b"")
    path.write_bytes(content({"a": np.ones(1000)}))
    with TensorFile(path) as file:
        os.truncate(path, 1000)
        with pytest.raises(DamagedError, match=r"^ends in the middle of 'a'$"):
            file.read("a")


def test_what_is_neither_true_nor_false(put):
    """A byte of 2 would make a truth that is not equal to True."""
    path = put({"a": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}, b"\x00\x01\x02")
    with TensorFile(path) as file, pytest.raises(DamagedError, match=r"^holds in 'a' what is neither true nor false$"):
        file.read("a")


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
def test_what_is_no_file(tmp_path):
    """A pipe nobody writes to, a device without end and a folder are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(OSError, match=r"Not a regular file|Is a directory"):
            TensorFile(path)
