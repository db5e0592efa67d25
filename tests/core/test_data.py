"""Splits as streams of batches: order, completeness, scaling, other people's arrays, and what is refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import Array, ArraySpec, DataError
from nnplug.data import hold_out, open_split, sample_spec
from nnplug.order import Order
from nnplug.rows import Rows, rescale
from nnplug.specs import Batch

F32 = np.dtype("float32")
NUMBERED = ": class_names, y = np.unique(y, return_inverse=True)"  # how texts become classes


def rows(n: int = 10, **options: Any) -> Rows:
    """Rows whose x, y and weight all tell their number."""
    x = np.arange(n, dtype=options.pop("x_dtype", "float32"))[:, None] * np.ones(3, "float32")
    given = {"weight": np.arange(n) / 8 + 1, "dtype": F32, "scale": None, **options}
    return Rows(x, np.arange(n), **given)


def collect(source: Any, batch_size: int, rng: Any = None, start: int = 0) -> list[Batch]:
    """The batches, copied, for their arrays are used again."""
    return [
        (np.array(x), np.array(y), None if w is None else np.array(w))
        for x, y, w in source.batches(batch_size, rng, start)
    ]


def generator(seed: int = 0) -> np.random.Generator:
    """A generator."""
    return np.random.default_rng(seed)


# Batches


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("n", "size"), [(10, 3), (10, 5), (10, 10), (10, 99), (1, 1), (7, 2)])
@pytest.mark.parametrize("subset", [False, True])
def test_an_epoch_holds_every_row_once(n: int, size: int, shuffled: bool, subset: bool) -> None:
    """Batches are full but for the last, which is kept; x, y and weight belong together; no row twice."""
    source = rows(n)
    expected = np.arange(n)
    if subset and n > 2:
        expected = np.array([4, 0, 6, 5, 1])
        source = source.subset(expected)
    batches = collect(source, size, generator() if shuffled else None)
    lengths = [len(y) for _, y, _ in batches]
    assert lengths[:-1] == [size] * (len(batches) - 1)
    assert sum(lengths) == source.rows == len(expected)
    y = np.concatenate([y for _, y, _ in batches])
    np.testing.assert_array_equal(np.sort(y) if shuffled else y, np.sort(expected) if shuffled else expected)
    for x, y, weight in batches:
        np.testing.assert_array_equal(x, y[:, None] * np.ones(3))
        np.testing.assert_array_equal(weight, y / 8 + 1)
        assert x.dtype == F32


def test_epochs_differ_and_the_seed_repeats_them() -> None:
    """One generator gives another order each epoch; the same seed gives the same orders again."""
    rng = generator(3)
    first, second = (np.concatenate([y for _, y, _ in collect(rows(50), 8, rng)]) for _ in range(2))
    assert not np.array_equal(first, second)
    rng = generator(3)
    np.testing.assert_array_equal(first, np.concatenate([y for _, y, _ in collect(rows(50), 8, rng)]))
    assert not np.array_equal(first, np.arange(50))


@pytest.mark.parametrize("start", [1, 2, 3, 4, 9])
def test_an_epoch_can_begin_in_its_middle(start: int) -> None:
    """From batch ``start`` on, the batches are those that a whole epoch would have had; the generator stands alike."""
    whole_rng, part_rng = generator(1), generator(1)
    whole, part = collect(rows(10), 3, whole_rng), collect(rows(10), 3, part_rng, start)
    assert len(part) == max(0, len(whole) - start)
    for expected, found in zip(whole[start:], part, strict=True):
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)
    assert whole_rng.bit_generator.state == part_rng.bit_generator.state


def test_shuffled_batches_use_the_same_memory_again() -> None:
    """Gathering allocates nothing as large as a batch after the first."""
    source = Rows(generator().normal(size=(4096, 256)).astype(F32), np.zeros(4096, int), None, F32, None)
    batches = source.batches(512, generator())
    first, _, _ = next(batches)
    tracemalloc.start()
    try:
        second, _, _ = next(batches)
        assert np.shares_memory(first, second)
        assert tracemalloc.get_traced_memory()[1] < first.nbytes / 10
    finally:
        tracemalloc.stop()


LAYOUTS: dict[str, Any] = {
    "fortran": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "some columns": lambda x: np.hstack([x, x])[:, : x.shape[1]],
    "backwards": lambda x: x[::-1].copy()[::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("raw", "scale"), [("float32", None), ("uint8", (1.0, 0.5)), ("float64", None)])
def test_other_memory_layouts_give_the_same_batches(layout: str, raw: str, scale: Any) -> None:
    """However x lies in memory, ahead of training or batch by batch, its batches are the same bytes."""
    x = generator().integers(0, 200, (60, 8)).astype(raw)
    other = LAYOUTS[layout](x)
    assert not other.flags.c_contiguous
    expected = collect(open_split((x, np.arange(60)), "train", F32, scale), 16, generator())
    source: Any = open_split((other, np.arange(60)), "train", F32, scale)
    for found in (source, source.converted()):
        for a, b in zip(expected, collect(found, 16, generator()), strict=True):
            assert a[0].tobytes() == b[0].tobytes()
            np.testing.assert_array_equal(a[1], b[1])
    assert source.converted().x.flags.c_contiguous


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_layout_makes_a_batch_copy_all_of_the_data(layout: str) -> None:
    """A batch of few rows takes the memory of few rows, of x and of y (a column of a table)."""
    x = LAYOUTS[layout](np.zeros((20_000, 16), np.float32))
    y = np.zeros((20_000, 16), int)[:, 3]
    batches = open_split((x, y), "train", F32, None).batches(64, generator())
    next(batches)
    tracemalloc.start()
    try:
        next(batches)
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_batches_never_write_to_the_data() -> None:
    """What the caller gave is read only: whatever is done to a batch, and to read-only arrays too."""
    x = np.arange(30, dtype=np.uint8).reshape(10, 3)
    x.flags.writeable = False
    y = np.arange(10)
    y.flags.writeable = False
    source = open_split((x, y), "train", F32, (1.0, 0.5))
    for batch, targets, _ in source.batches(4, generator()):
        batch[...] = -1
        targets[...] = -1
    np.testing.assert_array_equal(x, np.arange(30).reshape(10, 3))
    np.testing.assert_array_equal(y, np.arange(10))


# Scaling


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("raw", ["uint8", "int64", "float32", "float64", "bool", ">f4", "float16"])
@pytest.mark.parametrize("scale", [None, (0.0, 0.25), (3.0, 0.25)])
def test_scaling_is_offset_then_factor_in_the_models_dtype(dtype: str, raw: str, scale: Any) -> None:
    """Every raw dtype becomes ``(x - offset) * factor`` in the model's, in fresh memory or in ``out``."""
    x = generator().integers(0, 2 if raw == "bool" else 100, (5, 4)).astype(raw)
    kept = x.copy()
    expected = x.astype(dtype) if scale is None else (x.astype("float64") - scale[0]) * scale[1]
    out = np.empty(x.shape, dtype)
    for found in (rescale(x, np.dtype(dtype), scale), rescale(x, np.dtype(dtype), scale, out)):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(x, kept)


