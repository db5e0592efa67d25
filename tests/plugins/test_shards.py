"""The data loader ``shards``: what an epoch through many files yields, what is read of them, and what is refused."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import DataError, Source
from nnplug_builtins import _shard_rows
from nnplug_builtins.shards import Shards, nnplug_data_loaders

ROWS = (5, 3, 7, 4, 6)  # of the shards; 25 together
Epoch = list[tuple[list[int], list[int], list[float] | None]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five shards; x of row i is i, y is i % 3, its weight i + 0.5."""
    numbers = np.split(np.arange(sum(ROWS)), np.cumsum(ROWS)[:-1])
    for i, part in enumerate(numbers):
        np.savez(tmp_path / f"part-{i}.npz", **arrays(part))
    return tmp_path


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two or three shards a window: a row of three arrays takes 2 * 2 + 8 + 8 bytes."""
    monkeypatch.setattr(_shard_rows, "WINDOW_BYTES", 12 * 20)


def arrays(numbers: Any, **changes: Any) -> dict[str, Any]:
    numbers = np.asarray(numbers)
    x = np.stack([numbers, numbers + 1], axis=1).astype(np.uint16)
    return {"x": x, "y": numbers % 3, "weight": numbers + 0.5, **changes}


def epoch(source: Source, size: int = 4, seed: int | None = 0, start: int = 0) -> Epoch:
    """The batches as lists, because the arrays are used again."""
    rng = None if seed is None else np.random.default_rng(seed)
    return [
        (x[:, 0].tolist(), y.tolist(), None if weight is None else weight.tolist())
        for x, y, weight in source.batches(size, rng, start)
    ]


def rows_of(batches: Epoch) -> list[int]:
    return [row for x, _, _ in batches for row in x]


def message(loader: Shards) -> str:
    with pytest.raises(DataError) as caught:
        loader.load()
    return str(caught.value)


# An epoch


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("size", [1, 4, 7, 25, 100])
@pytest.mark.parametrize("seed", [0, 1, None])
def test_every_row_comes_once_with_what_belongs_to_it(folder: Path, size: int, seed: int | None) -> None:
    """In batches that go on from one window into the next, only the last of which is short."""
    batches = epoch(Shards(folder).load().train, size, seed)
    assert sorted(rows_of(batches)) == list(range(25))
    assert [len(x) for x, _, _ in batches] == [min(size, 25 - i) for i in range(0, 25, size)]
    for x, y, weight in batches:
        assert y == [row % 3 for row in x]
        assert weight == [row + 0.5 for row in x]


@pytest.mark.usefixtures("small_windows")
def test_no_generator_asks_for_the_order_of_the_names(folder: Path) -> None:
    """Which is what an evaluation does."""
    assert rows_of(epoch(Shards(folder).load().train, seed=None)) == list(range(25))


@pytest.mark.usefixtures("small_windows")
def test_every_start_goes_on_as_if_nothing_had_been_skipped(folder: Path) -> None:
    """Also one beyond the end; and the generator is left in the same state, for the next epoch."""
    train = Shards(folder).load().train
    whole, rng = epoch(train), np.random.default_rng(0)
    list(train.batches(4, rng))
    for start in range(9):
        assert epoch(train, start=start) == whole[start:]
        later = np.random.default_rng(0)
        list(train.batches(4, later, start))
        assert later.bit_generator.state == rng.bit_generator.state


@pytest.mark.usefixtures("small_windows")
def test_epochs_are_shuffled_anew(folder: Path) -> None:
    """The shards among each other and the rows within a window; equal seeds give equal epochs."""
    train = Shards(folder).load().train
    assert epoch(train, seed=1) == epoch(train, seed=1)
    assert epoch(train, seed=1) != epoch(train, seed=2)
    firsts = {rows_of(epoch(train, seed=seed))[0] for seed in range(300)}
    assert firsts == set(range(25))
    train = Shards(folder / "part-2.npz").load().train
    assert rows_of(epoch(train)) != sorted(rows_of(epoch(train)))


def test_small_shards_are_mixed(folder: Path) -> None:
    """All of these fit in one window: over many epochs each row is, on average, in the middle."""
    train = Shards(folder).load().train
    places = np.array([np.argsort(rows_of(epoch(train, seed=seed))) for seed in range(300)])
    assert abs(places.mean(axis=0) - 12).max() < 2  # standard deviation 0.42


# What is read, and when


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the shards that are read, as they are."""
    names: list[str] = []

    def spy(path: Path, choose: Any) -> Any:
        names.append(path.name)
        return nnplug.read_npz(path, choose)

    monkeypatch.setattr("nnplug_builtins.shards.read_npz", spy)
    return names


