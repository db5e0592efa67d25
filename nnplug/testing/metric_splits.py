"""The checks of a metric on splits that are ordinary, and that formulas are not written for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import isnan

import numpy as np
from attrs import evolve

from nnplug.errors import NnplugError
from nnplug.testing.arrays import close
from nnplug.testing.metric_cases import MetricCase
from nnplug.testing.outcome import Failure, Skipped, count, sentence
from nnplug.testing.targets import Batch


def one_score(case: MetricCase) -> None:
    """For one score a row, targets (N,) and (N, 1) of the same numbers give the same."""
    batch, rows = case.batch, len(case.batch.scores)
    if batch.are_classes:
        raise Skipped("classes have a score each")
    scores, targets = (array.reshape(rows, -1)[:, :1] for array in (batch.scores, batch.targets))
    column = evolve(batch, scores=scores, targets=targets)
    flat = evolve(column, targets=targets[:, 0])
    if not (_takes(case, column) and _takes(case, flat)):
        raise Skipped("it does not take both (N,) and (N, 1)")
    if not close(case.value(flat), case.value(column)):
        raise Failure(
            f"scores (N, 1) and targets (N,) give {case.value(flat):.6g}, targets (N, 1) with the same numbers "
            f"{case.value(column):.6g}: (N, 1) - (N,) is (N, N) in NumPy; write targets.reshape(scores.shape), or let "
            "check refuse targets (N,)"
        )


def _takes(case: MetricCase, batch: Batch) -> bool:
    """Whether the check accepts a batch, and the metric can be computed."""
    try:
        case.metric.check(batch.spec, batch.targets)
        return not isnan(case.value(batch))
    except Exception:  # which would be another check's concern
        return False


def ordinary_splits(case: MetricCase) -> str:
    """It is a number for every split that check accepts: of one row, of one class, of equal targets or predictions."""
    tried = 0
    for what, batch in _splits(case.batch):
        try:
            case.metric.check(batch.spec, batch.targets)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = case.value(batch)
        except NnplugError:
            continue
        except Exception as error:
            raise Failure(f"for {what}, {sentence(error)}; {DEFINE}") from error
        if isnan(found):
            raise Failure(f"for {what} it is NaN; {DEFINE}")
        tried += 1
    return count(tried, "split") + " each"


DEFINE = "say what it is then, such as 0, or let check refuse such targets with nnplug.DataError"


def _splits(batch: Batch) -> Iterator[tuple[str, Batch]]:
    scores, targets = batch.scores, batch.targets
    yield "a split of one row", batch.take(slice(0, 1))
    yield "a split whose targets are all the same", evolve(batch, targets=_repeated(targets))
    yield "a split whose predictions are all the same", evolve(batch, scores=_repeated(scores))
    if batch.are_classes:
        last = scores.shape[-1] - 1
        yield "a split without rows of the last class", evolve(batch, targets=np.where(targets == last, 0, targets))


def _repeated(array: np.ndarray) -> np.ndarray:
    """The first row, as many times as there are rows."""
    return np.repeat(array[:1], len(array), axis=0)