def test_ready_data_is_passed_through() -> None:
    """Where dtype and scale leave nothing to do, nothing is copied."""
    x = np.zeros((3, 2), F32)
    assert rescale(x, F32, None) is x


@pytest.mark.parametrize(("value", "dtype"), [(1.5, "int64"), (-1, "uint8"), (256, "uint8"), (2**40, "int32")])
def test_integers_are_not_cut(value: float, dtype: str) -> None:
    """A value that an integer input dtype cannot hold is refused instead of wrapped or rounded."""
    with pytest.raises(DataError, match=rf"^x holds {value}, which the model's input_dtype {dtype} cannot$"):
        rescale(np.array([[0, value]]), np.dtype(dtype), None)


@pytest.mark.parametrize("shuffled", [False, True])
def test_converting_ahead_changes_no_number(shuffled: bool) -> None:
    """Scaled once in memory or batch by batch: the same bytes, subsets included."""
    x = generator().integers(0, 256, (40, 5), np.uint16)
    lazy = Rows(x, np.arange(40), None, F32, (127.0, 1 / 128)).subset(np.arange(3, 37))
    ready = lazy.converted()
    assert ready.x.dtype == F32
    for a, b in zip(*(collect(s, 7, generator() if shuffled else None) for s in (lazy, ready)), strict=True):
        assert a[0].tobytes() == b[0].tobytes()
        np.testing.assert_array_equal(a[1], b[1])


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "uint16", "int32", "int64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("scale", [(0.0, 1 / 255), (100.0, 0.1)])
def test_scaling_is_one_subtraction_and_one_product(dtype: str, scale: tuple[float, float]) -> None:
    """Rounded as NumPy rounds them: what the model's dtype cannot hold is subtracted from before it is cast."""
    x = (generator().integers(0, 2**28, 99) if dtype in ("int32", "int64", "float64") else np.arange(99)).astype(dtype)
    offset, factor = np.float32(scale[0]), np.float32(scale[1])
    expected = ((x - offset) if offset else x).astype(F32) * factor
    out = np.full(99, np.nan, F32)
    assert rescale(x, F32, scale, out) is out
    assert out.tobytes() == rescale(x, F32, scale).tobytes()
    np.testing.assert_array_max_ulp(out, expected, 1)


