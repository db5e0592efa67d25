"""The splits that a model is trained on and evaluated on: opened, checked, held out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import fields

from nnplug.about import FACTS
from nnplug.agreement import listed, renumbered
from nnplug.config import TrainConfig
from nnplug.contracts import Metric
from nnplug.data import hold_out, open_split
from nnplug.errors import ConfigError, DataError, NnplugError, Problem
from nnplug.mapped import on_disk
from nnplug.model import Model
from nnplug.rows import Rows
from nnplug.specs import Array, Batch, Dataset, Source

if TYPE_CHECKING:
    from numpy.random import Generator


COARSE = 1000  # steps from one number to the next; a column that has fewer is rounded more than by a thousandth


def adopt(model: Model, data: Dataset, config: TrainConfig, metrics: Mapping[str, Metric]) -> dict[str, Source]:
    """The splits of data that a model is to learn from; it takes over what it does not know of its data yet.

    Raises:
        ConfigError: validation rows are wanted of a stream, or the data tells what cannot be.
        DataError: a split cannot be learned from, or does not fit the model, its loss or a metric; then the model stays
            as it was.
    """
    before = {name: getattr(model, name) for name in FACTS}
    try:
        model.adopt(data)
        return open_splits(model, renumbered(data, model.class_names), config, metrics)
    except NnplugError:
        for name, value in before.items():
            setattr(model, name, value)
        raise


def open_splits(model: Model, data: Dataset, config: TrainConfig, metrics: Mapping[str, Metric]) -> dict[str, Source]:
    """Sources for train, validation and test by name, as far as the data has them.

    Raises:
        ConfigError: validation rows are wanted of a stream.
        DataError: a split cannot be learned from, or does not fit the model, its loss or a metric.
    """
    given = {"train": data.train, "validation": data.validation, "test": data.test}
    splits = {name: open_for(model, split, name, metrics) for name, split in given.items() if split is not None}
    train = splits.get("train")
    if train is None:
        raise DataError("the data has no train split")
    if isinstance(train, Rows):
        if "validation" not in splits and config.validation > 0:
            # From the seed alone: a second Solver that trains the model further holds out the same rows.
            rng = model.streams.fresh("validation")
            train, splits["validation"] = hold_out(train, config.validation, rng)
        if config.batch_size > train.rows and config.batch_size != fields(TrainConfig).batch_size.default:
            raise DataError(
                f"train.batch_size is {config.batch_size}, but the train split has {train.rows} rows; make it smaller"
            )
        splits["train"] = train.converted()
    elif "validation" not in splits and config.validation > 0:
        raise ConfigError([Problem("train.validation", "rows of a stream cannot be held out; give a validation split")])
    return splits


def open_for(model: Model, split: Any, name: str, metrics: Mapping[str, Metric]) -> Source:
    """A split as a source of batches that a model takes; ``name`` is for messages.

    Raises:
        DataError: the split does not fit the model, its loss or a metric.
    """
    source = open_split(split, name, model.input_spec.dtype, model.scale)
    check = partial(_check, name, model, metrics)
    if not isinstance(source, Rows):
        return _Checked(source, check)
    check(source.x.shape, source.y)
    _warn_of_rounding(source.x, name, model)
    return source


def _warn_of_rounding(x: Any, name: str, model: Model) -> None:
    """Tell of columns of a table whose numbers differ by no more than what float32 makes of them anyway."""
    dtype = model.input_spec.dtype
    table = name == "train" and not on_disk(x) and x.ndim == 2 and x.dtype.kind in "iuf"
    exact = x.dtype.kind in "iu" and np.can_cast(x.dtype, dtype)  # as bytes are
    if not table or exact or dtype.kind != "f" or model.scale is not None:
        return
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    steps = np.finfo(dtype).eps * np.maximum(np.abs(low), np.abs(high))
    for i in np.flatnonzero((high > low) & (high - low < COARSE * steps))[:1]:
        column = repr(model.feature_names[i]) if model.feature_names else f"{i} (counted from 0)"
        warnings.warn(
            f"column {column} of x goes from {low[i]:.10g} to {high[i]:.10g}, too little for {dtype}, which "
            "rounds it; subtract an offset (scale = [offset, 1.0]), or set dtype to float64",
            stacklevel=5,
        )


def _check(name: str, model: Model, metrics: Mapping[str, Metric], shape: tuple[int, ...], targets: Array) -> None:
    sample, expected = tuple(shape[1:]), model.input_spec.shape
    if sample != expected:
        raise DataError(f"the {name} split has samples of shape {sample}, the model takes {expected}")
    try:
        model.check_targets(targets, metrics)
    except DataError as error:
        names = model.class_names
        classes = f"; the data's {len(names)} classes are {listed(names)}" if names else ""
        raise DataError(f"the {name} split: {error}{classes}") from None


SAMPLE = 2**20  # rows: a share of them is off by no more than 0.0005, one standard deviation


class Sample:
    """The first `SAMPLE` rows of a shuffled epoch, the same ones each time: enough to know how training stands.

    Args:
        source: more rows than that, or nobody knows how many.
        rng: makes the generator that decides the order.
    """

    def __init__(self, source: Source, rng: Callable[[], Generator]) -> None:
        self._source, self._rng = source, rng
        self.rows = None if source.rows is None else SAMPLE

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch, always in the same order."""
        wanted = max(0, SAMPLE // batch_size - start)
        return islice(self._source.batches(batch_size, self._rng(), start), wanted)


def measured(splits: Mapping[str, Source], model: Model) -> dict[str, Source]:
    """What is evaluated of each split: all of it, but of a train split of very many rows a sample."""
    train = splits["train"]
    if train.rows is not None and train.rows <= SAMPLE:
        return dict(splits)
    return {**splits, "train": Sample(train, partial(model.streams.fresh, "evaluation"))}


class _Checked:
    """A stream whose batches are checked as they come: nothing is known of it before."""

    def __init__(self, source: Source, check: Callable[[tuple[int, ...], Array], None]) -> None:
        self._source, self._check = source, check
        self.rows = source.rows

    def batches(self, batch_size: int, rng: Generator | None, start: int = 0) -> Iterator[Batch]:
        """One epoch; see `Source.batches`."""
        for x, y, weight in self._source.batches(batch_size, rng, start):
            self._check(x.shape, y)
            yield x, y, weight


def class_weights(wanted: tuple[float, ...] | str | None, train: Source, scores: int) -> Array | None:
    """A weight for each class; "balanced" is rows / (classes * rows of the class), as scikit-learn defines it.

    Raises:
        ConfigError: the targets are no class indices, or there are fewer weights than classes, or more.
    """
    if wanted is None:
        return None
    if not isinstance(train, Rows) or train.y.ndim != 1 or train.y.dtype.kind not in "iu":
        given = f"{train.y.dtype} {train.y.shape}" if isinstance(train, Rows) else "a stream"
        raise _refused(f"needs targets that are class indices in an array, integers (N,), given {given}")
    counts: Array = np.zeros(0, np.int64)
    for piece in train.targets():
        found = np.bincount(piece, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    if isinstance(wanted, str):
        balanced = np.zeros(len(counts))
        np.divide(counts.sum(), np.count_nonzero(counts) * counts, where=counts > 0, out=balanced)
        return balanced
    if not all(0 <= weight < inf for weight in wanted) or not any(wanted):
        raise _refused(f"must be finite numbers, none negative and not all zero, got {list(wanted)}")
    if len(wanted) < len(counts):
        raise _refused(f"holds {len(wanted)} weights, but the targets have {len(counts)} classes")
    classes = max(len(counts), scores if scores > 1 else 2)  # one score tells two classes apart
    if len(wanted) > classes:
        raise _refused(f"holds {len(wanted)} weights, but there are {classes} classes")
    return np.asarray(wanted)


def _refused(why: str) -> ConfigError:
    return ConfigError([Problem("train.class_weights", why)])
