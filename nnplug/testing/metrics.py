"""What is checked of a metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import numpy as np
from attrs import evolve, frozen

from nnplug.contracts import Metric
from nnplug.errors import NnplugError
from nnplug.registry import Registry
from nnplug.specs import Array
from nnplug.testing.arrays import Watch, close, no_global_random
from nnplug.testing.outcome import Failure, Skipped, Unsuitable, sentence
from nnplug.testing.targets import Batch, given_batch, usual_batches
from nnplug.testing.wording import brief

ROWS = 24
AT_MOST = 5
SURE = 20.0  # a score that leaves no doubt


@frozen
class MetricCase:
    """A metric on one sort of targets."""

    metric: Metric
    batch: Batch

    def __str__(self) -> str:
        return f"{brief(self.metric)} on {self.batch}"

    def value(self, batch: Batch | None = None) -> Any:
        """The metric of a batch, of which it is given copies."""
        batch = batch or self.batch
        return self.metric(batch.scores.copy(), batch.targets.copy())


def cases(metric: Metric, inputs: Sequence[Any], registry: Registry) -> list[MetricCase]:
    """The targets that a metric accepts: its check does, and it can be computed.

    Raises:
        Unsuitable: it accepts none of the usual ones.
        Failure: it refuses some that were given, or its check accepts what it cannot compute.
    """
    batches = [given_batch(scores, targets) for scores, targets in inputs] or list(usual_batches(ROWS, 0))
    checks = type(metric).check is not Metric.check  # without one of its own, what it takes is found by trying
    accepted: list[MetricCase] = []
    refusal = ""
    for batch in batches:
        case = MetricCase(metric, batch)
        try:
            metric.check(batch.spec, batch.targets)
        except NnplugError as error:
            refusal = refusal or f"{batch}: {error}"
            continue
        except Exception as error:
            raise Failure(f"{case}: {sentence(error)}; check refuses targets with nnplug.DataError") from error
        try:
            found = case.value()
            fine, told = isfinite(found), f"it is {found}"
        except Exception as error:
            if checks or inputs:
                raise Failure(f"{case}: check accepts it, but {sentence(error)}") from error
            fine, told = False, sentence(error)
        if fine or checks or inputs:
            accepted.append(case)
        else:
            refusal = refusal or f"{batch}: {told}"
    if not accepted or (inputs and refusal):
        raise Unsuitable(
            f"{brief(metric)} takes none of the targets tried, such as {refusal}; give inputs=[(scores, y)]"
        )
    return accepted[:AT_MOST] if checks or inputs else accepted[:1]


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
    """Perfect predictions are better than random ones, in the direction that higher_is_better says."""
    batch = case.batch
    if batch.given:
        raise Skipped("which scores would be perfect for targets that were given, nobody can guess")
    higher = case.metric.higher_is_better
    best = (max if higher else min)(case.value(evolve(batch, scores=scores)) for scores in _perfect(batch))
    rng = np.random.default_rng(1)
    others = [case.value(evolve(batch, scores=rng.permutation(batch.scores))) for _ in range(5)]
    told = f"perfect predictions give {best:.3g}, random ones {np.mean(others):.3g}"
    if all(other == best for other in others):
        raise Failure(f"{told}: it does not look at the predictions")
    if any(other > best if higher else other < best for other in others):
        raise Failure(f"{told}, so higher_is_better = {higher} is the wrong way round")
    return told


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


CHECKS = (value, row_order, parts, writes, direction)
ONE_OF = ("value",)
