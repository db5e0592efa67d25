"""Scores, loss and metrics of a whole split, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.arena import Arena
from nnplug.contracts import Metric
from nnplug.specs import Array, Source

if TYPE_CHECKING:
    from nnplug.model import Model

BATCH = 1024  # rows: enough for the matrix products to be efficient, few enough to stay in the cache


def evaluate(model: Model, source: Source, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The loss and the metrics of every row of a source, in inference mode.

    Returns:
        ``{"loss": ..., "accuracy": ...}``; the loss is the one that training minimises, with the L2 term.
    """
    arena = Arena()
    ctx = model.context(arena=arena)
    scores_seen: list[Array] = []
    targets_seen: list[Array] = []
    total = weight_total = 0.0
    for x, y, weight in source.batches(BATCH, None):
        arena.start(len(x))
        scores, _ = model.layer.forward(model.buffers.params, x, ctx)
        losses, _ = model.loss_function.value_and_grad(scores, y, ctx)
        per_row = losses.reshape(len(losses), -1).mean(axis=1)
        total += float(per_row.sum(dtype=np.float64) if weight is None else per_row @ weight)
        weight_total += len(x) if weight is None else float(weight.sum(dtype=np.float64))
        scores_seen.append(scores.copy())
        targets_seen.append(np.array(y))
    all_scores, all_targets = np.concatenate(scores_seen), np.concatenate(targets_seen)
    values: dict[str, Any] = {"loss": total / weight_total + model.penalty()}
    for name, metric in metrics.items():
        values[name] = float(metric(all_scores, all_targets))
    return values