def test_large_ready_and_mapped_data_is_not_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data stays where it is if it is ready, made of bytes, on disk, or too large."""
    for still in (rows(), Rows(np.zeros((4, 2), np.uint8), np.arange(4), None, F32, (0.0, 0.5))):
        assert still.converted() is still
    turned = Rows(np.zeros((2, 4), np.uint8).T, np.arange(4), None, F32, (0.0, 0.5)).converted()
    assert turned.x.flags.c_contiguous
    np.save(tmp_path / "x.npy", np.zeros((4, 2), np.uint8))
    mapped = Rows(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(4), None, F32, None)
    assert mapped.converted() is mapped
    monkeypatch.setattr("nnplug.rows.CONVERT_UP_TO", 100)
    large = Rows(np.zeros((26, 1), np.uint16), np.arange(26), None, F32, None)
    assert large.converted() is large


# Other people's arrays


class OnDisk:
    """An array-like as libraries of files have them: shape, dtype, len, and rows by slice or ascending index."""

    def __init__(self, values: Array) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.asked: list[Any] = []

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Array:
        self.asked.append(index)
        if not isinstance(index, slice):
            assert (np.diff(index) > 0).all(), "only ascending rows"
        return self._values[index]


@pytest.mark.parametrize("scale", [None, (1.0, 0.5)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_array_likes_are_read_a_batch_at_a_time(shuffled: bool, scale: Any) -> None:
    """An array-like on disk is asked for the rows of one batch, in ascending order, and x and y stay together."""
    values = np.arange(20, dtype=np.int16)[:, None] * np.ones(2, np.int16)
    x = OnDisk(values)
    source: Any = open_split((x, np.arange(20)), "train", F32, scale)
    assert x.asked == []
    seen = []
    for batch, y, _ in collect(source.converted(), 6, generator() if shuffled else None):
        expected = y[:, None] * np.ones(2) if scale is None else (y[:, None] - 1) * 0.5 * np.ones(2)
        np.testing.assert_array_equal(batch, expected)
        seen += list(y)
    assert sorted(seen) == list(range(20))
    assert len(x.asked) == 4
    assert sample_spec((x, None), "float32") == ArraySpec((2,), "float32")


def test_mapped_files_give_the_same_bytes_as_memory(tmp_path: Path) -> None:
    """A memory-mapped .npy file is read a batch at a time, with the same result as its array."""
    values = generator().integers(0, 256, (30, 4, 2), np.uint8)
    np.save(tmp_path / "x.npy", values)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    both = [open_split((x, np.arange(30)), "train", F32, (0.0, 1 / 255)) for x in (values, mapped)]
    for a, b in zip(*(collect(source, 7, generator()) for source in both), strict=True):
        assert a[0].tobytes() == b[0].tobytes()


@pytest.fixture
def mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Array, Array]:
    """A mapped x (1000, 8) in uint8 that is read in blocks of 4 rows, 16 of them a window, and its sorted classes."""
    monkeypatch.setattr("nnplug.order.BLOCK_BYTES", 4 * 8)
    monkeypatch.setattr("nnplug.order.WINDOW", 16)
    np.save(tmp_path / "x.npy", generator().integers(0, 256, (1000, 8), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(1000) * 10 // 1000)
    return tuple(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy")  # type: ignore[return-value]


@pytest.mark.parametrize("size", [1, 7, 64, 100, 999])
@pytest.mark.parametrize("start", [0, 1, 9, 200])
def test_mapped_files_are_shuffled_by_blocks(mapped: tuple[Array, Array], size: int, start: int) -> None:
    """Every row comes once, with its own target and weight, in full batches; from any batch on it is the same epoch."""
    x, y = mapped
    number = np.arange(1000)
    source = open_split((x, y, number / 8 + 1), "train", F32, (0.0, 0.5))
    assert isinstance(source, Rows)
    assert source.order.size == 4
    whole_rng, rng = generator(2), generator(2)
    whole, part = collect(source, size, whole_rng), collect(source, size, rng, start)
    assert [len(batch[1]) for batch in whole[:-1]] == [size] * (len(whole) - 1)
    seen = np.concatenate([(weight - 1) * 8 for _, _, weight in whole]).astype(int)  # type: ignore[operator]
    assert sorted(seen) == list(number)
    np.testing.assert_array_equal(np.concatenate([batch for batch, _, _ in whole]), x[seen] * F32.type(0.5))
    np.testing.assert_array_equal(np.concatenate([targets for _, targets, _ in whole]), y[seen])
    assert len(part) == max(0, len(whole) - start)
    for a, b in zip(whole[start:], part, strict=True):
        assert all((one == other).all() for one, other in zip(a, b, strict=True))
    assert rng.bit_generator.state == whole_rng.bit_generator.state


def test_a_mapped_file_takes_no_memory_for_each_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened, checked, held out from, counted and read: two million rows take less than a byte each."""
    rows = 2**21
    monkeypatch.setattr("nnplug.order.WINDOW", 8)
    monkeypatch.setattr("nnplug.data.PIECE", 2**14)
    for name, dtype in (("x", np.uint8), ("y", np.uint8), ("weight", np.float32)):
        written = np.lib.format.open_memmap(
            tmp_path / f"{name}.npy", "w+", dtype, (rows, 4) if name == "x" else (rows,)
        )
        written[...] = 1
    x, y, weight = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("x", "y", "weight"))
    tracemalloc.start()
    try:
        source = open_split((x, y, weight), "train", F32, None)
        assert isinstance(source, Rows)
        for part in hold_out(source, 0.25, generator()):
            assert sum(map(len, part.targets())) == part.rows
            for _ in zip(range(100), part.batches(1024, generator()), strict=False):
                pass
            for _ in zip(range(100), part.batches(1024, None), strict=False):
                pass
        assert tracemalloc.get_traced_memory()[1] < rows
    finally:
        tracemalloc.stop()


