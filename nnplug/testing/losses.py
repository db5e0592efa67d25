"""What is checked of a loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import evolve

from nnplug.errors import NnplugError
from nnplug.specs import Array
from nnplug.testing.arrays import PoisonedArena, Watch, close, no_global_random
from nnplug.testing.diagnosis import Wrong, diagnose
from nnplug.testing.differences import ABSOLUTE, RELATIVE, agree, at_kinks, differences, disagreement, share
from nnplug.testing.loss_cases import ROWS, LossCase, loss_cases, refusal
from nnplug.testing.loss_notes import handed_out, notes_growth
from nnplug.testing.outcome import Failure, Skipped, sentence
from nnplug.testing.precision import COARSE, FINE, is_single, nudged
from nnplug.testing.targets import Batch

HUGE = 1e4
ATTEMPTS = 3


def value_and_grad(case: LossCase) -> None:
    """It takes what check accepts, and gives one loss a row and a gradient in the shape of the scores."""
    scores = case.batch.scores
    try:
        losses, dscores = case.value_and_grad()
    except Failure:
        raise
    except Exception as error:
        raise Failure(
            f"check accepts this, but {sentence(error)}; let check refuse with nnplug.DataError what cannot be used, "
            "or give inputs=[(scores, targets)]"
        ) from error
    allowed = {scores.shape[:1], scores.shape[:2]}
    if losses.shape not in allowed:
        told = " or ".join(map(str, sorted(allowed, key=len)))
        raise Failure(
            f"losses have shape {losses.shape} for scores {scores.shape}, expected {told}: "
            "one loss for each row, no sum or mean over the batch, for the model takes the weighted mean"
        )
    if dscores.shape != scores.shape:
        raise Failure(f"dscores have shape {dscores.shape}, expected that of the scores, {scores.shape}")
    if not (np.isfinite(losses).all() and np.isfinite(dscores).all()):
        raise Failure("losses or dscores hold NaN or infinity for scores around 2")


def gradient(case: LossCase) -> None:
    """The gradient is that of each row's own loss, not divided by the number of rows."""
    for seed in range(2):
        _hold(case.on(_moved(case.batch, seed)))
    _hold(case.on(_moved(case.batch, 2).take(slice(0, 1))))


def _moved(batch: Batch, seed: int) -> Batch:
    """The same targets with the scores moved a little, so that every seed looks at another point."""
    far = 0.1 if not batch.given else 1e-3
    moved = batch.scores + far * np.random.default_rng(seed).standard_normal(batch.scores.shape)
    return evolve(batch, scores=moved)


def _hold(case: LossCase) -> None:
    for attempt in range(ATTEMPTS):
        at = case.on(_moved(case.batch, 100 + attempt))
        scores = at.batch.scores
        given = np.array(at.value_and_grad()[1])
        everything = np.arange(scores.size)

        def total(at: LossCase = at) -> float:
            return float(np.sum(at.value_and_grad()[0]))

        right = differences(total, scores, everything).reshape(scores.shape)
        if agree(given, right):
            return
        apart, scale = np.abs(given - right), max(np.abs(right).max(), np.abs(given).max())
        wrong = np.flatnonzero(~(apart <= RELATIVE * scale + ABSOLUTE))
        if not at_kinks(total, scores, wrong).all():
            off = share(disagreement(given, right))
            raise Failure(
                f"dscores are wrong, off by {off} of their length: "
                + diagnose(Wrong("scores", given, right, len(scores)))
            )
    raise Failure(f"dscores differ from central differences at {ATTEMPTS} points, each time where the loss has a kink")


def rows(case: LossCase) -> None:
    """A row's loss and gradient are its own, whatever the other rows are."""
    losses, dscores = (array.copy() for array in case.value_and_grad())
    for i in (0, len(case.batch.scores) - 1):
        alone, dalone = case.on(case.batch.take(slice(i, i + 1))).value_and_grad()
        for name, one, both in (("loss", alone[0], losses[i]), ("gradient", dalone[0], dscores[i])):
            if not close(one, both):
                raise Failure(
                    f"the {name} of row {i} is another one alone than in a batch of {len(losses)}; "
                    "let each row count by itself, without mean, sum or maximum over the batch"
                )


