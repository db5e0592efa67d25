"""The order of an epoch: every row once, by the row or by blocks; from any row on; in little memory; random enough."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nnplug import Array
from nnplug.order import BLOCK_BYTES, BLOCK_ROWS, WINDOW, Order, cut, order_of


def generator(seed: int = 0) -> np.random.Generator:
    """A generator."""
    return np.random.default_rng(seed)


def epoch(order: Order, rng: Any = None, start: int = 0) -> Array:
    """The row numbers of an epoch, or of its end."""
    return np.concatenate([np.zeros(0, int), *order.epoch(rng, start)])


WINDOW_OF = 4  # blocks


ORDERS = {
    "by the row": (10, 1, None),
    "one row": (1, 1, None),
    "some rows": (10, 1, [4, 0, 9, 5]),
    "one window": (17, 5, None),
    "windows": (103, 5, None),
    "windows, all full": (100, 5, None),
    "some blocks": (103, 5, [1, 2, 3, 7, 11, 13, 19]),
    "some blocks and the short one": (103, 5, [1, 2, 3, 7, 11, 13, 20]),
    "the short one alone": (103, 5, [20]),
}


def make(name: str) -> tuple[Order, list[int]]:
    """An order and its rows as they lie."""
    total, size, blocks = ORDERS[name]
    numbers = range(-(-total // size)) if blocks is None else blocks
    rows = [row for block in numbers for row in range(block * size, min(total, (block + 1) * size))]
    return Order(total, size, WINDOW_OF, None if blocks is None else np.array(blocks)), rows


@pytest.mark.parametrize("name", ORDERS)
def test_an_epoch_holds_every_row_once(name: str) -> None:
    """In the natural order as they lie, in a random one all of them; the count is known before."""
    order, rows = make(name)
    assert order.rows == len(rows)
    assert epoch(order).tolist() == rows
    for seed in range(5):
        assert sorted(epoch(order, generator(seed))) == sorted(rows)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("name", ORDERS)
def test_an_epoch_can_begin_at_any_row(name: str, shuffled: bool) -> None:
    """What comes is the rest of the whole epoch, and the generator stands where it would after all of it."""
    order, rows = make(name)
    whole_rng, rng = generator(3), generator(3)
    whole = epoch(order, whole_rng if shuffled else None)
    for start in range(len(rows) + 2):
        rng = generator(3)
        np.testing.assert_array_equal(epoch(order, rng if shuffled else None, start), whole[start:])
        assert not shuffled or rng.bit_generator.state == whole_rng.bit_generator.state


def test_the_seed_decides_and_epochs_differ() -> None:
    """One generator gives another order every epoch, the same seed the same orders again."""
    order = Order(103, 5, WINDOW_OF)
    rng = generator(7)
    first, second = epoch(order, rng), epoch(order, rng)
    assert first.tolist() != second.tolist() != list(range(103))
    rng = generator(7)
    np.testing.assert_array_equal(epoch(order, rng), first)
    np.testing.assert_array_equal(epoch(order, rng), second)


def test_a_window_reads_few_blocks_and_mixes_their_rows() -> None:
    """The rows of four blocks come together, in another order in each window, and no block comes again."""
    windows = list(Order(100, 5, WINDOW_OF).epoch(generator(1)))
    assert [len(window) for window in windows] == [20] * 5
    blocks = [set(window // 5) for window in windows]
    assert all(len(found) == WINDOW_OF for found in blocks)
    assert set.union(*blocks) == set(range(20))
    places = [np.argsort(np.argsort(window)) for window in windows]  # how each window's rows are mixed
    assert all((a != b).any() for a, b in pairwise(places))
    assert all((np.diff(window // 5) == 0).sum() < 12 for window in windows)  # of 16 if blocks stayed whole


def test_a_subset_is_made_of_blocks() -> None:
    """Blocks are chosen by their place among those there are; the first row of each tells where it lies."""
    order = Order(103, 5, WINDOW_OF).subset(np.array([0, 2, 20]))
    assert epoch(order).tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 100, 101, 102]
    assert order.first_rows().tolist() == [0, 10, 100]
    assert epoch(order.subset(np.array([1]))).tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("lengths", [[], [7], [3, 3], [1, 1, 1, 1], [10, 2, 0, 5], [2, 30, 1]])
@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_pieces_are_cut_anew(lengths: list[int], size: int) -> None:
    """Whatever the pieces' lengths, those that come out are full but for the last, and in order."""
    pieces = np.split(np.arange(sum(lengths)), np.cumsum(lengths)[:-1]) if lengths else []
    found = list(cut(pieces, size))
    assert [len(piece) for piece in found[:-1]] == [size] * (len(found) - 1)
    assert all(0 < len(piece) <= size for piece in found)
    assert [int(i) for piece in found for i in piece] == list(range(sum(lengths)))