class Stream:
    """Somebody's Source of two batches, which gives lists and other dtypes."""

    rows = None

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield what it has."""
        yield np.array([[1, 2], [3, 4]], np.uint8), [0, 1], None
        yield [[5, 6]], [1], [0.5]


def test_a_sources_batches_are_cast_and_scaled() -> None:
    """A Source is taken as it is; its x is scaled, its lists become arrays."""
    source = open_split(Stream(), "train", F32, (1.0, 2.0))
    assert source.rows is None
    first, second = collect(source, 2)
    np.testing.assert_array_equal(first[0], [[0, 2], [4, 6]])
    assert first[0].dtype == F32
    assert isinstance(first[1], np.ndarray)
    np.testing.assert_array_equal(second[0], [[8, 10]])
    np.testing.assert_array_equal(second[2], [0.5])
    assert sample_spec(Stream(), "float32") is None


def test_a_source_whose_rows_all_weigh_nothing_is_refused() -> None:
    """Nothing would be learned from it, without a word; what goes on in the middle of an epoch has not seen all."""

    class Weightless:
        rows = 3

        def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
            yield from [([[1], [2]], [0, 1], [0, 0]), ([[3]], [1], [0.0])][start:]

    source = open_split(Weightless(), "train", F32, None)
    with pytest.raises(DataError, match=r"^all rows that a source yielded in an epoch weigh nothing; some must weigh"):
        collect(source, 2)
    assert len(list(source.batches(2, None, 1))) == 1


def test_a_source_may_tell_its_samples_shape() -> None:
    """Then nobody has to write it into a config."""
    stream = Stream()
    stream.sample_shape = (2,)  # type: ignore[attr-defined]
    assert sample_spec(stream, "float32") == ArraySpec((2,), "float32")


# What is refused

X, Y = np.zeros((4, 2)), np.arange(4)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (X, "the train split must be (x, y), (x, y, weight) or a Source, not ndarray"),
        ((X,), "the train split must be (x, y), (x, y, weight) or a Source, not tuple"),
        ((X, Y, None, None), "the train split must be (x, y), (x, y, weight) or a Source, not tuple"),
        ("ab", "the train split must be (x, y), (x, y, weight) or a Source, not str"),
        ((X[:0], Y[:0]), "the train split is empty: x has shape (0, 2)"),
        ((np.zeros((4, 0)), Y), "the train split is empty: x has shape (4, 0)"),
        ((3.0, Y), "the train split is empty: x has shape ()"),
        (([], []), "the train split is empty: x has shape (0,)"),
        ((X, Y[:3]), "the train split has 4 rows in x but 3 in y"),
        ((X, 3), "the train split has 4 rows in x but 1 in y"),
        ((X, ["a"] * 4), "the train split's targets have dtype <U1; give numbers, for classes 0 to C-1" + NUMBERED),
        ((X, [None] * 4), "the train split's targets have dtype object; give numbers, for classes 0 to C-1"),
        (([["a"]] * 4, Y), "the train split's x has dtype <U1; give numbers"),
        ((X.astype(complex), Y), "the train split's x has dtype complex128; give numbers"),
        ((X, Y, [1, 1, 1]), "the train split's weights have shape (3,), expected one per row, (4,)"),
        ((X, Y, 1.0), "the train split's weights have shape (), expected one per row, (4,)"),
        ((X, Y, [1, 1, 1, -1e-9]), "the train split's weights must be finite numbers, none negative and not all zero"),
        ((X, Y, [1, 1, 1, np.inf]), "the train split's weights must be finite numbers, none negative and not all zero"),
        ((X, Y, [0, 0, 0, 0]), "the train split's weights must be finite numbers, none negative and not all zero"),
        ((X, Y, list("1234")), "the train split's weights must be finite numbers, none negative and not all zero"),
    ],
)
def test_what_is_no_split_is_refused(split: Any, message: str) -> None:
    """Each mistake has its sentence: which split, what was given, what was expected."""
    with pytest.raises(DataError) as caught:
        open_split(split, "train", F32, None)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(50, 3), (50, 2, 2), (50,)])
def test_the_first_row_with_nan_is_named(value: float, shape: tuple[int, ...]) -> None:
    """NaN and infinity are told with their number of rows and the first row, whatever a sample's shape."""
    x = generator().normal(size=shape)
    x[31:, ...].reshape(19, -1)[::4, 0] = value  # rows 31, 35, ...
    if x.ndim == 1:
        x[31::4] = value
    with pytest.raises(DataError) as caught:
        open_split((x, np.zeros(50)), "validation", F32, None)
    assert str(caught.value) == (
        "the validation split's x holds NaN or infinity in 5 of 50 rows, the first is row 31; "
        "remove such rows or fill in the values"
    )


