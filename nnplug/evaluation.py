"""Scores, loss and metrics of a whole split, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import local
from typing import Any

import numpy as np

from nnplug.arena import Arena
from nnplug.contracts import Metric
from nnplug.errors import DataError, NnplugError, PluginError
from nnplug.naming import fault_of
from nnplug.network import Network
from nnplug.options import show
from nnplug.specs import Array, Source
from nnplug.streams import Streams

BATCH = 1024  # rows: enough for the matrix products to be efficient, few enough to stay in the cache
PART = 2**22  # scores: so many are held at once, if all metrics are means of rows


def evaluate(network: Network, source: Source, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The loss and the metrics of every row of a source, in inference mode.

    Returns:
        ``{"loss": ..., "accuracy": ...}``; the loss is the one that training minimises, with the L2 term.

    Raises:
        DataError: the source yields nothing.
    """
    arena = Arena()
    ctx = network.context(Streams(), arena=arena)
    measured = _Measured(metrics)
    total = total_weight = 0.0
    for x, y, weight in source.batches(BATCH, None):
        arena.start(len(x))
        scores, losses = network.losses(x, y, ctx)
        per_row = losses.reshape(len(losses), -1).mean(axis=1, dtype=np.float64)
        if weight is not None:
            per_row[weight == 0] = 0  # infinity times 0 is no number
        total += float(per_row.sum() if weight is None else per_row @ weight)
        total_weight += len(x) if weight is None else float(weight.sum(dtype=np.float64))
        measured.add(scores, y)
        del scores, losses  # they are free for the next batch
    values = measured.values()
    mean = total / total_weight if total_weight > 0 else 0.0  # rows that all weigh nothing, as in training
    return {"loss": mean + network.penalty()} | values


class _Measured:
    """The metrics of a split whose scores come a batch at a time; of very many, in parts where that is the same."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._in_parts = all(metric.mean_of_rows for metric in metrics.values())
        self._scores: list[Array] = []
        self._targets: list[Array] = []
        self._held = 0
        self._parts: list[dict[str, float]] = []
        self._rows: list[int] = []  # of each part

    def add(self, scores: Array, targets: Array) -> None:
        """Take copies of a batch's scores and targets."""
        self._scores.append(scores.copy())
        self._targets.append(np.array(targets))
        self._held += scores.size
        if self._in_parts and self._held >= PART:
            self._close_part()

    def values(self) -> dict[str, float]:
        """The metrics of everything that was added.

        Raises:
            DataError: nothing was.
        """
        if self._scores:
            self._close_part()
        if not self._parts:
            raise DataError("there is nothing to evaluate: the source yielded no batch")
        if len(self._parts) == 1:
            return self._parts[0]
        return {
            name: float(np.average([part[name] for part in self._parts], weights=self._rows)) for name in self._metrics
        }

    def _close_part(self) -> None:
        scores, targets = np.concatenate(self._scores), np.concatenate(self._targets)
        self._parts.append({name: _value(name, metric, scores, targets) for name, metric in self._metrics.items()})
        self._rows.append(len(scores))
        self._scores, self._targets, self._held = [], [], 0


def _value(name: str, metric: Metric, scores: Array, targets: Array) -> float:
    value: Any = metric(scores, targets)
    try:
        return float(value)
    except (TypeError, ValueError):
        told = f"the metric {name!r} gave {show(value)}, which is no number: {fault_of(metric)}"
        raise PluginError(told) from None


def scores(network: Network, x: Array) -> Array:
    """The scores of many rows, in an array of their own."""
    arena = Arena()
    ctx = network.context(Streams(), arena=arena)
    parts = []
    for start in range(0, len(x), BATCH):
        batch = x[start : start + BATCH]
        arena.start(len(batch))
        parts.append(network.scores(batch, ctx).copy())
    return np.concatenate(parts)


class OneRow(local):
    """The scores of one row at a time, which programs that answer requests ask for again and again.

    Allocating scratch memory would take as long as all the arithmetic. So every thread keeps its own, of one row.
    """

    def __init__(self, network: Network) -> None:
        self._network, self._arena = network, Arena()
        self._ctx = network.context(Streams(), arena=self._arena)

    def scores(self, x: Array) -> Array:
        """The scores of a batch of one row, in an array of their own."""
        self._arena.start(1)
        return self._network.scores(x, self._ctx).copy()


def rows_without_meaning(scores: Array) -> Array:
    """The numbers of the rows whose scores are not all finite."""
    return np.flatnonzero(~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1))


def check_finite(scores: Array) -> None:
    """Refuse to choose a class by scores that are NaN or infinite.

    Raises:
        DataError: with the first such row.
    """
    if not np.isfinite(scores).all():
        bad = rows_without_meaning(scores)
        told = f"the scores of {len(bad)} of {len(scores)} rows are not finite, the first is row {bad[0]}"
        raise DataError(f"{told}; x or the model's parameters hold NaN or infinity")


def names_in_results(names: Sequence[str]) -> list[str]:
    """What metrics are called in results: their names, counted where several have the same.

    Raises:
        NnplugError: one is called as the loss is, or as another one with its number.
    """
    counts: dict[str, int] = {}
    found = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        found.append(name if names.count(name) == 1 else f"{name}{counts[name]}")
    if "loss" in found or len(set(found)) < len(found):
        raise NnplugError(f"the metrics would be called {', '.join(found)}; their names must differ, also from 'loss'")
    return found
