"""Arrays: one's own data, from files that NumPy wrote."""

from __future__ import annotations

import reprlib
from pathlib import Path

import numpy as np
from attrs import field, frozen
from attrs.validators import and_, ge, lt, optional

from nnplug import Array, DataError, DataLoader, Dataset, hookimpl, read_npy, read_npz
from nnplug_builtins._hold_out import hold_out

SPLITS = ("train", "validation", "test")
PARTS = ("x", "y", "weight")


@frozen
class Arrays(DataLoader):
    """Arrays of numbers from a ``.npz`` or ``.npy`` file; the first axis is rows, dtypes stay as they are.

    A ``.npz`` file holds x_train and y_train, or just x and y, and perhaps x_validation, y_validation, x_test and
    y_test; weight_train (or weight) and its like weigh the rows; arrays of other names are left alone. It is read into
    memory. A ``.npy`` file holds x, and ``targets`` names the file of y. Both are mapped: rows are read from the disk
    when they are used, so there may be more of them than fit in memory. (Arrays in Fortran order or in another
    computer's byte order are read whole.) Pickled objects are never loaded.

    Args:
        path: the file of everything, ``.npz``, or of x, ``.npy``; a relative path starts at the current folder.
        targets: the ``.npy`` file of y, where x is a ``.npy`` file.
        test: the fraction of the training rows to hold out as a test split, where the file has none; 0: no test.
            Rows are shuffled by a fixed rule and copied into memory; where y is one integer a row, every class is
            divided alike.
        seed: another seed, another choice of the rows held out.
        scale: offset and factor; the model sees ``(x - offset) * factor``.
        classes: the number of classes, where y cannot tell because the last of them do not occur in it.
        memory_map: whether ``.npy`` files are mapped; False: they are read into memory.
    """

    path: Path | str
    targets: Path | str | None = field(default=None, kw_only=True)
    test: float = field(default=0.0, kw_only=True, validator=and_(ge(0), lt(1)))
    seed: int = field(default=0, kw_only=True, validator=ge(0))
    scale: tuple[float, float] | None = field(default=None, kw_only=True)
    classes: int | None = field(default=None, kw_only=True, validator=optional(ge(1)))
    memory_map: bool = field(default=True, kw_only=True)

    def load(self) -> Dataset:
        """Read or map the arrays.

        Raises:
            DataError: a file or an array is missing, cannot be read, holds something else than numbers or does not fit
                the others; ``test`` is given although there is a test split.
        """
        path = Path(self.path)
        splits = _splits(path, {name: _in_order(array) for name, array in self._read(path).items()})
        if self.test and "test" in splits:
            raise DataError(f"{path}: there is a test split already; leave out test = {self.test:g}")
        if self.test:
            splits |= self._hold_out(splits["train"])
        train, validation, test = (splits.get(split) for split in SPLITS)
        return Dataset(train, validation, test, classes=self.classes, scale=self.scale)

    def _read(self, path: Path) -> dict[str, Array]:
        if path.suffix == ".npz":
            if self.targets is not None:
                raise DataError(f"{path}: a .npz file holds the targets itself, as y; leave out the option targets")
            return read_npz(path, lambda names: _choose(names, path))
        if path.suffix != ".npy":
            raise DataError(f"{path}: expected a file whose name ends in .npz or .npy")
        if self.targets is None:
            raise DataError(f"{path}: holds x alone; name the .npy file of y with the option targets")
        x, y = (read_npy(file, mapped=self.memory_map) for file in (path, self.targets))
        return {"x_train": x, "y_train": y}

    def _hold_out(self, split: tuple[Array, ...]) -> dict[str, tuple[Array, ...]]:
        y = split[1]
        labels = y if y.ndim == 1 and y.dtype.kind in "iu" else None
        train, test = hold_out(len(y), self.test, self.seed, labels)
        return {"train": tuple(array[train] for array in split), "test": tuple(array[test] for array in split)}


def _choose(names: list[str], path: Path) -> dict[str, str]:
    """Which of the arrays in a .npz file to read, and what they are called here: x is x_train."""
    chosen = {}
    for name in names:
        part, _, split = name.partition("_")
        if part == "weights":
            raise DataError(f"{path}: {reprlib.repr(name)} is not read; call it {reprlib.repr('weight' + name[7:])}")
        if part not in PARTS:
            continue
        if (split or "train") not in SPLITS:
            raise DataError(f"{path}: {reprlib.repr(name)} belongs to no split; they are called {', '.join(SPLITS)}")
        chosen[name] = f"{part}_{split or 'train'}"
    for split in SPLITS:
        needed = split == "train" or any(f"{part}_{split}" in chosen.values() for part in PARTS)
        for part in PARTS:
            found = [name for name in chosen if chosen[name] == f"{part}_{split}"]
            if len(found) > 1:
                raise DataError(f"{path}: {' and '.join(found)} mean the same; keep one of them")
            if needed and not found and part != "weight":
                raise DataError(f"{path}: has no {part}_{split}; it holds {reprlib.repr(names)}")
    return chosen


def _in_order(array: Array) -> Array:
    """The array in C order and in our byte order: another would be copied whole for every batch."""
    if array.flags.c_contiguous and array.dtype.isnative:
        return array
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _splits(path: Path, arrays: dict[str, Array]) -> dict[str, tuple[Array, ...]]:
    """The arrays as (x, y) or (x, y, weight) by split, after a look whether they fit together."""
    splits = {}
    for split in SPLITS:
        parts = {name: arrays[name] for name in (f"{part}_{split}" for part in PARTS) if name in arrays}
        if len({len(array) for array in parts.values()}) > 1:
            told = ", ".join(f"{name} has {len(array)}" for name, array in parts.items())
            raise DataError(f"{path}: the numbers of rows differ: {told}")
        if parts:
            given, expected = arrays[f"x_{split}"].shape[1:], arrays["x_train"].shape[1:]
            if given != expected:
                raise DataError(f"{path}: a row of x_{split} has shape {given}, a row of x_train {expected}")
            splits[split] = tuple(parts.values())
    return splits


@hookimpl
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Register ``arrays``."""
    return {"arrays": Arrays}
