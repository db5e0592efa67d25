"""Cases for losses: a loss, scores and the targets that its check accepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from nnplug.arena import Arena
from nnplug.context import Context
from nnplug.contracts import Loss
from nnplug.errors import NnplugError
from nnplug.registry import Registry
from nnplug.specs import Array
from nnplug.testing.arrays import CleanArena
from nnplug.testing.outcome import Failure, Unsuitable, sentence
from nnplug.testing.targets import Batch, given_batch, usual_batches
from nnplug.testing.wording import brief

ROWS = 7
AT_MOST = 6
SPECIAL = ("labels", "signs")  # a loss that takes any values takes these too, and nothing new is learned from it


@frozen
class LossCase:
    """A loss on one sort of targets."""

    loss: Loss
    batch: Batch
    registry: Registry

    def __str__(self) -> str:
        return f"{brief(self.loss)} on {self.batch}"

    def on(self, batch: Batch) -> LossCase:
        """The same loss on another batch."""
        return evolve(self, batch=batch)

    def value_and_grad(self, arena: Arena | None = None) -> tuple[Array, Array]:
        """What the loss gives for copies of the batch's arrays.

        Raises:
            Failure: not a pair of arrays.
        """
        return self.call(self.batch.scores.copy(), self.batch.targets.copy(), arena)

    def call(self, scores: Array, targets: Array, arena: Arena | None = None) -> tuple[Array, Array]:
        """What the loss gives for these very arrays.

        Raises:
            Failure: not a pair of arrays.
        """
        ctx = Context(training=True, dtype=scores.dtype, arena=arena or CleanArena())
        returned: Any = self.loss.value_and_grad(scores, targets, ctx)
        if not isinstance(returned, tuple) or len(returned) != 2 or not all(hasattr(a, "shape") for a in returned):
            raise Failure("value_and_grad must return (losses, dscores), two arrays")
        losses, dscores = returned
        return losses, dscores


def loss_cases(loss: Loss, inputs: Sequence[Any], registry: Registry) -> list[LossCase]:
    """The targets that a loss is tried on: those given, else the usual ones that its check accepts.

    Raises:
        Unsuitable: it accepts none of the usual ones.
        Failure: it refuses some that were given, or fails in another way than the contract asks for.
    """
    if inputs:
        cases = [LossCase(loss, given_batch(scores, targets), registry) for scores, targets in inputs]
        for case in cases:
            if refused := refusal(case):
                raise Failure(f"{case}: check refuses the targets given: {refused}")
        return cases
    accepted: list[LossCase] = []
    first = ""
    for batch in usual_batches(ROWS, 0):
        case = LossCase(loss, batch, registry)
        if batch.sort in SPECIAL and any(_as_values(other, batch) for other in accepted):
            continue
        if refused := refusal(case):
            first = first or f"{batch}: {refused}"
        else:
            accepted.append(case)
    if not accepted:
        raise Unsuitable(
            f"check of {brief(loss)} accepts none of the usual targets, such as {first}; "
            "give inputs=[(scores, targets)], two arrays"
        )
    return accepted[:AT_MOST]


def _as_values(other: LossCase, batch: Batch) -> bool:
    return (
        other.batch.sort == "values"
        and other.batch.targets.shape == batch.targets.shape
        and other.batch.scores.shape == batch.scores.shape
    )


def refusal(case: LossCase) -> str:
    """Why a loss does not take the targets, or nothing.

    Raises:
        Failure: it fails in another way than the contract asks for.
    """
    try:
        case.loss.check(case.batch.spec, case.batch.targets)
    except NnplugError as error:
        if not str(error).strip():
            raise Failure("check raised an error without a message; say what was given and expected") from None
        return str(error)
    except Exception as error:
        raise Failure(
            f"{case}: {sentence(error)}; where targets do not fit, check must raise nnplug.DataError "
            "(nnplug.ShapeError for the scores) and say what was given and what was expected"
        ) from error
    return ""
