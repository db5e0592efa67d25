"""Mapped files: told from memory, and asked for ahead."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug import Array
from nnplug.mapped import mapping_of, on_disk, read_ahead

ROW = 1000  # bytes


@pytest.fixture
def x(tmp_path: Path) -> Array:
    """A mapped array of 100 rows."""
    np.save(tmp_path / "x.npy", np.arange(100 * ROW // 8.0).reshape(100, ROW // 8))
    array: Array = np.load(tmp_path / "x.npy", mmap_mode="r")
    return array


def test_what_lies_on_a_disk(x: Array) -> None:
    """A mapped file, every view of it, and whatever is no array of NumPy's; a copy lies in memory."""
    for view in (x, x[1:], x.reshape(-1), np.asarray(x), np.ascontiguousarray(x)[::2].T, x.view("int64")):
        assert on_disk(view)
        assert mapping_of(view) is x.base
    for copy in (np.array(x), x[[1, 2]], x + 1, np.array(x)[1:].T, np.zeros(3)):
        assert not on_disk(copy)
    assert on_disk("what is read like an array")


class Recorder(mmap.mmap):
    """A mapping that remembers which pages were asked for."""

    asked: list[tuple[int, int, int]]

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        """Do it, too: a start off the pages' bounds or a range outside raises."""
        self.asked.append((option, start, length))
        super().madvise(option, start, length)


@pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="the system cannot be asked")
@pytest.mark.parametrize("first", [0, 30])
def test_the_pages_of_blocks_are_asked_for(tmp_path: Path, first: int) -> None:
    """In ascending order, each from the page it begins in to its end, wherever in the file the array lies."""
    (tmp_path / "x").write_bytes(bytes(100 * ROW))
    with (tmp_path / "x").open("rb") as file:
        mapping = Recorder(file.fileno(), 0, prot=mmap.PROT_READ)
    mapping.asked = []
    x = np.ndarray((100, ROW), np.uint8, mapping)[first:]
    read_ahead(x)(np.array([13, 2, 6]), 5)
    assert [option for option, _, _ in mapping.asked] == [mmap.MADV_WILLNEED] * 3
    for block, (_, start, length) in zip((2, 6, 13), mapping.asked, strict=True):
        begin = (first + 5 * block) * ROW
        assert start == begin - begin % mmap.PAGESIZE
        assert start + length == min(begin + 5 * ROW, 100 * ROW)


@pytest.mark.parametrize(
    "make",
    [np.array, lambda x: x[:, ::2], lambda x: x.T, lambda x: [[1, 2]]],
    ids=["copy", "columns", "turned", "list"],
)
def test_nothing_is_asked_of_others(x: Array, make: Any) -> None:
    """What is no mapped file, or has rows that do not lie in one piece, is left alone."""
    read_ahead(make(x))(np.array([0, 1]), 10)


def test_systems_that_cannot_are_not_asked(x: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows mmap has no such call."""
    monkeypatch.delattr(mmap, "MADV_WILLNEED", raising=False)
    read_ahead(x)(np.array([0, 1]), 10)