@pytest.mark.parametrize(("start", "skipped"), [(0, 0), (47, 2)])
def test_windows_are_asked_for_ahead(start: int, skipped: int) -> None:
    """Each block once, a window before its own; from where an epoch begins."""
    asked: list[int] = []
    windows = Order(103, 5, WINDOW_OF).epoch(generator(5), start, lambda blocks, size: asked.extend(blocks * size))
    for number, window in enumerate(windows, skipped):
        assert {row - row % 5 for row in window} <= set(asked)
        assert len(asked) == min(21, (number + 2) * WINDOW_OF) - skipped * WINDOW_OF
    assert len(set(asked)) == len(asked)


def test_rows_that_are_permuted_as_a_whole_are_not_asked_for() -> None:
    """One by one that would be millions of calls."""
    assert len(list(Order(100).epoch(generator(), 0, lambda blocks, size: pytest.fail("asked")))) == 1


# In little memory


def test_no_permutation_of_all_rows_is_made() -> None:
    """A hundred million rows, whose numbers would take 800 MB, are shuffled in one or two."""
    order = Order(10**8, BLOCK_ROWS, WINDOW_OF)
    tracemalloc.start()
    try:
        windows = order.epoch(generator())
        for _ in range(3):
            next(windows)
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_windows_that_are_skipped_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """To begin near the end costs no more than to begin."""
    made = []
    numbers = Order._numbers
    monkeypatch.setattr(Order, "_numbers", lambda *args: made.append(1) or numbers(*args))
    assert len(epoch(Order(10**9, BLOCK_ROWS, WINDOW), generator(), 10**9 - 5)) == 5
    assert len(made) == 1


# Which data are read by blocks


class Wide:
    """An array-like on disk."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]


@pytest.mark.parametrize(
    ("shape", "dtype", "size"),
    [
        ((25_500_000, 784), "uint8", 334),
        ((25_500_000, 28, 28), "uint8", 334),
        ((10_000_000, 784), "float32", 83),
        ((10**9, 2), "uint8", BLOCK_ROWS),
        ((10**9,), "float64", BLOCK_ROWS),
        ((10**6, 3, 224, 224), "float32", 1),  # a row is larger than a block
        ((WINDOW, 3, 224, 224), "float32", 1),
        ((334 * WINDOW, 784), "uint8", 1),  # fits in a window
        ((334 * WINDOW + 1, 784), "uint8", 334),
    ],
)
def test_blocks_are_as_large_as_disks_like_them(shape: tuple[int, ...], dtype: str, size: int) -> None:
    """A block has some 256 KiB, but not too many rows; few rows, and rows that are large, are permuted one by one."""
    order = order_of(Wide(shape, dtype))
    assert (order.size, order.rows) == (size, shape[0])
    assert size * np.dtype(dtype).itemsize * np.prod(shape[1:]) <= BLOCK_BYTES or size == 1


def test_rows_in_memory_are_permuted_one_by_one() -> None:
    """However many there are: the same order as ever, which published figures follow from."""
    x = np.broadcast_to(np.zeros(784, np.uint8), (5_000_000, 784))
    order = order_of(x)
    assert order.size == 1
    np.testing.assert_array_equal(epoch(order_of(x[:9]), generator(5)), generator(5).permutation(9))


# Random enough


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("window", [64, 256])
def test_batches_of_a_sorted_file_vary_as_theory_says(seed: int, window: int) -> None:
    """The share of a class in a batch is right on average; its variance is that of independent rows and n / k more."""
    rows, size, n, classes = 200_000, 10, 64, 10
    label = np.arange(rows) * classes // rows  # all of class 0, then all of class 1, ...
    shares = np.array(
        [(label[batch] == 3).mean() for batch in cut(Order(rows, size, window).epoch(generator(seed)), n)]
    )
    assert shares.mean() == pytest.approx(0.1, abs=1e-4)
    independent = 0.1 * 0.9 / n
    assert shares.var() / independent == pytest.approx(1 + n / window, rel=0.2), f"seed {seed}"


def test_every_row_comes_at_every_time() -> None:
    """Over many epochs a row's place in the epoch is as random as a number from 0 to the last."""
    order = Order(60, 5, WINDOW_OF)
    places = np.array([np.argsort(epoch(order, generator(seed))) for seed in range(600)])
    assert abs(places.mean(axis=0) - 29.5).max() < 3.5  # standard deviation 0.71
    assert abs(places.std(axis=0) - 17.3).max() < 2.0