def test_loading_reads_headers_alone(folder: Path, read: list[str]) -> None:
    """The number of rows and what one looks like; nothing else until a batch is asked for."""
    train = Shards(folder).load().train
    assert (train.rows, train.sample_shape, read) == (25, (2,), [])


def test_one_window_is_read_ahead_and_none_that_is_skipped(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard a window, in natural order: the first batch needs one, and the second is on its way."""
    monkeypatch.setattr(_shard_rows, "WINDOW_BYTES", 1)
    train = Shards(folder).load().train
    batches = train.batches(4, None)
    next(batches)
    batches.close()  # waits for what is being read
    assert read == ["part-0.npz", "part-1.npz"]
    read.clear()
    assert rows_of(epoch(train, seed=None, start=3)) == list(range(12, 25))
    assert read == ["part-2.npz", "part-3.npz", "part-4.npz"]


def test_an_epoch_that_is_left_leaves_no_thread(folder: Path) -> None:
    """Whoever stops in the middle, as an evaluation of a sample does."""
    before = threading.active_count()
    for _ in Shards(folder).load().train.batches(4, None):
        break
    assert threading.active_count() == before


def test_memory_is_constant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty shards of a megabyte, in windows of two: two windows, the shard that is read, and little more."""
    x, y = np.zeros((1000, 1000), np.uint8), np.zeros(1000, np.uint8)
    for i in range(40):
        np.savez(tmp_path / f"{i:02}.npz", x=x, y=y)
    monkeypatch.setattr(_shard_rows, "WINDOW_BYTES", 2_100_000)
    train = Shards(tmp_path).load().train
    tracemalloc.start()
    try:
        assert sum(len(x) for x, _, _ in train.batches(100, np.random.default_rng(0))) == 40_000
        assert tracemalloc.get_traced_memory()[1] < 7e6
    finally:
        tracemalloc.stop()


# Files


def test_patterns_and_splits(folder: Path) -> None:
    """Validation and test shards are not trained on, however the patterns name them."""
    for path in (folder, folder / "part-*.npz", folder / "**" / "*.npz", str(folder / "part-[0-4].npz")):
        data = Shards(
            path, validation=folder / ".." / folder.name / "part-1.npz", test=f"{folder}/part-[34].npz"
        ).load()
        assert rows_of(epoch(data.train, seed=None)) == [*range(5), *range(8, 15)]
        assert rows_of(epoch(data.validation, seed=None)) == [5, 6, 7]
        assert rows_of(epoch(data.test, seed=None)) == list(range(15, 25))
    assert (data.scale, data.classes) == (None, None)
    data = Shards(folder, scale=(1.0, 0.5), classes=3).load()
    assert (data.validation, data.test, data.scale, data.classes) == (None, None, (1.0, 0.5), 3)


def test_signs_of_patterns_in_a_folder_name(tmp_path: Path) -> None:
    """A folder is a folder."""
    (tmp_path / "a[1]*").mkdir()
    np.savez(tmp_path / "a[1]*" / "one.npz", **arrays([7]))
    assert epoch(Shards(tmp_path / "a[1]*").load().train) == [([7], [1], [7.5])]


def test_shards_without_weights_and_with_other_arrays(tmp_path: Path) -> None:
    """A weight is not needed, and names that mean nothing here are left alone."""
    np.savez_compressed(tmp_path / "one.npz", x=np.ones((2, 3)), y=np.zeros(2, int), notes=np.array(["text"]))
    assert epoch(Shards(tmp_path).load().train) == [([1.0, 1.0], [0, 0], None)]


def test_pairs_of_npy_files(tmp_path: Path) -> None:
    """What the star stands for is the same in x and y; other byte orders and Fortran order are one's own afterwards."""
    for i, part in enumerate(np.split(np.arange(6), 3)):
        np.save(tmp_path / f"x-{i}.npy", np.asfortranarray(arrays(part)["x"].astype(">u2" if i else "<u2")))
        np.save(tmp_path / f"{i}.labels.npy", part % 3)
    train = Shards(tmp_path / "x-*.npy", targets="*.labels.npy").load().train
    assert epoch(train, seed=None) == [([0, 1, 2, 3], [0, 1, 2, 0], None), ([4, 5], [1, 2], None)]
    x, _, _ = next(train.batches(6, None))
    assert x.dtype == np.uint16
    assert x.dtype.isnative
    assert x.flags.c_contiguous


def change(name: str, **arrays_: Any) -> Callable[[Path], None]:
    return lambda folder: np.savez(folder / name, **arrays_)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (change("part-2.npz", **arrays(range(3), x=np.zeros((3, 5)))), "a row is x (5,) float64, "),
        (change("part-2.npz", **arrays(range(3), x=np.zeros((3, 2)))), "a row is x (2,) float64, "),
        (change("part-2.npz", **arrays(range(3), y=np.zeros((3, 2)))), "y (2,) float64, "),
        (
            change("part-2.npz", x=np.zeros((3, 2), np.uint16), y=np.zeros(3, int)),
            "a row is x (2,) uint16, y () int64;",
        ),
        (change("part-2.npz", **arrays(range(3), y=np.zeros(4, int))), "rows differ: x has 3, y has 4, weight has 3"),
        (change("part-2.npz", x=np.zeros((3, 2))), "part-2.npz: has no y; it holds ['x']"),
        (change("part-2.npz", **arrays(range(3), x=np.zeros((0, 2)))), "expected at least one row"),
        (change("part-2.npz", **arrays(range(3), x=np.array([{}] * 3))), "part-2.npz: x: holds Python objects"),
        (lambda folder: (folder / "part-2.npz").write_bytes(b"no"), "part-2.npz: is no .npz file: "),
    ],
)
def test_shards_that_do_not_fit(folder: Path, spoil: Callable[[Path], Any], problem: str) -> None:
    """Are told before anything is learned, by name."""
    spoil(folder)
    told = message(Shards(folder))
    assert told.startswith(str(folder / "part-2.npz"))
    assert problem in told


