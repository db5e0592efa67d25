"""Data loaders with one mistake each: the kit finds it and says what to write instead."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from attrs import frozen

from nnplug import DataError, DataLoader, Dataset
from nnplug.testing import check, examine


@frozen
class Points(DataLoader):
    """A good loader; those below change one thing."""

    seed: int = 0

    def load(self):
        rng = np.random.default_rng(self.seed)
        x, y = rng.normal(size=(60, 3)), np.arange(60) % 3
        return self.dataset(x, y)

    def dataset(self, x, y):
        return Dataset((x[:40], y[:40]), test=(x[40:], y[40:]), classes=3, class_names=("a", "b", "c"))


class Counted:
    """A good stream of 70 rows."""

    rows = 70

    def batches(self, batch_size, rng, start=0):
        order = np.arange(70) if rng is None else rng.permutation(70)
        for i in range(start * batch_size, 70, batch_size):
            rows = order[i : i + batch_size]
            yield np.stack([rows, rows**2], axis=1) / 70, rows % 2, None


@frozen
class Stream(DataLoader):
    """A good loader of a stream."""

    def load(self):
        return Dataset(self.source())

    def source(self):
        return Counted()


def test_the_loaders_that_are_changed_below_are_good():
    """So whatever fails below fails because of its one mistake."""
    check(Points)
    report = check(Stream)
    assert {"streams", "stream_rows"} <= {result.check for result in report.components[0].having("passed")}
    check(Named)


@frozen
class FromOne(Points):
    def dataset(self, x, y):
        return super().dataset(x, y + 1)


@frozen
class Negative(Points):
    def dataset(self, x, y):
        return super().dataset(x, y - 1)


@frozen
class Unseeded(Points):
    def load(self):
        return self.dataset(np.random.default_rng().normal(size=(60, 3)), np.arange(60) % 3)


@frozen
class GlobalShuffle(Points):
    def dataset(self, x, y):
        np.random.permutation(60)  # noqa: NPY002
        return super().dataset(x, y)


@frozen
class HoldsNaN(Points):
    def dataset(self, x, y):
        x[7, 1] = np.nan
        return super().dataset(x, y)


@frozen
class RaggedRows(Points):
    def dataset(self, x, y):
        return Dataset((x[:40], y[:39]))


@frozen
class TestIsTrain(Points):
    __test__ = False  # pytest looks at names

    def dataset(self, x, y):
        return Dataset((x, y), test=(x, y))


@frozen
class OtherDtype(Points):
    def dataset(self, x, y):
        return Dataset((x[:40], y[:40]), test=(x[40:].astype("float32"), y[40:]))


@frozen
class OneClass(Points):
    def dataset(self, x, y):
        return Dataset((x[:40], 0 * y[:40]), classes=3)


@frozen
class FloatLabels(Points):
    def dataset(self, x, y):
        return Dataset((x, y.astype(float)), classes=3)


@frozen
class TooFewNames(Points):
    def dataset(self, x, y):
        return Dataset((x, y), classes=3, class_names=("a", "b"))


@frozen
class OneFeatureTooFew(Points):
    def dataset(self, x, y):
        return Dataset((x, y), classes=3, feature_names=("length", "width"))


@frozen
class NoScale(Points):
    def dataset(self, x, y):
        return Dataset((x, y), scale=(0.0, 0.0))


@frozen
class Bare(Points):
    def dataset(self, x, y):
        return x, y


@frozen
class NoSuchFile(DataLoader):
    def load(self):
        return Dataset(tuple(np.load(Path("nowhere.npy"))))


@frozen
class Exits(DataLoader):
    def load(self):
        raise SystemExit("no data")


@frozen
class Offline(DataLoader):
    def load(self):
        raise DataError("points.bin is missing; download it from example.org")


class _Once(Counted):
    """A stream that can be read once."""

    def __init__(self):
        self.left = list(Counted().batches(32, None))

    def batches(self, batch_size, rng, start=0):
        while self.left:
            yield self.left.pop()


class _Fewer(Counted):
    rows = 100


class _NeverEnding(Counted):
    rows = 100

    def batches(self, batch_size, rng, start=0):
        x = np.zeros((batch_size, 3))
        while True:
            yield x, x[:, 0], None


class _DeafToStart(Counted):
    def batches(self, batch_size, rng, start=0):
        return super().batches(batch_size, rng, 0)


class _OwnSize(Counted):
    def batches(self, batch_size, rng, start=0):
        return super().batches(10, rng, start)


class _Changed(Counted):
    """Says what a row is, and changes every batch before it is yielded."""

    sample_shape = (2,)

    def __init__(self, change):
        self._change = change

    def batches(self, batch_size, rng, start=0):
        for x, y, weight in super().batches(batch_size, rng, start):
            yield *self._change(x, y), weight


@frozen
class Named(Stream):
    def source(self):
        return _Changed(lambda x, y: (x, y))


@frozen
class StreamedNaN(Stream):
    def source(self):
        return _Changed(lambda x, y: (np.where(x == 5 / 70, np.nan, x), y))


@frozen
class OtherRows(Stream):
    def source(self):
        return _Changed(lambda x, y: (x[:, :1], y))


@frozen
class LabelsFromOne(Stream):
    def load(self):
        return Dataset(_Changed(lambda x, y: (x, y + 1)), classes=2)


@frozen
class FewerTargets(Stream):
    def source(self):
        return _Changed(lambda x, y: (x, y[1:]))


@frozen
class ReadOnce(Stream):
    def source(self):
        return _Once()


@frozen
class SaysMore(Stream):
    def source(self):
        return _Fewer()


@frozen
class SaysItEnds(Stream):
    def source(self):
        return _NeverEnding()


@frozen
class NoStart(Stream):
    def source(self):
        return _DeafToStart()


@frozen
class OwnBatches(Stream):
    def source(self):
        return _OwnSize()


BROKEN = [
    (FromOne, "labels", "train: the label 3 is too large for classes=3; they go from 0 to 2"),
    (Negative, "labels", "the label -1 is negative; number classes from 0"),
    (Unseeded, "loaded_twice", "x of train differs", "let an option `seed` decide how"),
    (GlobalShuffle, "loaded_twice", "NumPy's global generator"),
    (HoldsNaN, "splits", "NaN or infinity in 1 of 40 rows, the first is row 7"),
    (RaggedRows, "splits", "40 rows in x but 39 in y"),
    (TestIsTrain, "alike", "test holds the same rows as train"),
    (OtherDtype, "alike", "a row of x is (3,) float32 in test, but (3,) float64 in train"),
    (OneClass, "labels", "all rows of train are of one class"),
    (FloatLabels, "labels", "class indices are integers"),
    (TooFewNames, "labels", "there are 2 class_names for 3 classes"),
    (OneFeatureTooFew, "splits", "there are 2 feature_names for samples of shape (3,) in train"),
    (NoScale, "splits", "scale must be two finite numbers"),
    (Bare, "examples", "load must return a nnplug.Dataset, it returned tuple"),
    (NoSuchFile, "examples", "FileNotFoundError", "raise nnplug.DataError that names the file"),
    (Exits, "examples", "raised SystemExit: no data; a component never ends the program"),
    (Offline, "examples", "points.bin is missing; download it from example.org", "give examples=[Offline(...)]"),
    (ReadOnce, "read_twice", "train read a second time gives other batches"),
    (SaysMore, "streams", "train says it has 100 rows and yields 70"),
    (SaysItEnds, "streams", "train says it has 100 rows and yields 128, if not more"),
    (NoStart, "streams", "batches(..., start=1) does not go on where"),
    (StreamedNaN, "stream_rows", "train yields NaN or infinity; leave such rows out or fill them in"),
    (OtherRows, "stream_rows", "train yields rows of shape (1,) where others, or sample_shape, are (2,)"),
    (LabelsFromOne, "stream_rows", "train: the label 2 is too large for classes=2; they go from 0 to 1"),
    (FewerTargets, "stream_rows", "train yields 31 targets with 32 rows of x"),
    (OwnBatches, "streams", "asked for batches of 32 rows, train yields some of [10]"),
]


@pytest.mark.parametrize(
    ("cls", "failed", "words"),
    [(cls, failed, words) for cls, failed, *words in BROKEN],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_loader_is_caught_with_the_right_words(cls, failed, words):
    """The check that is made for the mistake fails, and its message names the mistake."""
    report = examine(cls)
    details = {result.check: result.detail for result in report.components[0].having("failed")}
    assert failed in details, str(report)
    for word in words:
        assert word in details[failed]


class _Endless:
    """A good stream that never ends, each batch with a seed of its own."""

    rows = None

    def batches(self, batch_size, rng, start=0):
        seed = 0 if rng is None else int(rng.integers(2**63))
        for number in itertools.count(start):
            x = np.random.default_rng([seed, number]).normal(size=(batch_size, 2))
            yield x, (x.sum(axis=1) > 0).astype(int), None


@frozen
class Endless(DataLoader):
    """Loads it."""

    def load(self):
        return Dataset(_Endless(), classes=2)


def test_a_stream_without_an_end():
    """Its beginning is looked at, and the examination ends."""
    check(Endless)
