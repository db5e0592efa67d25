"""Which rows a split has, and the order in which an epoch goes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.mapped import on_disk
from nnplug.specs import Array

if TYPE_CHECKING:
    from numpy.random import Generator

BLOCK_BYTES = 2**18  # a disk reads so much at once about as fast as it reads anything
BLOCK_ROWS = 2**12  # of narrow rows a block has no more than this: their numbers take memory too
WINDOW = 2**10  # blocks whose rows are shuffled together: several times as many as a batch has rows


class Order:
    """Chosen blocks of consecutive rows, and epochs through them.

    Rows in memory are blocks of one row each, and the order of an epoch is a random permutation of them. Rows on a disk
    come in blocks that are worth reading at once: the blocks are permuted, and the rows of a window of blocks at a time
    are shuffled together. Neither has a permutation of all rows to be held in memory, nor has the disk to be asked for
    every row by itself; and the next window can be read while this one is used.

    Every row is as likely as any other to come at any time. The mean of a batch of n rows out of a window of k blocks
    varies a little more than that of n rows out of all: its variance is larger by the factor ``1 + rho * n / k`` at
    most, where rho is the correlation within a block (Kish, Survey Sampling, 1965). In a file sorted by class rho is 1;
    128 rows out of 1024 blocks then vary by an eighth more. On convergence in this order: Xu et al., Stochastic
    Gradient Descent without Full Data Shuffle, 2022 (CorgiPile).

    Args:
        total: the number of rows there are.
        size: rows in a block; the last of all may have fewer.
        window: blocks in a window; default: all.
        blocks: the numbers of the blocks that are chosen, in their natural order; default: all.
    """

    def __init__(self, total: int, size: int = 1, window: int | None = None, blocks: Array | None = None) -> None:
        self.total, self.size, self.blocks = total, size, blocks
        self.count: int = -(-total // size) if blocks is None else len(blocks)
        self.rows: int = total if blocks is None else self._rows_of(blocks)
        self._window = window

    def subset(self, chosen: Array) -> Order:
        """Some of the blocks, by their places among these."""
        return Order(self.total, self.size, self._window, chosen if self.blocks is None else self.blocks[chosen])

    def first_rows(self) -> Array:
        """The number of the first row of every block."""
        return self._all_blocks() * self.size

    def sample(self, count: int) -> Array:
        """The numbers of up to so many rows, evenly spread over the chosen blocks."""
        places = np.unique(np.linspace(0, self.count - 1, count).astype(int))
        return (places if self.blocks is None else self.blocks[places]) * self.size

    def epoch(
        self, rng: Generator | None, start: int = 0, ahead: Callable[[Array, int], None] | None = None
    ) -> Iterator[Array]:
        """The numbers of all rows, a window at a time.

        Args:
            rng: decides the order; None: the natural one. What is drawn from it does not depend on ``start``.
            start: how many rows to skip; windows before it are not made.
            ahead: is told the blocks of every window before the one that comes before it, and the rows in a block.
        """
        blocks, seed = self._all_blocks(), None
        if rng is not None:
            blocks = rng.permutation(self.count) if self.blocks is None else blocks[rng.permutation(self.count)]
            seed = int(rng.integers(2**63)) if self.size > 1 else None
        window, asked = self._window or self.count, 0
        for number, first in enumerate(range(0, self.count, window)):
            part = blocks[first : first + window]
            rows = self._rows_of(part)
            if start < rows:
                if ahead is not None and self._window is not None:
                    ahead(blocks[max(first, asked) : first + 2 * window], self.size)
                    asked = first + 2 * window
                yield self._numbers(part, None if seed is None else (seed, number))[start:]
            start = max(0, start - rows)

    def _all_blocks(self) -> Array:
        return np.arange(self.count) if self.blocks is None else self.blocks

    def _rows_of(self, blocks: Array) -> int:
        return int(np.minimum(self.size, self.total - blocks * self.size).sum())

    def _numbers(self, blocks: Array, seed: tuple[int, int] | None) -> Array:
        """The numbers of the rows of some blocks; shuffled as a seed says, which each window has for itself."""
        if self.size == 1:
            return blocks
        numbers: Array = (blocks[:, np.newaxis] * self.size + np.arange(self.size)).ravel()
        numbers = numbers[numbers < self.total]
        if seed is not None:
            np.random.default_rng(seed).shuffle(numbers)
        return numbers


def order_of(x: Any) -> Order:
    """All rows of x: in memory, or on a disk and few enough for one window, by the row; else by blocks."""
    rows = len(x)
    if not on_disk(x):
        return Order(rows)
    row_bytes = x.dtype.itemsize * prod(x.shape[1:])
    size = max(1, min(BLOCK_ROWS, BLOCK_BYTES // row_bytes))
    return Order(rows, size, WINDOW) if rows > size * WINDOW else Order(rows)


def cut(pieces: Iterable[Array], size: int) -> Iterator[Array]:
    """The same numbers in pieces of ``size``; the last may be shorter."""
    rest: Array | None = None
    for piece in pieces:
        joined = piece if rest is None else np.concatenate((rest, piece))
        whole = len(joined) - len(joined) % size
        for i in range(0, whole, size):
            yield joined[i : i + size]
        rest = joined[whole:] if whole < len(joined) else None
    if rest is not None:
        yield rest