def loaders(folder: Path) -> Iterator[tuple[Shards, str]]:
    np.save(folder / "x-1.npy", np.zeros((2, 2)))
    (folder / "notes.txt").write_text("no shard")
    (folder / "empty").mkdir()
    one = folder / "part-0.npz"
    yield Shards(folder / "none-*.npz"), f"{folder / 'none-*.npz'}: fits no file; the current folder is {Path.cwd()}"
    yield Shards(folder / "a\0*"), "fits no file"
    yield Shards(folder / "**" / "**" / "*.npz"), f"{folder / '**' / '**' / '*.npz'}: holds ** more than once; one **"
    yield Shards(folder, test=folder / "**/a/**/*.npz"), "holds ** more than once; one ** stands for"
    yield Shards("~nobody-of-that-name/*.npz"), "~nobody-of-that-name/*.npz: fits no file"
    yield Shards(folder / "empty"), f"{folder / 'empty'}: the folder holds no .npz file"
    yield Shards(folder, validation=folder, test=one), f"{one.resolve()} would be both validation and test"
    yield Shards(one, test=folder), f"{one}: all of its files are for validation or test, none is left to train on"
    yield Shards(folder / "*.txt"), "notes.txt: expected a file whose name ends in .npz or .npy"
    yield Shards(folder / "x-*.npy"), "x-1.npy: holds x alone; name the .npy files of y with the option targets"
    yield Shards(folder / "x-*.npy", targets="y-*.npy"), f"{folder / 'y-1.npy'}: no such file"
    yield Shards(folder, targets="y-*.npy"), "a .npz file holds the targets itself, as y; leave out the option targets"
    for pattern, targets in (("x-1.npy", "y-1.npy"), ("x-*.npy", "y.npy"), ("x-*.npy", "*-*.npy"), ("?-*.npy", "y*")):
        yield Shards(folder / pattern, targets=targets), f"and {targets}: the names of x and y need one * each"


