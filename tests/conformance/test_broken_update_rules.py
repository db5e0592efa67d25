"""Update rules with one mistake each: the kit finds it and says what to write instead."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from attrs import frozen

from nnplug import UpdateRule
from nnplug.testing import check, examine


@frozen
class Momentum(UpdateRule):
    """A good rule; those below change one thing."""

    slots = ("v",)

    def apply(self, w, dw, slots, step):
        v = slots["v"]
        v *= 0.9
        v -= step.learning_rate * dw
        w += v


@frozen
class ByNorm(UpdateRule):
    """A good rule that looks at a whole parameter at once: steps of a length that its norm decides."""

    elementwise = False

    def apply(self, w, dw, slots, step):
        assert w.shape == dw.shape
        length = np.linalg.norm(dw)
        if length > 0:
            w -= step.learning_rate * max(np.linalg.norm(w), 0.1) / length * dw


def test_the_rules_that_are_changed_below_are_good():
    """So whatever fails below fails because of its one mistake."""
    check(Momentum)


def test_a_rule_that_is_not_elementwise():
    """It is given parameters in their own shapes, and blocks are no matter."""
    report = check(ByNorm)
    (skipped,) = [r for r in report.components[0].having("skipped") if r.check == "blocks"]
    assert "one parameter at a time" in skipped.detail


@frozen
class NewArray(UpdateRule):
    def apply(self, w, dw, slots, step):
        w = w - step.learning_rate * dw


@frozen
class Uphill(UpdateRule):
    def apply(self, w, dw, slots, step):
        w += step.learning_rate * dw


@frozen
class Crawling(UpdateRule):
    def apply(self, w, dw, slots, step):
        w -= 1e-4 * step.learning_rate * dw


@frozen
class BlockNorm(UpdateRule):
    def apply(self, w, dw, slots, step):
        w -= step.learning_rate * dw / (np.linalg.norm(dw) + 1e-8)


@frozen
class CountsItself(Momentum):
    steps: ClassVar[list[int]] = []

    def apply(self, w, dw, slots, step):
        self.steps.append(1)
        super().apply(w, dw / len(self.steps), slots, step)


@frozen
class KeepsSpeed(UpdateRule):
    """Keeps what belongs in a slot in a dict, one for each size."""

    speed: ClassVar[dict[int, np.ndarray]] = {}

    def apply(self, w, dw, slots, step):
        v = self.speed.setdefault(w.size, np.zeros_like(w))
        v *= 0.9
        v -= step.learning_rate * dw
        w += v


@frozen
class ReplacesSlot(UpdateRule):
    """Puts a new array into the mapping: the slot that a checkpoint keeps stays zero."""

    slots = ("v",)

    def apply(self, w, dw, slots, step):
        slots["v"] = 0.9 * slots["v"] + dw
        w -= step.learning_rate * slots["v"]


@frozen
class MatrixAlone(UpdateRule):
    elementwise = False

    def apply(self, w, dw, slots, step):
        u, _, v = np.linalg.svd(dw, full_matrices=False)
        w -= step.learning_rate * (u @ v)


@frozen
class RowsAndColumns(UpdateRule):
    elementwise = False

    def apply(self, w, dw, slots, step):
        _rows, columns = w.shape
        w -= step.learning_rate * dw / columns


@frozen
class LeavesBiases(UpdateRule):
    elementwise = False

    def apply(self, w, dw, slots, step):
        if w.ndim > 1:
            w -= step.learning_rate * dw


@frozen
class LeavesFilters(UpdateRule):
    elementwise = False

    def apply(self, w, dw, slots, step):
        if w.ndim < 3:
            w -= step.learning_rate * dw


@frozen
class GlobalNoise(UpdateRule):
    def apply(self, w, dw, slots, step):
        w -= step.learning_rate * (dw + 1e-3 * np.random.normal(size=w.shape))  # noqa: NPY002


@frozen
class OwnRate(UpdateRule):
    def apply(self, w, dw, slots, step):
        w -= self.learning_rate * dw


@frozen
class DecaysAll(UpdateRule):
    def apply(self, w, dw, slots, step):
        w *= 1 - step.learning_rate * 0.1
        w -= step.learning_rate * dw


@frozen
class Unannounced(UpdateRule):
    def apply(self, w, dw, slots, step):
        if step.decay:
            w *= 1 - step.learning_rate * 0.1
        w -= step.learning_rate * dw


@frozen
class NoEpsilon(UpdateRule):
    slots = ("cache",)

    def apply(self, w, dw, slots, step):
        slots["cache"] += dw * dw
        w -= step.learning_rate * dw / np.sqrt(slots["cache"])


@frozen
class Undeclared(UpdateRule):
    def apply(self, w, dw, slots, step):
        slots["v"] += dw


@frozen
class SlotsAsText(Momentum):
    slots = "v"


@frozen
class RubbishScratch(UpdateRule):
    def apply(self, w, dw, slots, step):
        change = step.empty(w.shape, w.dtype)
        change += step.learning_rate * dw
        w -= change


@frozen
class Hoarder(UpdateRule):
    past: ClassVar[list[np.ndarray]] = []

    def apply(self, w, dw, slots, step):
        self.past.append(dw.copy())
        w -= step.learning_rate * dw


@frozen
class Restless(UpdateRule):
    """Asks for another array in every step."""

    def apply(self, w, dw, slots, step):
        change = step.empty((w.size + step.t,), w.dtype)[: w.size].reshape(w.shape)
        np.multiply(dw, step.learning_rate, out=change)
        w -= change


@frozen
class TinyEpsilon(UpdateRule):
    """Its eps is nothing in float32."""

    def apply(self, w, dw, slots, step):
        w -= step.learning_rate * dw * (w.dtype.type(1e-50) / w.dtype.type(1e-50) if w.dtype == np.float64 else 0)


BROKEN = [
    (NewArray, "in_place", "w is as it was after several updates", "w -= ..."),
    (Uphill, "minimises_parabola", "uphill at every learning rate, so the sign is wrong"),
    (Crawling, "minimises_parabola", "comes down to", "at best"),
    (Crawling, "minimises_rosenbrock", "from 1 it comes down to"),
    (BlockNorm, "blocks", "a norm, mean or maximum over the block enters; write elementwise = False"),
    (CountsItself, "slots_survive", "step.t counts the steps"),
    (KeepsSpeed, "slots_survive", "what lasts from step to step belongs in a slot"),
    (ReplacesSlot, "in_place", "puts another array in the place of slots['v']; write into the one there"),
    (MatrixAlone, "in_place", "on a parameter (5,)", "LinAlgError", "moves each parameter in its own shape"),
    (RowsAndColumns, "in_place", "on a parameter (5,)", "not enough values to unpack", "biases (M,) and filters"),
    (LeavesBiases, "in_place", "on a parameter (5,): w is as it was", "moves each parameter in its own shape"),
    (LeavesFilters, "in_place", "on a parameter (4, 3, 2, 2): w is as it was", "biases (M,) and filters"),
    (GlobalNoise, "in_place", "NumPy's global generator (np.random.normal and the like); leave nothing to chance"),
    (OwnRate, "learning_rate", "use step.learning_rate"),
    (DecaysAll, "decay", "let weight decay act only `if step.decay`"),
    (Unannounced, "decay", "always false for a rule that does not announce it; write decays = True"),
    (NoEpsilon, "zero_gradient", "RuntimeWarning: invalid value encountered in divide"),
    (Undeclared, "in_place", "asks for the slot 'v', but slots = (); declare it there"),
    (SlotsAsText, "examples", "slots must be a tuple of names, it is 'v'"),
    (RubbishScratch, "in_place", "step.empty gives memory full of rubbish"),
    (Hoarder, "memory", "every step keeps memory", "keep nothing but what is in slots"),
    (Restless, "memory", "ask for the same ones in the same order"),
    (TinyEpsilon, "float32", "in float32 the parameters end elsewhere"),
]


@pytest.mark.parametrize(
    ("cls", "failed", "words"),
    [(cls, failed, words) for cls, failed, *words in BROKEN],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_rule_is_caught_with_the_right_words(cls, failed, words):
    """The check that is made for the mistake fails, and its message names the mistake."""
    report = examine(cls)
    details = {result.check: result.detail for result in report.components[0].having("failed")}
    assert failed in details, str(report)
    for word in words:
        assert word in details[failed]
