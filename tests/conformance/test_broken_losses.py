"""Losses with one mistake each: the kit finds it and says what to write instead."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from attrs import frozen

from nnplug import DataError, Loss, ShapeError
from nnplug.testing import check, examine


@frozen
class Softmax(Loss):
    """A good loss of class indices; those below change one thing."""

    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)

    def value_and_grad(self, scores, targets, ctx):
        rows = np.arange(len(scores))
        p = self.probabilities(scores)
        losses = -np.log(np.maximum(p[rows, targets], np.finfo(p.dtype).tiny))
        dscores = p.copy()
        dscores[rows, targets] -= 1
        return losses, dscores

    def check(self, scores, targets):
        if len(scores.shape) != 1 or scores.shape[0] < 2:
            raise ShapeError(f"needs scores (C,) of at least two classes, given {scores.shape}")
        if targets.ndim != 1 or targets.dtype.kind not in "iu":
            raise DataError(f"needs class indices (N,), given {targets.shape} {targets.dtype}")
        self.check_range(scores.shape[0], targets)

    def check_range(self, classes, targets):
        if targets.min() < 0 or targets.max() >= classes:
            raise DataError(f"needs class indices from 0 to {classes - 1}")

    def predict(self, scores):
        return scores.argmax(axis=1)

    def probabilities(self, scores):
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


@frozen
class Squares(Loss):
    """A good loss of values."""

    def value_and_grad(self, scores, targets, ctx):
        difference = scores - targets.reshape(scores.shape).astype(scores.dtype)
        return (difference**2).reshape(len(scores), -1).sum(axis=1), 2 * difference

    def check(self, scores, targets):
        if targets.shape[1:] != scores.shape:
            raise DataError(f"needs targets {scores.shape} a row, given {targets.shape[1:]}")
        if targets.dtype.kind not in "biuf" or not np.isfinite(targets).all():
            raise DataError("needs finite targets")


def test_the_losses_that_are_changed_below_are_good():
    """So whatever fails below fails because of its one mistake."""
    check(Softmax)
    check(Squares)


@frozen
class MeanOverBatch(Softmax):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses.mean(), dscores / len(scores)


@frozen
class StrayMean(Softmax):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses, dscores / len(scores)


@frozen
class WrongSign(Softmax):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses, -dscores


@frozen
class LostFactor(Squares):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses, dscores / 2


@frozen
class Coupled(Squares):
    """Divides by the largest difference in the batch."""

    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses / np.abs(targets).max(), dscores / np.abs(targets).max()


@frozen
class Overflowing(Softmax):
    def probabilities(self, scores):
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@frozen
class Infinite(Softmax):
    """Quiet about it, and infinite all the same."""

    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        with np.errstate(all="ignore"):
            return losses + 0 * np.exp(np.abs(scores)).sum(axis=1), dscores


@frozen
class InPlace(Softmax):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores.copy(), targets, ctx)
        scores[...] = dscores
        return losses, scores


@frozen
class Shared(Squares):
    """One output: the losses are a view of what the gradient is made in."""

    def value_and_grad(self, scores, targets, ctx):
        both = np.concatenate([scores.reshape(len(scores), -1)] * 2, axis=1)
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        both[:, 0] = losses
        both[:, 1 : 1 + dscores[0].size] = dscores.reshape(len(scores), -1)
        return both[:, 0], both[:, 1 : 1 + dscores[0].size].reshape(scores.shape) if scores.ndim == 2 else dscores


@frozen
class Float64(Squares):
    def value_and_grad(self, scores, targets, ctx):
        difference = scores - targets.astype("float64")
        return (difference**2).reshape(len(scores), -1).sum(axis=1), 2 * difference


@frozen
class ChecksNothing(Softmax):
    def check(self, scores, targets):
        """Take everything."""


@frozen
class NoRange(Softmax):
    def check_range(self, classes, targets):
        """Forget about it."""


@frozen
class TakesNaN(Squares):
    def check(self, scores, targets):
        if targets.shape[1:] != scores.shape:
            raise DataError(f"needs targets {scores.shape} a row, given {targets.shape[1:]}")


@frozen
class AssertsInstead(Softmax):
    def check(self, scores, targets):
        assert targets.ndim == 1
        super().check(scores, targets)


@frozen
class UnsignedTrouble(Squares):
    """Computes in the dtype of the targets: 0 - 1 is 255 in uint8."""

    def value_and_grad(self, scores, targets, ctx):
        sign = 0 - targets
        difference = scores + sign
        return (difference**2).reshape(len(scores), -1).sum(axis=1).astype(scores.dtype), (2 * difference).astype(
            scores.dtype
        )

    def check(self, scores, targets):
        super().check(scores, targets)
        if targets.dtype.kind not in "iu":
            raise DataError("needs whole numbers")


@frozen
class PredictsScores(Softmax):
    def predict(self, scores):
        return scores


@frozen
class UnknownMetric(Softmax):
    metrics: ClassVar[tuple[str, ...]] = ("acuracy",)


@frozen
class MetricsAsText(Softmax):
    metrics: ClassVar = "accuracy"


@frozen
class ReadsScratch(Squares):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses + ctx.empty(losses.shape, losses.dtype), dscores


@frozen
class KeepsSums(Squares):
    """Weighs rows by how often it was called."""

    calls: ClassVar[list[int]] = []

    def value_and_grad(self, scores, targets, ctx):
        self.calls.append(1)
        losses, dscores = super().value_and_grad(scores, targets, ctx)
        return losses * len(self.calls), dscores * len(self.calls)


BROKEN = [
    (
        MeanOverBatch,
        "value_and_grad",
        "losses have shape () for scores (7, 5)",
        "one loss for each row, no sum or mean",
    ),
    (StrayMean, "gradient", "dscores are wrong", "divided by the number of rows (here 7)", "stray 1/N"),
    (WrongSign, "gradient", "its sign is wrong"),
    (LostFactor, "gradient", "it is 0.5 times the right one: a factor 2 is missing"),
    (Coupled, "rows", "the loss of row 0 is another one alone than in a batch of 7"),
    (Overflowing, "large_scores", "float64 scores of +-1e4", "overflow encountered in exp", "shift scores"),
    (Infinite, "large_scores", "losses hold NaN or infinity", "shift scores by their maximum"),
    (InPlace, "writes", "value_and_grad writes to scores"),
    (Shared, "writes", "dscores share memory with losses"),
    (Float64, "float32", "losses are float64 for float32 scores"),
    (ChecksNothing, "value_and_grad", "one-hot rows (N, 5)", "check accepts this, but", "let check refuse"),
    (NoRange, "refusals", "check accepts the class index 5 for 5 scores; raise nnplug.DataError"),
    (TakesNaN, "refusals", "check accepts targets with NaN"),
    (AssertsInstead, "examples", "AssertionError", "check must raise nnplug.DataError"),
    (UnsignedTrouble, "target_dtypes", "targets uint8 give another result than int64; do not compute in their dtype"),
    (PredictsScores, "predict", "predict returned shape (7, 5) for scores (7, 5), expected (7,)"),
    (UnknownMetric, "metrics", "the metric 'acuracy' does not fit", "did you mean 'accuracy'?"),
    (MetricsAsText, "metrics", "metrics must be a tuple of names", "write ('accuracy',)"),
    (ReadsScratch, "scratch_memory", "when ctx.empty gives memory full of NaN"),
    (KeepsSums, "rows", "another one alone than in a batch"),
]


@pytest.mark.parametrize(
    ("cls", "failed", "words"),
    [(cls, failed, words) for cls, failed, *words in BROKEN],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_loss_is_caught_with_the_right_words(cls, failed, words):
    """The check that is made for the mistake fails, and its message names the mistake."""
    report = examine(cls)
    details = {result.check: result.detail for result in report.components[0].having("failed")}
    assert failed in details, str(report)
    for word in words:
        assert word in details[failed]


def test_inputs_are_pairs_of_scores_and_targets():
    """A loss with targets that nobody would guess is tried on those that its author gives."""
    scores, targets = np.zeros((4, 3)), np.array([0, 2, 1, 1])
    report = check(Softmax, inputs=[(scores, targets)])
    assert "1 component, 1 case" in next(r.detail for r in report.components[0].results if r.check == "examples")


def test_inputs_that_are_refused():
    """Given targets that check refuses, the report says what check said."""
    report = examine(Softmax, inputs=[(np.zeros((4, 3)), np.zeros((4, 3)))])
    (failed,) = report.components[0].having("failed")
    assert failed.check == "examples"
    assert "check refuses the targets given: needs class indices (N,)" in failed.detail


@frozen
class LogLoss(Loss):
    """A good loss of scores that are probabilities already, which nobody could guess."""

    def value_and_grad(self, scores, targets, ctx):
        t = targets.astype(scores.dtype)
        losses = -(t * np.log(scores) + (1 - t) * np.log(1 - scores))
        return losses.sum(axis=1), (scores - t) / (scores * (1 - scores))

    def check(self, scores, targets):
        if targets.shape[1:] != scores.shape or not ((targets >= 0) & (targets <= 1)).all() or len(scores.shape) != 1:
            raise DataError(f"needs labels from 0 to 1, {scores.shape} a row")


def test_scores_that_are_given_stay_near():
    """Where only some scores make sense, those that are given are hardly moved, and never to 10,000."""
    (failed,) = examine(LogLoss).components[0].having("failed")
    assert "give inputs=[(scores, targets)]" in failed.detail
    rng = np.random.default_rng(0)
    report = check(LogLoss, inputs=[(rng.uniform(0.2, 0.8, (6, 3)), rng.integers(0, 2, (6, 3)))])
    skipped = {result.check: result.detail for result in report.components[0].having("skipped")}
    assert skipped["large_scores"] == "scores were given, and how far others may go nobody knows"
