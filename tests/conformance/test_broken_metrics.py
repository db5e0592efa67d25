"""Metrics that are right on the splits one thinks of, and wrong on others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from attrs import frozen

from nnplug import DataError, Metric
from nnplug.testing import check, examine


@frozen
class Distance(Metric):
    """A good metric of values: the mean distance."""

    higher_is_better: ClassVar[bool] = False

    def __call__(self, scores, targets):
        return float(np.abs(scores - targets.reshape(scores.shape)).mean())

    def check(self, scores, targets):
        if targets.shape[1:] != scores.shape and (scores.shape != (1,) or targets.ndim != 1):
            raise DataError(f"needs targets as scores {scores.shape}, given {targets.shape[1:]} a row")


@frozen
class AllPairs(Distance):
    """(N, 1) - (N,) is (N, N)."""

    def __call__(self, scores, targets):
        return float(np.mean(np.abs(scores - targets)))


@frozen
class AllPairsUnchecked(Metric):
    """The same, and takes what comes."""

    higher_is_better: ClassVar[bool] = False

    def __call__(self, scores, targets):
        return float(np.mean(np.abs(scores - targets)))


@frozen
class OneHotDistance(Metric):
    """A good metric of one-hot targets."""

    higher_is_better: ClassVar[bool] = False

    def __call__(self, scores, targets):
        return float(np.mean((scores - targets) ** 2))

    def check(self, scores, targets):
        one_hot = targets.ndim == 2 and len(scores.shape) == 1 and scores.shape == targets.shape[1:]
        if not one_hot or scores.shape[0] < 2 or not (np.sort(targets, axis=1) == np.eye(scores.shape[0])[-1]).all():
            raise DataError("needs one-hot targets (N, C)")


@frozen
class HigherDistance(OneHotDistance):
    higher_is_better: ClassVar[bool] = True


@frozen
class OneHotLikelihood(OneHotDistance):
    """Takes scores for log-probabilities: more certain is better, and so are the targets themselves."""

    higher_is_better: ClassVar[bool] = True

    def __call__(self, scores, targets):
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return float(np.log((e / e.sum(axis=1, keepdims=True) * targets).sum(axis=1)).mean())


@frozen
class Bias(Distance):
    """A good one, which predictions that are less than perfect can please as well."""

    def __call__(self, scores, targets):
        return float(abs(scores.mean() - targets.mean()))


@frozen
class Hits(Metric):
    """A good metric of class indices that takes what comes."""

    def __call__(self, scores, targets):
        return float((scores.argmax(axis=1) == targets).sum() / len(targets))


@frozen
class Balanced(Hits):
    """The mean over classes, also over those without rows."""

    def __call__(self, scores, targets):
        right = scores.argmax(axis=1) == targets
        return float(np.mean([right[targets == y].mean() for y in range(scores.shape[1])]))

    def check(self, scores, targets):
        if len(scores.shape) != 1 or scores.shape[0] < 2 or targets.ndim != 1 or targets.dtype.kind not in "iu":
            raise DataError("needs class indices (N,)")


@frozen
class BalancedUnlessOne(Balanced):
    """Thinks of splits of one class alone."""

    def __call__(self, scores, targets):
        return super().__call__(scores, targets) if np.ptp(targets) else 0.0


@frozen
class Explained(Distance):
    """Divides by the variance of the targets."""

    higher_is_better: ClassVar[bool] = True

    def __call__(self, scores, targets):
        if len(targets) < 2:
            return 0.0
        t = targets.reshape(scores.shape)
        return float(1 - np.mean((scores - t) ** 2) / np.var(t) if np.var(t) else np.nan)


@frozen
class Correlation(Explained):
    """Divides by the deviation of the predictions, too."""

    def __call__(self, scores, targets):
        if np.ptp(targets) == 0:
            return 0.0
        return float(np.corrcoef(scores.ravel(), targets.ravel())[0, 1])


@frozen
class Deviation(Distance):
    """Needs two rows."""

    def __call__(self, scores, targets):
        return float(np.std(scores - targets.reshape(scores.shape), ddof=1, axis=0).mean())


@frozen
class SecondRow(Distance):
    def __call__(self, scores, targets):
        assert len(scores) > 1
        return super().__call__(scores, targets)


BROKEN = [
    (AllPairs, "one_score", "scores (N, 1) and targets (N,) give", "write targets.reshape(scores.shape)"),
    (AllPairsUnchecked, "one_score", "(N, 1) - (N,) is (N, N)", "or let check refuse targets (N,)"),
    (HigherDistance, "direction", "perfect predictions give 0,", "higher_is_better = True is the wrong way round"),
    (Balanced, "ordinary_splits", "for a split of one row it is NaN", "say what it is then"),
    (BalancedUnlessOne, "ordinary_splits", "for a split without rows of the last class it is NaN"),
    (Explained, "ordinary_splits", "for a split whose targets are all the same it is NaN"),
    (Correlation, "ordinary_splits", "for a split whose predictions are all the same it is NaN"),
    (Deviation, "ordinary_splits", "for a split of one row it is NaN"),
    (SecondRow, "ordinary_splits", "for a split of one row, __call__", "AssertionError"),
]


@pytest.mark.parametrize(("cls", "failed", "words"), [(cls, failed, words) for cls, failed, *words in BROKEN])
def test_a_broken_metric_is_caught_with_the_right_words(cls, failed, words):
    """The check that is made for the mistake fails, and no other."""
    (found,) = examine(cls).components[0].having("failed")
    assert found.check == failed
    for word in words:
        assert word in found.detail


@pytest.mark.parametrize("cls", [Distance, OneHotDistance, OneHotLikelihood, Bias, Hits])
def test_the_metrics_beside_them_are_good(cls):
    """Whatever their scores are, and with targets (N,) for one score a row."""
    check(cls)
