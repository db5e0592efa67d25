"""Shards: rows in many files, which together may be larger than memory."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable
from functools import partial
from glob import escape, glob
from pathlib import Path

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, optional

from nnplug import ArraySpec, DataError, DataLoader, Dataset, hookimpl, npz_headers, read_npy, read_npz
from nnplug_builtins._shard_rows import Arrays, Shard, ShardRows, Specs

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
        if both := sorted(validation.keys() & test.keys()):
            raise DataError(f"{both[0]} would be both validation and test; give other patterns")
        train = {key: path for key, path in train.items() if key not in validation and key not in test}
        if not train:
            raise DataError(f"{self.path}: all of its files are for validation or test, none is left to train on")
        splits = ((train, self.path), (validation, self.validation), (test, self.test))
        opened = [self._open(list(files.values()), str(pattern)) for files, pattern in splits]
        return Dataset(*opened, classes=self.classes, scale=self.scale)

    def _open(self, files: list[Path], pattern: str) -> ShardRows | None:
        return ShardRows([self._shard(path, pattern) for path in files]) if files else None

    def _shard(self, path: Path, pattern: str) -> Shard:
        if path.suffix == ".npz":
            if self.targets is not None:
                raise DataError(f"{path}: a .npz file holds the targets itself, as y; leave out the option targets")
            choose = partial(_choose, path)
            return _shard(path, npz_headers(path, choose), partial(read_npz, path, choose))
        if path.suffix != ".npy":
            raise DataError(f"{path}: expected a file whose name ends in .npz or .npy")
        if self.targets is None:
            raise DataError(f"{path}: holds x alone; name the .npy files of y with the option targets")
        files = {"x": path, "y": _beside(path, pattern, self.targets)}
        mapped = {name: read_npy(file) for name, file in files.items()}
        specs = {name: ArraySpec(array.shape, array.dtype) for name, array in mapped.items()}
        return _shard(path, specs, lambda: {name: read_npy(file, mapped=False) for name, file in files.items()})


def _files(pattern: Path | str | None) -> dict[Path, Path]:
    """The files that a pattern fits, or the ``.npz`` files of a folder, by name; the keys tell whether two are one."""
    if pattern is None:
        return {}
    path = os.path.expanduser(pattern)  # noqa: PTH111  (Path.expanduser raises where nobody has that home)
    if Path(path).parts.count("**") > 1:  # glob tries every way to share the folders out among them, almost for ever
        raise DataError(f"{path}: holds ** more than once; one ** stands for folders of any depth")
    told = f"{path}: fits no file; the current folder is {Path.cwd()}"
    if os.path.isdir(path):  # noqa: PTH112
        path, told = os.path.join(escape(path), "*.npz"), f"{path}: the folder holds no .npz file"  # noqa: PTH118
    found = sorted(Path(name) for name in glob(path, recursive=True))  # noqa: PTH207  (Path.glob takes no whole path)
    files = {file.resolve(): file for file in found if not file.is_dir()}
    if not files:
        raise DataError(told)
    return files


def _choose(path: Path, names: list[str]) -> dict[str, str]:
    for part in PARTS[:2]:
        if part not in names:
            raise DataError(f"{path}: has no {part}; it holds {reprlib.repr(names)}")
    return {part: part for part in PARTS if part in names}


def _beside(path: Path, pattern: str, targets: str) -> Path:
    """The file of y that belongs to a file of x: what ``*`` stands for is the same in both."""
    before, star, after = Path(pattern).name.partition("*")
    if not star or any(sign in before + after for sign in "*?[") or targets.count("*") != 1:
        raise DataError(f"{pattern} and {targets}: the names of x and y need one * each, as in x-*.npy and y-*.npy")
    return path.with_name(targets.replace("*", path.name[len(before) : len(path.name) - len(after)]))


def _shard(path: Path, specs: Specs, read: Callable[[], Arrays]) -> Shard:
    """A shard whose arrays have as many rows each, now and when they are read."""
    rows = {spec.shape[0] for spec in specs.values()}
    if len(rows) > 1:
        told = ", ".join(f"{name} has {spec.shape[0]}" for name, spec in specs.items())
        raise DataError(f"{path}: the numbers of rows differ: {told}")

    def checked() -> Arrays:
        arrays = read()
        if {name: ArraySpec(array.shape, array.dtype) for name, array in arrays.items()} != specs:
            raise DataError(f"{path}: was changed since training began; leave the files alone while they are read")
        return {name: np.ascontiguousarray(array, row[name].dtype) for name, array in arrays.items()}

    row = {name: ArraySpec(spec.shape[1:], spec.dtype.newbyteorder("=")) for name, spec in specs.items()}
    return Shard(str(path), rows.pop(), row, checked)


@hookimpl
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Register ``shards``."""
    return {"shards": Shards}