@pytest.mark.parametrize("number", range(16))
def test_options_that_fit_no_files(folder: Path, number: int) -> None:
    """The message says what was looked for and what to change."""
    loader, problem = list(loaders(folder))[number]
    assert problem in message(loader)


@pytest.mark.parametrize("changes", [{}, {"x": np.zeros((7, 2))}])
def test_files_that_change_meanwhile(folder: Path, changes: dict[str, Any]) -> None:
    """Other rows or another dtype than the header said: an error, not a mixture."""
    train = Shards(folder).load().train
    np.savez(folder / "part-2.npz", **arrays(range(7 if changes else 9), **changes))
    with pytest.raises(DataError, match=r"part-2\.npz: was changed since training began; leave the files alone"):
        epoch(train)


# In use


def test_learning_from_shards(tmp_path: Path) -> None:
    """By name, with scale, evaluated on what it may not see; as good as the same rows in memory."""
    digits = nnplug.load_data("digits")
    x, y = digits.train
    for i in range(0, len(x), 300):
        np.savez(tmp_path / f"train-{i}.npz", x=x[i : i + 300], y=y[i : i + 300])
    np.savez(tmp_path / "test.npz", x=digits.test[0], y=digits.test[1])
    config = {
        "data": {"type": "shards", "path": str(tmp_path), "test": str(tmp_path / "test.npz"), "scale": digits.scale},
        "model": {"layers": [{"type": "affine", "units": 64}, "relu", {"type": "affine", "units": 10}]},
        "update": {"type": "adam", "learning_rate": 3e-3},
        "train": {"epochs": 10, "batch_size": 32, "validation": 0.0},
    }
    assert nnplug.train(config).results["test"]["accuracy"] > 0.93


@pytest.mark.usefixtures("small_windows")
def test_going_on_from_any_step_ends_alike(folder: Path, tmp_path: Path) -> None:
    """From a checkpoint within a window, at its end or at that of an epoch."""

    def solver(**more: Any) -> nnplug.Solver:
        model = nnplug.build([{"type": "affine", "units": 3}], input_shape=2, seed=0)
        data = Shards(folder, validation=folder / "part-4.npz").load()
        return nnplug.Solver(model, data, update="adam", epochs=3, batch_size=4, **more)

    written = solver(folder=tmp_path / "run", checkpoint_steps=1, keep_checkpoints=100)
    written.fit()
    found = list((tmp_path / "run").glob("checkpoints/step-*"))
    assert len(found) >= 3 * 5 - 1
    for path in found:
        resumed = solver()
        resumed.resume(path)
        resumed.fit()
        assert resumed.model.params["affine1.W"].tobytes() == written.model.params["affine1.W"].tobytes()
        assert resumed.history.losses.tobytes() == written.history.losses.tobytes()


def test_registered() -> None:
    """Under the name that the entry point says."""
    assert nnplug_data_loaders() == {"shards": Shards}
    assert nnplug.default_registry().get("data_loader", "shards") is Shards


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("name", ["x", "weight"])
def test_a_number_that_is_none_is_told_with_its_file(folder: Path, name: str) -> None:
    """Not as a training that diverged for no reason; alone in a window, or with others."""
    for i, rows in enumerate(ROWS):
        start = sum(ROWS[:i])
        given = arrays(np.arange(start, start + rows))
        given["x"] = given["x"].astype("float32")
        if i == 3:
            given[name][2] = np.nan
        np.savez(folder / f"part-{i}.npz", **given)
    with pytest.raises(DataError, match=rf"part-3.npz.*: {name} holds NaN or infinity, first in row 2; leave out such"):
        epoch(Shards(folder).load().train, seed=None)
