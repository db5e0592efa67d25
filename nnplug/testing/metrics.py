"""What is checked of a metric."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import numpy as np
from attrs import evolve

from nnplug.specs import Array
from nnplug.testing.arrays import Watch, close, no_global_random
from nnplug.testing.metric_cases import MetricCase, metric_cases
from nnplug.testing.metric_splits import one_score, ordinary_splits
from nnplug.testing.outcome import Failure, Skipped
from nnplug.testing.targets import Batch

SURE = 20.0  # a score that leaves no doubt


def value(case: MetricCase) -> str:
    """It returns one finite float."""
    found = case.value()
    if not isinstance(found, float):
        raise Failure(f"it returned {type(found).__name__} {np.shape(found)}, expected a float; write float(...)")
    if not isfinite(found):
        raise Failure(f"it returned {found} for scores around 2")
    return f"{found:.3g}"


def row_order(case: MetricCase) -> None:
    """The order of the rows does not matter, nor the dtype of the scores."""
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(case.batch.scores))
        if not close(case.value(case.batch.take(order)), case.value()):
            raise Failure("with the rows in another order it is another number")
    single = evolve(case.batch, scores=case.batch.scores.astype(np.float32))
    if not close(case.value(single), case.value(), 1e-4):
        raise Failure("with float32 scores it is another number")


def parts(case: MetricCase) -> None:
    """If it says mean_of_rows, the parts of a split, weighed by their rows, give the metric of the whole."""
    if not case.metric.mean_of_rows:
        raise Skipped("it does not say that it is a mean of rows")
    rows = len(case.batch.scores)
    lengths = (1, rows // 2 - 1, rows - rows // 2)
    ends = np.cumsum(lengths)
    values = [case.value(case.batch.take(slice(end - n, end))) for end, n in zip(ends, lengths, strict=True)]
    mean, whole = float(np.average(values, weights=lengths)), case.value()
    if not close(mean, whole):
        raise Failure(f"all rows give {whole:.6g}, their parts on average {mean:.6g}: leave mean_of_rows at False")


def writes(case: MetricCase) -> None:
    """Scores and targets are not written to, and chance plays no part."""
    watch = Watch(scores=case.batch.scores, targets=case.batch.targets)
    with no_global_random():
        case.metric(case.batch.scores, case.batch.targets)
    if changed := watch.changed():
        raise Failure(f"it writes to {changed}; compute into a new array")


def direction(case: MetricCase) -> str:
    """Perfect predictions are better than random ones and than their opposite, as higher_is_better says."""
    batch = case.batch
    if batch.given:
        raise Skipped("which scores would be perfect for targets that were given, nobody can guess")
    higher = case.metric.higher_is_better
    rng = np.random.default_rng(1)
    others = [case.value(evolve(batch, scores=rng.permutation(batch.scores))) for _ in range(5)]
    found = [tuple(case.value(evolve(batch, scores=s)) for s in (best, _opposite(best))) for best in _perfect(batch)]
    told = f"perfect predictions give {found[0][0]:.3g}, random ones {np.mean(others):.3g}"
    if len({*others, *(best for best, _ in found)}) == 1:
        raise Failure(f"{told}: it does not look at the predictions")
    for best, worst in found:  # of several, one suits what the metric takes scores for: values or certainty
        beaten = (*others, worst)
        if best >= max(beaten) if higher else best <= min(beaten):
            return told
    raise Failure(f"{told}, so higher_is_better = {higher} is the wrong way round")


def _opposite(scores: Array) -> Array:
    """The highest scores where the lowest were."""
    mirrored: Array = scores.max() + scores.min() - scores
    return mirrored


def _perfect(batch: Batch) -> Iterator[Array]:
    """Scores that could not be better: sure of the right answer, or the targets themselves where these are values."""
    targets, scores = batch.targets, batch.scores
    if batch.are_classes:
        yield SURE * np.eye(scores.shape[-1])[targets]
        return
    same = targets.reshape(scores.shape).astype(np.float64)
    yield same
    if batch.sort != "values":
        yield SURE * (same if same.min() < 0 else 2 * same - 1)


CHECKS = (value, row_order, one_score, ordinary_splits, parts, writes, direction)
ONE_OF = ("value",)

cases = metric_cases
