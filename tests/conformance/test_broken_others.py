"""Initializers, schedules, metrics and callbacks with one mistake each, and components that are no plain values."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np
import pytest
from attrs import define, field, frozen
from numpy.random import default_rng

from nnplug import Callback, DataError, Initializer, Layer, Metric, NnplugError, Plan, Schedule
from nnplug.testing import check, examine


@frozen
class GlobalNormal(Initializer):
    def __call__(self, rng, spec, dtype):
        return np.random.normal(size=spec.shape).astype(dtype)  # noqa: NPY002


@frozen
class OwnNormal(Initializer):
    def __call__(self, rng, spec, dtype):
        return np.random.default_rng().normal(size=spec.shape).astype(dtype)


@frozen
class Float64Normal(Initializer):
    def __call__(self, rng, spec, dtype):
        return rng.normal(size=spec.shape) * np.ones(())


@frozen
class MatrixOnly(Initializer):
    def __call__(self, rng, spec, dtype):
        rows, columns = spec.shape
        return rng.normal(size=(rows, columns)).astype(dtype)


@frozen
class Flat(Initializer):
    def __call__(self, rng, spec, dtype):
        return rng.normal(size=spec.size).astype(dtype)


@frozen
class SharedArray(Initializer):
    kept: ClassVar[dict[Any, np.ndarray]] = {}

    def __call__(self, rng, spec, dtype):
        return self.kept.setdefault((spec.shape, str(dtype)), np.zeros(spec.shape, dtype))


@frozen
class FixedNormal(Initializer):
    def __call__(self, rng, spec, dtype):
        return np.random.default_rng(0).normal(size=spec.shape).astype(dtype)


@frozen
class FixedByName(Initializer):
    def __call__(self, rng, spec, dtype):
        return default_rng(0).normal(size=spec.shape).astype(dtype)


@frozen
class DrawsInDtype(Initializer):
    def __call__(self, rng, spec, dtype):
        return rng.standard_normal(spec.shape, dtype=dtype)


@frozen
class ReturnsList(Initializer):
    def __call__(self, rng, spec, dtype):
        return rng.normal(size=spec.shape).tolist()


@frozen
class Ramp(Initializer):
    """A good one without chance."""

    def __call__(self, rng, spec, dtype):
        return np.linspace(-1, 1, spec.size).reshape(spec.shape).astype(dtype)


@frozen
class Seeding(Initializer):
    """A good one that makes a generator of its own from the one it is given."""

    def __call__(self, rng, spec, dtype):
        return default_rng(rng.integers(2**32)).normal(size=spec.shape).astype(dtype)


@frozen
class GlobalSchedule(Schedule):
    def factor(self, step, total, history):
        return 1.0 + 0 * np.random.rand()  # noqa: NPY002


@frozen
class DividesByLast(Schedule):
    def factor(self, step, total, history):
        return 1 - step / (total - 1)


@frozen
class Negative(Schedule):
    def factor(self, step, total, history):
        return 0.5 - step / total


@frozen
class CountsCalls(Schedule):
    calls: ClassVar[list[int]] = []

    def factor(self, step, total, history):
        self.calls.append(step)
        return 1 / len(self.calls)


@frozen
class Scribbles(Schedule):
    def factor(self, step, total, history):
        history.epochs.append({"epoch": 0.0})
        return 1.0


@frozen
class Hits(Metric):
    """A good metric of class indices; those below change one thing."""

    def __call__(self, scores, targets):
        return float((scores.argmax(axis=1) == targets).mean())

    def check(self, scores, targets):
        if len(scores.shape) != 1 or targets.ndim != 1 or targets.dtype.kind not in "iu" or scores.shape[0] < 2:
            raise DataError("needs scores (C,) and class indices (N,)")


@frozen
class Error(Hits):
    """The share of wrong answers, with the default direction."""

    def __call__(self, scores, targets):
        return 1 - super().__call__(scores, targets)


@frozen
class PerRow(Hits):
    def __call__(self, scores, targets):
        return scores.argmax(axis=1) == targets


@frozen
class SingleFloat(Hits):
    def __call__(self, scores, targets):
        return np.float32(super().__call__(scores, targets))


@frozen
class SortsTargets(Hits):
    def __call__(self, scores, targets):
        targets.sort()
        return super().__call__(scores, targets)


@frozen
class FirstHalf(Hits):
    def __call__(self, scores, targets):
        return super().__call__(scores[: len(scores) // 2], targets[: len(scores) // 2])


@frozen
class BalancedHits(Hits):
    """The share of right answers, averaged over the classes: no mean of rows."""

    mean_of_rows: ClassVar[bool] = True

    def __call__(self, scores, targets):
        right = scores.argmax(axis=1) == targets
        return float(np.mean([right[targets == y].mean() for y in np.unique(targets)]))


@frozen
class AlwaysOne(Hits):
    def __call__(self, scores, targets):
        return 1.0


@define
class Counter(Callback):
    """A good callback that counts epochs; those below change one thing."""

    _epochs: int = field(init=False, default=0, eq=False)

    def start(self, run):
        self._epochs = 0

    def epoch(self, run):
        self._epochs += 1

    def state(self):
        return {"epochs": self._epochs}

    def restore(self, state):
        self._epochs = state["epochs"]


@define
class NeverFresh(Counter):
    """Stops after the fourth epoch it ever saw."""

    def start(self, run):
        """Forget nothing."""

    def epoch(self, run):
        self._epochs += 1
        if self._epochs == 4:
            run.stop("enough")


@define
class GoesOnCounting(Counter):
    def start(self, run):
        pass


@define
class Patient(Callback):
    """Stops after some steps, which it counts for itself."""

    _left: int = field(init=False, default=6, eq=False)

    def start(self, run):
        self._left = 6

    def step(self, run):
        self._left -= 1
        if self._left == 0:
            run.stop("enough")


@define
class MeanWithoutCount(Callback):
    """A running mean that forgets of how many."""

    _mean: float = field(init=False, default=0.0, eq=False)
    _count: int = field(init=False, default=0, eq=False)

    def start(self, run):
        self._mean, self._count = 0.0, 0

    def step(self, run):
        self._count += 1
        self._mean += (float(run.history.losses[-1]) - self._mean) / self._count

    def state(self):
        return {"mean": self._mean}

    def restore(self, state):
        self._mean = state["mean"]


@define
class LooksBack(Counter):
    def stop(self, run):
        self._epochs = run.history.epochs[-1]["epoch"]


@define
class WantsAllSteps(Counter):
    def stop(self, run):
        self._epochs = int(run.history.losses[2] > 0)


@define
class WritesIntoTheFolder(Counter):
    def stop(self, run):
        (run.folder / "count.txt").write_text(str(self._epochs), encoding="utf-8")


@define
class WantsAMonitor(Counter):
    def epoch(self, run):
        self._epochs = len(run.history.column(run.monitor))


@define
class RefusesToDoWithout(Counter):
    def start(self, run):
        super().start(run)
        if run.monitor is None:
            raise NnplugError("give a validation split")


@define
class KeepsRun(Counter):
    _run: Any = field(init=False, default=None, eq=False)

    def start(self, run):
        super().start(run)
        self._run = None

    def epoch(self, run):
        self._run = run

    def state(self):
        return {"run": self._run}


@define
class ForgetsToRestore(Counter):
    def restore(self, state):
        """Leave it."""


@frozen
class Unpicklable(Initializer):
    lock: Any = field(factory=threading.Lock)

    def __call__(self, rng, spec, dtype):
        return np.zeros(spec.shape, dtype)


@frozen
class Rewriting(Initializer):
    """Converts its option every time it is made."""

    value: float = field(default=1.0, converter=lambda value: 2 * value)

    def __call__(self, rng, spec, dtype):
        return np.full(spec.shape, self.value, dtype)


@define
class NotFrozen(Metric):
    """Whatever attrs says: it assigns past the lock."""

    count: int = 0

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def __call__(self, scores, targets):
        return float((scores.argmax(axis=1) == targets).mean())


@frozen
class NoPlan(Layer):
    def plan(self, x):
        return x

    def forward(self, params, x, ctx):
        return x, None

    def backward(self, params, grads, cache, dout, ctx):
        return dout


class NoAttrs(Layer):
    """Forgot the decorator."""

    def plan(self, x):
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return x, None

    def backward(self, params, grads, cache, dout, ctx):
        return dout


@frozen
class Halfway(Layer):
    """Forgot backward."""

    def plan(self, x):
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return x, None


BROKEN = [
    (GlobalNormal, "same_seed", "NumPy's global generator"),
    (OwnNormal, "same_seed", "the same seed gives other numbers; draw from the rng that is given"),
    (FixedNormal, "same_seed", "it draws from a generator of its own", "draw from the rng that is given"),
    (FixedByName, "same_seed", "it draws from a generator of its own", "all parameters of one shape start alike"),
    (DrawsInDtype, "dtypes", "in float32 it starts from other numbers", "draw in float64, without dtype=, and convert"),
    (ReturnsList, "array", "it returned list, expected an array"),
    (GlobalSchedule, "pure", "NumPy's global generator", "; leave nothing to chance"),
    (Float64Normal, "array", "it returned float64 where float32 was asked for"),
    (MatrixOnly, "examples", "for a parameter (4,)", "ValueError", "refused with nnplug.ShapeError"),
    (Flat, "array", "it returned shape (15,), expected (5, 3)"),
    (SharedArray, "array", "two calls return the same memory"),
    (DividesByLast, "factors", "in a run of 1 steps", "ZeroDivisionError"),
    (Negative, "factors", "it must be finite and not negative"),
    (CountsCalls, "pure", "the same step gives another factor when asked again"),
    (Scribbles, "pure", "it changes the history"),
    (Error, "direction", "perfect predictions give 0, random ones", "higher_is_better = True is the wrong way round"),
    (PerRow, "examples", "check accepts it, but", "TypeError"),
    (SingleFloat, "value", "it returned float32 (), expected a float; write float(...)"),
    (SortsTargets, "writes", "it writes to targets"),
    (FirstHalf, "row_order", "with the rows in another order it is another number"),
    (BalancedHits, "parts", "all rows give 0.", "their parts on average 0.", "leave mean_of_rows at False"),
    (AlwaysOne, "direction", "it does not look at the predictions"),
    (NeverFresh, "runs", "a second run with the same object takes another course", "set it back in start()"),
    (GoesOnCounting, "runs", "after a second run with the same object its state() is another; set it back in start()"),
    (Patient, "resumed", "it ended after 9 steps (finished), without the checkpoint after 6 steps (enough)"),
    (MeanWithoutCount, "resumed", "its state() is another than after one in a piece", "such as a count"),
    (LooksBack, "failed_run", "stop (test_broken_others.py", "IndexError"),
    (WantsAllSteps, "stopped_run", "stop (test_broken_others.py", "IndexError"),
    (WritesIntoTheFolder, "bare_run", "TypeError", "here run.folder and run.monitor are None: do without, or raise"),
    (WantsAMonitor, "bare_run", "the history has no column None", "or raise nnplug.NnplugError in start()"),
    (KeepsRun, "state", "state()/run, Run, cannot be written to a file"),
    (ForgetsToRestore, "state", "its state() is another; restore everything in it"),
    (Unpicklable, "copies", "it cannot be pickled", "let options be plain values"),
    (Rewriting, "config_round_trip", "read again from its config, 'value' is 4.0 and was 2.0"),
    (NotFrozen, "immutable", "'count' can be assigned; write @attrs.frozen above the class"),
    (NoPlan, "examples", "plan must return a nnplug.Plan, it returned ArraySpec"),
    (NoAttrs, "loads", "NoAttrs is no attrs class; write @attrs.frozen above it"),
    (Halfway, "loads", "Halfway lacks what nnplug.Layer asks for: backward"),
]


@pytest.mark.parametrize(
    ("cls", "failed", "words"),
    [(cls, failed, words) for cls, failed, *words in BROKEN],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_component_is_caught_with_the_right_words(cls, failed, words):
    """The check that is made for the mistake fails, and its message names the mistake."""
    report = examine(cls)
    details = {result.check: result.detail for result in report.components[0].having("failed")}
    assert failed in details, str(report)
    for word in words:
        assert word in details[failed]


def test_the_components_that_are_changed_above_are_good():
    """So whatever fails above fails because of its one mistake."""
    check(Ramp)
    check(Seeding)
    check(Hits)
    check(Counter)
    check(RefusesToDoWithout)