def test_ragged_rows_are_told() -> None:
    """Rows of different lengths are no array."""
    with pytest.raises(DataError, match=r"^the train split's x cannot be made an array: .*inhomogeneous"):
        open_split(([[1], [2, 3]], [0, 1]), "train", F32, None)


def test_weights_keep_their_fractions_for_integer_input() -> None:
    """Where x is integers, weights are not."""
    source = open_split((X, Y, [0.5, 0.25, 1, 0]), "train", np.dtype("int64"), None)
    ((_, _, weight),) = collect(source, 4)
    np.testing.assert_array_equal(weight, [0.5, 0.25, 1, 0])


# Holding out


def held(y: Array, fraction: float, seed: int = 0, **options: Any) -> tuple[list[int], list[int]]:
    """The rows kept and held out."""
    order = Order(len(y), options.get("size", 1), blocks=options.get("blocks"))
    source = Rows(np.zeros((len(y), 1), F32), y, options.get("weight"), F32, None, order)
    kept, out = hold_out(source, fraction, generator(seed))
    return [int(row) for row in chain(*kept.order.epoch(None))], [int(row) for row in chain(*out.order.epoch(None))]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fraction", [0.1, 0.25, 1 / 3, 0.5, 0.9])
def test_classes_keep_their_shares(seed: int, fraction: float) -> None:
    """Of each class, rare ones too, its share is held out, give or take one row; the parts are disjoint and whole."""
    y = generator(seed).choice([0, 1, 7], 200, p=[0.7, 0.25, 0.05])
    kept, out = held(y, fraction, seed)
    assert sorted(kept + out) == list(range(200))
    assert len(out) == round(200 * fraction)
    for label in (0, 1, 7):
        assert abs((y[out] == label).sum() - fraction * (y == label).sum()) <= 1


