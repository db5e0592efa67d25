"""Scores, loss and metrics of a whole split, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from threading import local

import numpy as np

from nnplug.arena import Arena
from nnplug.contracts import Metric
from nnplug.errors import DataError
from nnplug.network import Network
from nnplug.specs import Array, Source
from nnplug.streams import Streams

BATCH = 1024  # rows: enough for the matrix products to be efficient, few enough to stay in the cache


def evaluate(network: Network, source: Source, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The loss and the metrics of every row of a source, in inference mode.

    Returns:
        ``{"loss": ..., "accuracy": ...}``; the loss is the one that training minimises, with the L2 term.

    Raises:
        DataError: the source yields nothing.
    """
    arena = Arena()
    ctx = network.context(Streams(), arena=arena)
    scores_seen: list[Array] = []
    targets_seen: list[Array] = []
    total = total_weight = 0.0
    for x, y, weight in source.batches(BATCH, None):
        arena.start(len(x))
        scores, losses = network.losses(x, y, ctx)
        per_row = losses.reshape(len(losses), -1).mean(axis=1, dtype=np.float64)
        total += float(per_row.sum() if weight is None else per_row @ weight)
        total_weight += len(x) if weight is None else float(weight.sum(dtype=np.float64))
        scores_seen.append(scores.copy())
        targets_seen.append(np.array(y))
    if not scores_seen:
        raise DataError("there is nothing to evaluate: the source yielded no batch")
    all_scores, all_targets = np.concatenate(scores_seen), np.concatenate(targets_seen)
    mean = total / total_weight if total_weight > 0 else 0.0  # rows that all weigh nothing, as in training
    values = {"loss": mean + network.penalty()}
    return values | {name: float(metric(all_scores, all_targets)) for name, metric in metrics.items()}


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