def writes(case: LossCase) -> None:
    """Scores and targets are not written to, and what is returned shares no memory with them or with one another."""
    batch = case.batch
    watch = Watch(scores=batch.scores, targets=batch.targets)
    losses, dscores = case.call(batch.scores, batch.targets)
    if changed := watch.changed():
        raise Failure(f"value_and_grad writes to {changed}; compute into a new array or ctx.empty")
    shared = {"scores": batch.scores, "targets": batch.targets, "losses": losses}
    for name, array in shared.items():
        if np.may_share_memory(dscores, array):
            raise Failure(f"dscores share memory with {name}; the model scales dscores in place, so return a copy")
    case.loss.predict(batch.scores)
    if changed := watch.changed():
        raise Failure(f"predict writes to {changed}; compute into a new array")


def float64(case: LossCase) -> None:
    """Scores in float64 are computed with in float64: results follow scores that differ by one part in a billion."""
    found = []
    for by in (0.0, FINE, COARSE):
        scores = nudged(case.batch.scores, by, np.random.default_rng(7))
        found.append([array.copy() for array in case.on(evolve(case.batch, scores=scores)).value_and_grad()])
    for name, arrays in zip(("losses", "dscores"), zip(*found, strict=True), strict=True):
        if is_single(*arrays):
            raise Failure(
                f"{name} are computed in float32 for float64 scores, with 7 digits instead of 16; compute in the dtype "
                "of the scores: no astype('float32'), and new arrays in ctx.dtype"
            )


def float32(case: LossCase) -> None:
    """Scores in float32 give losses and gradient in float32."""
    single = case.on(evolve(case.batch, scores=case.batch.scores.astype(np.float32)))
    for name, array in zip(("losses", "dscores"), single.value_and_grad(), strict=True):
        if array.dtype != np.float32:
            raise Failure(
                f"{name} are {array.dtype} for float32 scores; float32 becomes float64 beside integer or float64 "
                "targets, so give results the dtype of the scores, for instance with out=ctx.empty(...)"
            )


def large_scores(case: LossCase) -> None:
    """Scores of 10,000 and -10,000 give finite losses and gradients, and no warning."""
    if case.batch.given:
        raise Skipped("scores were given, and how far others may go nobody knows")
    signs = np.where(np.random.default_rng(0).random(case.batch.scores.shape) < 0.5, -1, 1)
    for dtype in (np.float64, np.float32):
        far = case.on(evolve(case.batch, scores=(signs * HUGE).astype(dtype)))
        cure = "take exponentials of negative numbers alone: shift scores by their maximum, or use log1p(exp(-abs(s)))"
        try:
            found = far.value_and_grad()
        except (RuntimeWarning, FloatingPointError) as warning:
            raise Failure(f"with {np.dtype(dtype)} scores of +-1e4, {sentence(warning)}; {cure}") from warning
        for name, array in zip(("losses", "dscores"), found, strict=True):
            if not np.isfinite(array).all():
                raise Failure(f"with {np.dtype(dtype)} scores of +-1e4, {name} hold NaN or infinity; {cure}")


def refusals(case: LossCase) -> str:
    """What cannot be learned from is refused by check, with an error of nnplug: wrong shapes, NaN, no class."""
    tried = 0
    for what, targets in _wrong_targets(case.batch):
        tried += 1
        if not refusal(case.on(evolve(case.batch, targets=targets))):
            raise Failure(f"check accepts {what}; raise nnplug.DataError with what was given and what was expected")
    return f"{tried} sorts of wrong targets each"


def _wrong_targets(batch: Batch) -> Iterator[tuple[str, Array]]:
    targets = batch.targets
    yield f"targets with two axes too many, {targets[..., None, None].shape}", targets[..., None, None]
    if targets.ndim > 1 and targets.shape[-1] > 1:
        wider = np.concatenate([targets, np.zeros_like(targets[..., :1])], axis=-1)
        yield f"{wider.shape[-1]} columns of targets for scores {batch.spec.shape}", wider
    if targets.dtype.kind == "f":
        bad = targets.copy()
        bad.reshape(-1)[0] = np.nan
        yield "targets with NaN", bad
    if batch.are_classes:
        classes = batch.spec.shape[-1]
        for index in (classes, -1):
            bad = targets.copy()
            bad.reshape(-1)[0] = index
            yield f"the class index {index} for {classes} scores", bad
        yield "class indices that are no integers, such as 0.5", targets + 0.5