def test_the_generator_decides_who_is_held_out() -> None:
    """The same seed holds out the same rows, another seed others; they are not just the first ones."""
    y = np.arange(100) % 4
    assert held(y, 0.2, 1) == held(y, 0.2, 1)
    assert held(y, 0.2, 1) != held(y, 0.2, 2)
    chosen = np.zeros(100)
    for seed in range(200):
        chosen[held(y, 0.2, seed)[1]] += 1
    assert chosen.min() > 15  # of 40 expected
    assert chosen.max() < 70


def test_values_are_held_out_at_random() -> None:
    """Targets that are no classes are not sorted: what is held out says nothing about them."""
    y = np.linspace(0, 1, 1000)
    _, out = held(y, 0.3)
    assert len(out) == 300
    assert max(np.diff(sorted(out))) > 5


def test_holding_out_of_a_subset_stays_in_it() -> None:
    """Rows of a subset are numbered in the whole; nobody from outside comes in."""
    index = np.arange(10, 30)
    kept, out = held(np.arange(100) % 2, 0.25, blocks=index)
    assert sorted(kept + out) == list(index)
    assert len(out) == 5


@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_held_out_whole(seed: int) -> None:
    """Of rows on a disk, blocks are held out: in a sorted file of each class its share, and no block is in both."""
    y = np.repeat(np.arange(10), 1000)
    kept, out = held(y, 0.2, seed, size=10)
    assert sorted(kept + out) == list(range(10_000))
    assert len(out) == 2000
    assert {row // 10 for row in kept}.isdisjoint({row // 10 for row in out})
    assert np.bincount(y[out]).tolist() == [200] * 10


def test_too_few_blocks_are_told() -> None:
    """The message counts blocks where blocks are held out."""
    with pytest.raises(DataError) as caught:
        held(np.zeros(1000), 0.001, size=100)
    told = "a validation fraction (train.validation) of 0.001 of 1000 rows is 0 blocks of 100 rows; choose another one"
    assert str(caught.value) == told


@pytest.mark.parametrize(("rows", "fraction"), [(4, 0.1), (4, 0.95), (1, 0.5)])
def test_an_empty_part_is_refused(rows: int, fraction: float) -> None:
    """A fraction that leaves one part without rows is told with the numbers."""
    with pytest.raises(DataError) as caught:
        held(np.zeros(rows), fraction)
    n = round(rows * fraction)
    told = f"a validation fraction (train.validation) of {fraction} of {rows} rows is {n} rows; choose another one"
    assert str(caught.value) == told


def test_a_part_that_weighs_nothing_is_refused() -> None:
    """Weights that leave a part without weight would make its mean a division by zero."""
    weight = np.zeros(50)
    weight[0] = 1
    with pytest.raises(DataError, match="all rows of one part weigh nothing"):
        held(np.arange(50) % 2, 0.2, weight=weight)


class Odd:
    """A stream with something wrong."""

    rows: int | None = 4

    def __init__(self, targets: int = 4) -> None:
        self.targets = targets

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield four rows."""
        yield np.ones((4, 2)), np.arange(self.targets) % 2, None


class WithoutRows:
    """Does not say how many rows it has."""

    batches = Odd.batches


class WithoutStart(Odd):
    """Cannot skip."""

    def batches(self, batch_size: int, rng: Any) -> Iterator[Any]:  # type: ignore[override]
        """Yield nothing."""
        yield from ()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (WithoutRows(), "WithoutRows has no attribute rows; a Source tells how many there are, or None"),
        (WithoutStart(), r"WithoutStart.batches takes other arguments than batches\(batch_size, rng, start=0\) of a"),
    ],
)
def test_streams_that_are_none(source: Any, told: str) -> None:
    """Told when they are opened."""
    with pytest.raises(DataError, match=told):
        open_split(source, "train", F32, None)


def test_a_stream_has_a_target_for_each_row() -> None:
    """Else a loss would fail in NumPy's words."""
    with pytest.raises(DataError, match=r"a source yielded 4 rows with targets \(3,\); expected one for each row"):
        next(open_split(Odd(targets=3), "train", F32, None).batches(4, None))


def test_a_stream_of_another_length_is_warned_of() -> None:
    """More or fewer epochs than planned would be no surprise then."""
    source = Odd()
    source.rows = 40
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=2)
    with pytest.warns(UserWarning, match="says that it has 40 rows, 10 batches, and yielded 1 batches in an epoch"):
        nnplug.Solver(model, source, epochs=1, batch_size=4, evaluate=()).fit()


