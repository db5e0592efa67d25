"""What is checked of a data loader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import isfinite
from typing import Any

import attrs
import numpy as np

from nnplug.about import FACTS
from nnplug.contracts import DataLoader
from nnplug.data import open_split
from nnplug.errors import DataError, NnplugError
from nnplug.registry import Registry
from nnplug.specs import Array, Dataset
from nnplug.testing.arrays import no_global_random
from nnplug.testing.outcome import Failure, Skipped, Unsuitable, sentence
from nnplug.testing.wording import brief

SPLITS = ("train", "validation", "test")
BATCH = 32
FIRST_BATCHES = 50  # of a stream, which may have no end
CHUNK = 4096  # rows of an array-like that are looked at together
CHUNKS = 50  # so many are looked at


@attrs.frozen(eq=False)
class LoaderCase:
    """A data loader and what it gave the first time."""

    loader: DataLoader
    data: Dataset

    def __str__(self) -> str:
        return brief(self.loader)

    def splits(self) -> Iterator[tuple[str, Any]]:
        """The splits that there are, by name."""
        for name in SPLITS:
            split = getattr(self.data, name)
            if split is not None:
                yield name, split

    def arrays(self) -> Iterator[tuple[str, Any, Array]]:
        """The splits that are arrays: name, x and y."""
        for name, split in self.splits():
            if isinstance(split, tuple | list):
                yield name, split[0], np.asanyarray(split[1])

    def streams(self) -> list[tuple[str, Any]]:
        """The splits that are a Source.

        Raises:
            Skipped: there is none.
        """
        found = [(name, split) for name, split in self.splits() if hasattr(split, "batches")]
        if not found:
            raise Skipped("no split is a Source")
        return found


def cases(loader: DataLoader, inputs: Sequence[Any], registry: Registry) -> list[LoaderCase]:
    """The loader with the data it loads.

    Raises:
        Unsuitable: it cannot load anything with these options.
        Failure: load fails in another way than the contract asks for, or returns no Dataset.
    """
    if inputs:
        raise Failure("data loaders take no inputs; give examples= that load something small")
    try:
        data = loader.load()
    except NnplugError as error:
        raise Unsuitable(f"load() of {brief(loader)} says: {error}") from error
    except Exception as error:
        raise Failure(
            f"{brief(loader)}: {sentence(error)}; where data is missing or broken, raise nnplug.DataError that names "
            "the file and says what to do"
        ) from error
    if not isinstance(data, Dataset):
        raise Failure(f"{brief(loader)}: load must return a nnplug.Dataset, it returned {type(data).__name__}")
    return [LoaderCase(loader, data)]


def splits(case: LoaderCase) -> str:
    """Every split is (x, y), (x, y, weight) or a Source: numbers, as many rows in each, x finite."""
    if case.data.train is None:
        raise Failure("there is no train split; Dataset(train=(x, y))")
    for name, split in case.splits():
        try:
            open_split(split, name, np.dtype(np.float64), case.data.scale)
        except DataError as error:
            raise Failure(f"{error}") from error
    names = case.data.feature_names
    for name, x, y in case.arrays():
        for rows in _chunks(len(x)):
            if not np.isfinite(np.asanyarray(x[rows], np.float64)).all():
                raise Failure(f"the {name} split's x holds NaN or infinity among the rows {rows.start} to {rows.stop}")
        if not np.isfinite(y).all():
            raise Failure(f"the {name} split's y holds NaN or infinity")
        if names is not None and tuple(x.shape[1:]) != (len(names),):
            raise Failure(f"there are {len(names)} feature_names for samples of shape {tuple(x.shape[1:])} in {name}")
    scale = case.data.scale
    if scale is not None and not (all(map(isfinite, scale)) and scale[1] != 0):
        raise Failure(f"scale must be two finite numbers, offset and factor, and the factor not 0, it is {scale}")
    return ", ".join(name for name, _ in case.splits())


def _chunks(rows: int) -> Iterator[slice]:
    """All rows in pieces; of very many, pieces from the first row to the last."""
    starts = np.unique(np.linspace(0, max(0, rows - CHUNK), min(CHUNKS, -(-rows // CHUNK))).astype(int))
    return (slice(int(start), int(start) + CHUNK) for start in starts)


def _equal(one: Any, two: Any) -> bool:
    """Whether two array-likes hold the same, without reading either as a whole."""
    if tuple(one.shape) != tuple(two.shape):
        return False
    pairs = ((np.asanyarray(one[rows]), np.asanyarray(two[rows])) for rows in _chunks(len(one)))
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def alike(case: LoaderCase) -> None:
    """All splits have samples and targets of one shape and dtype, and none of them is another."""
    found = list(case.arrays())
    if len(found) < 2:
        raise Skipped(f"there is {'one split' if found else 'no split'} of arrays")
    first, x_first, y_first = found[0]
    for name, x, y in found[1:]:
        for what, one, other in (("x", x_first, x), ("y", y_first, y)):
            if tuple(one.shape[1:]) != tuple(other.shape[1:]) or one.dtype != other.dtype:
                raise Failure(
                    f"a row of {what} is {other.shape[1:]} {other.dtype} in {name}, "
                    f"but {one.shape[1:]} {one.dtype} in {first}"
                )
        if _equal(x, x_first):
            raise Failure(f"{name} holds the same rows as {first}: what was learned from cannot be tested on")


def labels(case: LoaderCase) -> str:
    """Class indices are from 0 to classes - 1, not all the same; as many one-hot columns and class names."""
    data = case.data
    classes = data.classes
    if data.class_names is not None and len(data.class_names) != (classes or len(data.class_names)):
        raise Failure(f"there are {len(data.class_names)} class_names for {classes} classes")
    for name, _, y in case.arrays():
        _check_labels(name, y, classes)
    train = next(((x, y) for name, x, y in case.arrays() if name == "train"), None)
    if train is not None and classes and train[1].ndim == 1 and len(np.unique(train[1])) < 2:
        raise Failure("all rows of train are of one class")
    return f"{classes} classes" if classes else "no classes"


def _check_labels(name: str, y: Array, classes: int | None) -> None:
    indices = y.ndim == 1 and y.dtype.kind in "iu"
    if indices and y.min() < 0:
        raise Failure(f"{name}: the label {y.min()} is negative; number classes from 0")
    if classes is None:
        return
    if indices and y.max() >= classes:
        raise Failure(
            f"{name}: the label {y.max()} is too large for classes={classes}; they go from 0 to {classes - 1}"
        )
    if y.ndim == 2 and y.shape[1] != classes:
        raise Failure(f"{name}: targets have {y.shape[1]} columns for classes={classes}")
    if y.dtype.kind == "f" and y.ndim == 1:
        raise Failure(f"{name}: targets are {y.dtype}, but classes={classes}; class indices are integers")


def loaded_twice(case: LoaderCase) -> None:
    """Loaded again, the data is the same, in the same order, and no global random numbers are used."""
    with no_global_random("draw from numpy.random.default_rng(seed), with an option `seed`"):
        again = case.loader.load()
    for name in FACTS:
        if getattr(again, name) != getattr(case.data, name):
            raise Failure(f"loaded twice, {name} is {getattr(case.data, name)} first and {getattr(again, name)} then")
    other = {name: (x, y) for name, x, y in LoaderCase(case.loader, again).arrays()}
    for name, x, y in case.arrays():
        for what, one, two in (("x", x, other[name][0]), ("y", y, other[name][1])):
            if not _equal(one, two):
                raise Failure(
                    f"loaded twice, {what} of {name} differs; where rows are shuffled or held out, let an option "
                    "`seed` decide how, with numpy.random.default_rng(seed)"
                )


def read_twice(case: LoaderCase) -> str:
    """A split can be read again and again: in the natural order, and shuffled alike by the same seed."""
    counted = []
    for name, split in case.splits():
        source = open_split(split, name, np.dtype(np.float64), None)
        for seed in (None, 0):
            once, again = (list(_first_batches(source, seed)) for _ in range(2))
            if not once:
                raise Failure(f"{name} yields no batch")
            if len(once) != len(again) or not all(_same(a, b) for a, b in zip(once, again, strict=True)):
                raise Failure(
                    f"{name} read a second time gives other batches; begin anew at each call of batches, and let "
                    "the rng that is given decide the order"
                )
        counted.append(f"{name} {source.rows if source.rows is not None else 'unknown'} rows")
    return ", ".join(counted)


def _first_batches(source: Any, seed: int | None) -> Iterator[tuple[Array, Array]]:
    """Copies of the first batches in an order that a seed decides."""
    rng = None if seed is None else np.random.default_rng(seed)
    for count, (x, y, _) in enumerate(source.batches(BATCH, rng)):
        if count == 4:
            return
        yield np.array(x), np.array(y)


def _same(a: tuple[Array, Array], b: tuple[Array, Array]) -> bool:
    return all(one.shape == two.shape and np.array_equal(one, two) for one, two in zip(a, b, strict=True))


def streams(case: LoaderCase) -> str:
    """A Source yields as many rows as it says, in batches of the size asked for, and can begin in the middle."""
    found = case.streams()
    for name, source in found:
        batches = list(_copied(source, 0, FIRST_BATCHES))
        sizes = [len(x) for x, _ in batches]
        whole = len(sizes) < FIRST_BATCHES
        if source.rows is not None and (total := sum(sizes) if whole else _rows(source)) != source.rows:
            more = "" if total < source.rows or whole else ", if not more"
            raise Failure(f"{name} says it has {source.rows} rows and yields {total}{more}")
        full = sizes[:-1] if whole else sizes
        if any(size != BATCH for size in full) or max(sizes, default=0) > BATCH:
            raise Failure(f"asked for batches of {BATCH} rows, {name} yields some of {sorted(set(sizes))}")
        start = len(batches) // 2
        rest = list(_copied(source, start, len(batches) - start))
        if len(rest) != len(batches) - start or not all(map(_same, rest, batches[start:])):
            raise Failure(
                f"{name}: batches(..., start={start}) does not go on where a run from the beginning would be; skip "
                "'start' batches, and leave rng where they would have left it"
            )
    return ", ".join(name for name, _ in found)


def stream_rows(case: LoaderCase) -> str:
    """A Source yields finite numbers, rows of the shape that it names, and labels as arrays have them."""
    found = case.streams()
    for name, source in found:
        shape = getattr(source, "sample_shape", None)
        for x, y in _copied(source, 0, FIRST_BATCHES):
            shape = x.shape[1:] if shape is None else tuple(shape)
            if x.shape[1:] != shape:
                raise Failure(f"{name} yields rows of shape {x.shape[1:]} where others, or sample_shape, are {shape}")
            if len(x) != len(y):
                raise Failure(f"{name} yields {len(y)} targets with {len(x)} rows of x")
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                raise Failure(f"{name} yields NaN or infinity; leave such rows out or fill them in")
            _check_labels(name, y, case.data.classes)
    return ", ".join(name for name, _ in found)


def _copied(source: Any, start: int, count: int) -> Iterator[tuple[Array, Array]]:
    for x, y, _ in islice(source.batches(BATCH, np.random.default_rng(0), start), count):
        yield np.array(x), np.array(y)


def _rows(source: Any) -> int:
    """The rows of an epoch; where there are more than it says, of which there may be no end, some more than that."""
    total = 0
    for x, _, _ in source.batches(BATCH, np.random.default_rng(0)):
        total += len(x)
        if total > source.rows:
            break
    return total


CHECKS = (splits, alike, labels, loaded_twice, read_twice, streams, stream_rows)
ONE_OF = ("splits",)