def target_dtypes(case: LossCase) -> str:
    """Targets of another width or kind of number give the same result."""
    targets = case.batch.targets
    right = [array.copy() for array in case.value_and_grad()]
    tried = []
    for dtype in ("uint8", "int32", "int64", "float32", "float64", "bool"):
        if not np.array_equal(targets.astype(dtype), targets) or targets.dtype == dtype:
            continue
        other = case.on(evolve(case.batch, targets=targets.astype(dtype)))
        if refusal(other):
            continue
        tried.append(dtype)
        if not all(close(a, b) for a, b in zip(right, other.value_and_grad(), strict=True)):
            raise Failure(f"targets {dtype} give another result than {targets.dtype}; do not compute in their dtype")
    if not tried:
        raise Skipped("no other dtype holds the same targets and is accepted")
    return f"as {', '.join(tried)}"


def predict(case: LossCase) -> None:
    """There is one prediction a row, of the shape of the targets where these are classes; probabilities from 0 to 1."""
    batch = case.batch
    predicted = np.asarray(case.loss.predict(batch.scores))
    expected = {batch.targets.shape} if batch.are_classes else {batch.targets.shape, batch.scores.shape}
    if batch.sort in ("one-hot rows", "targets"):
        expected.add(batch.scores.shape[:-1])
    if batch.scores.shape[1:] == (1,):
        expected |= {batch.scores.shape, batch.scores.shape[:1]}
    if predicted.shape not in expected:
        told = " or ".join(map(str, sorted(expected, key=len)))
        raise Failure(f"predict returned shape {predicted.shape} for scores {batch.scores.shape}, expected {told}")
    if batch.are_classes and (predicted.dtype.kind not in "iu" or predicted.max() >= batch.spec.shape[-1]):
        raise Failure("predict must return class indices where targets are class indices, scores.argmax(axis=-1)")
    try:
        p = np.asarray(case.loss.probabilities(batch.scores))
    except NnplugError:
        return
    if len(p) != len(batch.scores) or not ((p >= 0) & (p <= 1 + 1e-12)).all():
        raise Failure("probabilities must be from 0 to 1, the first axis rows")


def metrics(case: LossCase) -> str:
    """The metrics that the loss names exist, and take the same scores and targets."""
    names: Any = case.loss.metrics
    if isinstance(names, str):
        raise Failure(f"metrics must be a tuple of names, it is the text {names!r}; write ({names!r},)")
    if not names:
        raise Skipped("the loss names no metrics")
    for name in names:
        try:
            metric = case.registry.create("metric", name)
            metric.check(case.batch.spec, case.batch.targets)
            metric(case.batch.scores, case.batch.targets)
        except Exception as error:
            raise Failure(f"the metric {name!r} does not fit what the loss takes: {sentence(error)}") from error
    return ", ".join(names)


def scratch_memory(case: LossCase) -> None:
    """Scratch memory is written before it is read, nothing is kept between calls, and chance plays no part."""
    right = [array.copy() for array in case.value_and_grad()]
    arena = PoisonedArena()
    with no_global_random():
        for batch in (case.batch, case.batch.take(slice(0, ROWS - 2)), case.batch):
            arena.start(len(batch.scores))
            found = case.on(batch).value_and_grad(arena)
    if not all(close(a, b) for a, b in zip(right, found, strict=True)):
        raise Failure(
            "the result is another one when ctx.empty gives memory full of NaN, or after another batch; "
            "write scratch memory before reading it, and keep nothing"
        )


CHECKS = (
    value_and_grad,
    float64,
    gradient,
    rows,
    writes,
    float32,
    large_scores,
    refusals,
    target_dtypes,
    predict,
    metrics,
    scratch_memory,
    notes_growth,
    handed_out,
)
NEEDS = {"gradient": ("float64",)}  # differences of what is rounded say little
ONE_OF = ("gradient",)

cases = loss_cases