def test_masked_and_sparse_arrays_are_refused() -> None:
    """What is under a mask is no value; and nothing here knows sparse ones."""

    class Sparse:
        """As SciPy has it."""

        shape, dtype = (2, 2), F32

        def toarray(self) -> Array:
            """All of it."""
            return np.zeros((2, 2))

    x = np.ma.masked_array(np.ones((2, 2)), [[True, False], [False, False]])
    with pytest.raises(DataError, match="the train split's x has values that are masked"):
        open_split((x, [0, 1]), "train", F32, None)
    with pytest.raises(DataError, match="the train split's y has values that are masked"):
        open_split((np.ones((2, 2)), np.ma.masked_equal([0, 1], 1)), "train", F32, None)
    open_split((np.ma.masked_array(np.ones((2, 2))), [0, 1]), "train", F32, None)
    with pytest.raises(DataError, match=r"the train split's x is a sparse Sparse; give \.toarray\(\)"):
        open_split((Sparse(), [0, 1]), "train", F32, None)


def test_weights_of_a_stream_are_doubles() -> None:
    """Sums of float16 overflow."""

    class Half(Odd):
        """Weights of two bytes."""

        def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
            """Yield four rows."""
            yield np.ones((4, 2)), np.arange(4) % 2, np.full(4, 6e4, np.float16)

    weight = next(open_split(Half(), "train", F32, None).batches(4, None))[2]
    assert weight is not None
    assert (weight.dtype, weight.tolist()) == (np.float64, [60000.0] * 4)


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_a_large_offset_is_not_rounded(dtype: str) -> None:
    """Seconds since 1970 are more than float32 can tell apart."""
    x = (1_700_000_000 + 10 * np.arange(8)).astype(dtype)[:, None]
    found = rescale(x, F32, (1_700_000_050.0, 0.5))
    assert found.dtype == F32
    assert found[:, 0].tolist() == [-25.0, -20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0]


def test_other_libraries_arrays_become_numpys() -> None:
    """What has a dtype of its own kind is asked for an array."""

    class Tensor:
        """As PyTorch has it."""

        shape, dtype = (2, 2), "torch.float32"

        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            return np.eye(2, dtype=dtype)

    found = open_split((Tensor(), [0, 1]), "train", F32, None)
    x, _, _ = next(iter(found.batches(2, None)))
    np.testing.assert_array_equal(x, np.eye(2))
