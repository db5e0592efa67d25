"""Cases for metrics: a metric, scores and the targets that it accepts."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from attrs import frozen

from nnplug.contracts import Metric
from nnplug.errors import NnplugError
from nnplug.registry import Registry
from nnplug.testing.outcome import Failure, Unsuitable, sentence
from nnplug.testing.targets import Batch, given_batch, usual_batches
from nnplug.testing.wording import brief

ROWS = 24
AT_MOST = 5


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


def metric_cases(metric: Metric, inputs: Sequence[Any], registry: Registry) -> list[MetricCase]:
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
