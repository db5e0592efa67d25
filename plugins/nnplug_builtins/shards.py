"""Shards: rows in many files, which together may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, optional

from nnplug import DataError, DataLoader, Dataset, hookimpl
from nnplug_builtins._numpy_files import npz_kinds, read_npy, read_npz
from nnplug_builtins._shard_rows import Arrays, Shard, ShardRows

PARTS = ("x", "y", "weight")


@frozen
class Shards(DataLoader):
    """Rows of numbers in many files, of which a few at a time are in memory.

    A shard is a ``.npz`` file that holds x and y, and perhaps a weight for each row; or a ``.npy`` file that holds x,
    beside one that holds y. All have rows of the same shape and dtype. How many there are is read off the files'
    headers; a shard itself is read when its turn comes.

    The shards of an epoch come in a random order. As many after another as take 64 MiB, or one that takes more, are in
    memory together and their rows are shuffled; the next ones are read meanwhile. So the rows within a shard should be
    as varied as all rows are: shuffle them before they are written, or write small shards.

    Args:
        path: the training shards: a pattern such as ``data/*.npz``, or a folder, whose ``.npz`` files are meant; a
            relative path starts at the current folder.
        validation: the validation shards, likewise; these and the test shards are not trained on, even where ``path``
            means them too.
        test: the test shards, likewise.
        targets: where ``.npy`` files hold x, the name of the file of y beside it, with ``*`` for what the ``*`` in the
            name of x stands for: ``x-*.npy`` and ``y-*.npy``.
        scale: offset and factor; the model sees ``(x - offset) * factor``.
        classes: the number of classes, where y is class indices.
    """

    path: Path | str
    validation: Path | str | None = field(default=None, kw_only=True)
    test: Path | str | None = field(default=None, kw_only=True)
    targets: str | None = field(default=None, kw_only=True)
    scale: tuple[float, float] | None = field(default=None, kw_only=True)
    classes: int | None = field(default=None, kw_only=True, validator=optional(ge(1)))

    def load(self) -> Dataset:
        """Find the shards and read their headers.

        Raises:
            DataError: a pattern fits no file, or a file both validation and test; a file is broken, holds something
                else than rows of numbers, or does not fit the others.
        """
        train, validation, test = (_files(pattern) for pattern in (self.path, self.validation, self.test))
        if both := sorted(set(validation) & set(test)):
            raise DataError(f"{both[0]} would be both validation and test; give other patterns")
        train = [path for path in train if path not in {*validation, *test}]
        if not train:
            raise DataError(f"{self.path}: all of its files are for validation or test, none is left to train on")
        splits = ((train, self.path), (validation, self.validation), (test, self.test))
        opened = [
            ShardRows([self._shard(path, str(pattern)) for path in paths]) if paths else None
            for paths, pattern in splits
        ]
        return Dataset(*opened, classes=self.classes, scale=self.scale)

    def _shard(self, path: Path, pattern: str) -> Shard:
        if path.suffix == ".npz":
            if self.targets is not None:
                raise DataError(f"{path}: a .npz file holds the targets itself, as y; leave out the option targets")
            return _shard(
                path, npz_kinds(path, partial(_choose, path)), partial(read_npz, path, partial(_choose, path))
            )
        if path.suffix != ".npy":
            raise DataError(f"{path}: expected a file whose name ends in .npz or .npy")
        if self.targets is None:
            raise DataError(f"{path}: holds x alone; name the .npy files of y with the option targets")
        files = {"x": path, "y": _beside(path, pattern, self.targets)}
        mapped = {name: read_npy(file, mapped=True) for name, file in files.items()}
        kinds = {name: (array.shape, array.dtype) for name, array in mapped.items()}
        return _shard(path, kinds, lambda: {name: read_npy(file, mapped=False) for name, file in files.items()})


def _files(pattern: Path | str | None) -> list[Path]:
    """The files that a pattern fits, or the ``.npz`` files of a folder, by name."""
    if pattern is None:
        return []
    path = Path(pattern).expanduser()
    if path.is_dir():
        found = list(path.glob("*.npz"))
        told = f"{path}: the folder holds no .npz file"
    else:
        found = [Path(name) for name in glob(str(path), recursive=True)]  # noqa: PTH207  (Path.glob takes no whole path)
        told = f"{path}: fits no file; the current folder is {Path.cwd()}"
    files = sorted(file for file in found if not file.is_dir())
    if not files:
        raise DataError(told)
    return files


def _choose(path: Path, names: list[str]) -> dict[str, str]:
    for part in PARTS[:2]:
        if part not in names:
            raise DataError(f"{path}: has no {part}; it holds {', '.join(names) or 'nothing'}")
    return {part: part for part in PARTS if part in names}


def _beside(path: Path, pattern: str, targets: str) -> Path:
    """The file of y that belongs to a file of x: what ``*`` stands for is the same in both."""
    before, star, after = Path(pattern).name.partition("*")
    if not star or any(sign in before + after for sign in "*?[") or targets.count("*") != 1:
        raise DataError(f"{pattern} and {targets}: the names of x and y need one * each, as in x-*.npy and y-*.npy")
    return path.with_name(targets.replace("*", path.name[len(before) : len(path.name) - len(after)]))


def _shard(path: Path, kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]], read: Callable[[], Arrays]) -> Shard:
    """A shard whose arrays have as many rows each, now and when they are read."""
    rows = {shape[0] for shape, _ in kinds.values()}
    if len(rows) > 1:
        told = ", ".join(f"{name} has {shape[0]}" for name, (shape, _) in kinds.items())
        raise DataError(f"{path}: the numbers of rows differ: {told}")
    native = {name: (shape[1:], dtype.newbyteorder("=")) for name, (shape, dtype) in kinds.items()}

    def checked() -> Arrays:
        arrays = {name: np.ascontiguousarray(array, native[name][1]) for name, array in read().items()}
        if {name: array.shape for name, array in arrays.items()} != {name: shape for name, (shape, _) in kinds.items()}:
            raise DataError(f"{path}: was changed since training began; leave the files alone while they are read")
        return arrays

    return Shard(str(path), rows.pop(), native, checked)


@hookimpl
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Register ``shards``."""
    return {"shards": Shards}
