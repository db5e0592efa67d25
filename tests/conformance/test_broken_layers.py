"""Layers with one mistake each: the kit finds it and says what to write instead."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from attrs import field, frozen

from nnplug import Array, ArraySpec, Layer, ParamSpec, Plan, ShapeError, StateSpec
from nnplug.testing import check, examine


@frozen
class Dense(Layer):
    """A good layer, (D,) -> (units,); those below change one thing."""

    units: int = 4

    def plan(self, x):
        if len(x.shape) != 1 or x.dtype.kind != "f":
            raise ShapeError(f"dense needs floating-point samples (D,), given {x}")
        params = {"W": ParamSpec((x.shape[0], self.units), "normal"), "b": ParamSpec((self.units,))}
        return Plan(out=x.with_shape(self.units), params=params)

    def forward(self, params, x, ctx):
        return x @ params["W"] + params["b"], x

    def backward(self, params, grads, cache, dout, ctx):
        grads["W"][...] = self.weights(cache, dout)
        grads["b"][...] = self.biases(dout)
        return dout @ params["W"].T

    def weights(self, x, dout):
        return x.T @ dout

    def biases(self, dout):
        return dout.sum(axis=0)


@frozen
class Twice(Layer):
    """Another good one, elementwise ``x**2``."""

    def plan(self, x):
        if x.dtype.kind != "f":
            raise ShapeError(f"squares are of floating-point samples, given {x}")
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return x * x, x

    def backward(self, params, grads, cache, dout, ctx):
        return 2 * cache * dout


def test_the_layers_that_are_changed_below_are_good():
    """So whatever fails below fails because of its one mistake."""
    check(Dense)
    check(Twice)


# Wrong gradients


@frozen
class TransposedWeights(Dense):
    def weights(self, x, dout):
        return (dout.T @ x).reshape(x.shape[1], dout.shape[1])


@frozen
class TransposedShape(Dense):
    def weights(self, x, dout):
        return dout.T @ x


@frozen
class UnsummedBias(Dense):
    def biases(self, dout):
        return dout


@frozen
class OneRowBias(Dense):
    def biases(self, dout):
        return dout[0]


@frozen
class StrayMean(Dense):
    def weights(self, x, dout):
        return x.T @ dout / len(x)


@frozen
class TimesRows(Dense):
    def biases(self, dout):
        return dout.sum(axis=0) * len(dout)


@frozen
class WrongSign(Twice):
    def backward(self, params, grads, cache, dout, ctx):
        return -2 * cache * dout


@frozen
class LostFactor(Twice):
    def backward(self, params, grads, cache, dout, ctx):
        return cache * dout


@frozen
class Infinite(Twice):
    def backward(self, params, grads, cache, dout, ctx):
        return np.full(dout.shape, np.inf)


@frozen
class ZeroBias(Dense):
    def biases(self, dout):
        return np.zeros(self.units)


@frozen
class Accumulated(Dense):
    def backward(self, params, grads, cache, dout, ctx):
        grads["W"][...] += cache.T @ dout
        grads["b"][...] = dout.sum(axis=0)
        return dout @ params["W"].T


@frozen
class NeverAssigned(Dense):
    def backward(self, params, grads, cache, dout, ctx):
        grads["W"][...] = cache.T @ dout
        return dout @ params["W"].T


@frozen
class ScaleAndShift(Layer):
    """Two parameters of one shape, with their gradients exchanged."""

    def plan(self, x):
        if x.dtype.kind != "f":
            raise ShapeError(f"needs floating-point samples, given {x}")
        return Plan(out=x, params={"gamma": ParamSpec(x.shape, 1.0), "beta": ParamSpec(x.shape)})

    def forward(self, params, x, ctx):
        return x * params["gamma"] + params["beta"], x

    def backward(self, params, grads, cache, dout, ctx):
        grads["beta"][...] = (dout * cache).sum(axis=0)
        grads["gamma"][...] = dout.sum(axis=0)
        return dout * params["gamma"]


@frozen
class NoShortcut(Twice):
    """``x + x**2`` whose backward forgets x."""

    def forward(self, params, x, ctx):
        return x + x * x, x


@frozen
class PassedOn(Twice):
    def backward(self, params, grads, cache, dout, ctx):
        return dout


@frozen
class Rounded(Twice):
    """Rounds, and passes dout on as if it did not."""

    def forward(self, params, x, ctx):
        return np.round(x), x

    def backward(self, params, grads, cache, dout, ctx):
        return dout


@frozen
class KinkEverywhere(Twice):
    """The distance from what it saw first: wherever one looks, there is a kink."""

    first: ClassVar[dict[Any, Array]] = {}

    def forward(self, params, x, ctx):
        first = self.first.get(x.shape)
        if first is None or np.abs(x - first).max() > 1e-3:
            first = self.first[x.shape] = x.copy()
        return np.abs(x - first), x

    def backward(self, params, grads, cache, dout, ctx):
        return dout


@frozen
class Reversed(Twice):
    """Filters x with W from left to right and gives the gradient of W from right to left."""

    def plan(self, x):
        if len(x.shape) != 1 or x.shape[0] < 3 or x.dtype.kind != "f":
            raise ShapeError(f"needs floating-point samples of at least 3, given {x}")
        return Plan(out=x.with_shape(x.shape[0] - 1), params={"W": ParamSpec((2,), "normal")})

    def forward(self, params, x, ctx):
        W = params["W"]
        return x[:, :-1] * W[0] + x[:, 1:] * W[1], x

    def backward(self, params, grads, cache, dout, ctx):
        grads["W"][...] = [np.vdot(cache[:, 1:], dout), np.vdot(cache[:, :-1], dout)]
        dx = np.zeros_like(cache)
        dx[:, :-1] += dout * params["W"][0]
        dx[:, 1:] += dout * params["W"][1]
        return dx


@frozen
class SomethingElse(Twice):
    """Wrong in no usual way."""

    def backward(self, params, grads, cache, dout, ctx):
        return 2 * np.sin(cache) * dout


@frozen
class UnusedParameter(Dense):
    def forward(self, params, x, ctx):
        return x @ params["W"], x

    def biases(self, dout):
        return np.zeros(self.units)


@frozen
class NothingBack(Dense):
    def backward(self, params, grads, cache, dout, ctx):
        super().backward(params, grads, cache, dout, ctx)


@frozen
class LazyBackward(Dense):
    """Skips all of backward where dx is not needed."""

    def backward(self, params, grads, cache, dout, ctx):
        if not ctx.need_dx:
            return None
        return super().backward(params, grads, cache, dout, ctx)


@frozen
class TouchedRows(Layer):
    """An embedding that assigns the gradient of those rows alone that occur in the batch."""

    words: int = 9

    def plan(self, x):
        if x.dtype.kind not in "iu":
            raise ShapeError(f"needs integer samples, given {x}")
        return Plan(out=ArraySpec((*x.shape, 2)), params={"W": ParamSpec((self.words, 2), "normal")})

    def forward(self, params, x, ctx):
        return params["W"][x], x

    def backward(self, params, grads, cache, dout, ctx):
        for row in np.unique(cache):
            grads["W"][row] = dout[cache == row].sum(axis=0)


# Memory


@frozen
class ReboundGradient(Dense):
    def backward(self, params, grads, cache, dout, ctx):
        grads["W"] = cache.T @ dout


@frozen
class WritesDout(Twice):
    def backward(self, params, grads, cache, dout, ctx):
        dout *= 2 * cache
        return dout


@frozen
class WritesX(Twice):
    def forward(self, params, x, ctx):
        kept = x.copy()
        x *= x
        return x, kept


@frozen
class WritesCache(Twice):
    def forward(self, params, x, ctx):
        return x * x, (1, {"x": x.copy()})

    def backward(self, params, grads, cache, dout, ctx):
        dx = cache[1]["x"]
        dx *= 2
        return dx * dout


@frozen
class WritesTheSame(Twice):
    """Writes what is there already: no byte changes, and a read-only array still cannot take it."""

    def forward(self, params, x, ctx):
        x[...] = x
        return x * x, x


@frozen
class ClipsWeights(Dense):
    """Keeps W small, which changes nothing where it is."""

    def forward(self, params, x, ctx):
        np.clip(params["W"], -99, 99, out=params["W"])
        return super().forward(params, x, ctx)


@frozen
class ClipsInTraining(Dense):
    """Does so in backward, and in training alone."""

    def backward(self, params, grads, cache, dout, ctx):
        if ctx.training:
            np.clip(params["W"], -99, 99, out=params["W"])
        return super().backward(params, grads, cache, dout, ctx)


@frozen
class KeepsX(Twice):
    kept: ClassVar[dict[str, Array]] = {}

    def forward(self, params, x, ctx):
        self.kept["x"] = x
        return x * x, None

    def backward(self, params, grads, cache, dout, ctx):
        return 2 * self.kept["x"] * dout


@frozen
class KeepsOnItself(Twice):
    def forward(self, params, x, ctx):
        self.x = x
        return x * x, None


@frozen
class OneOutput(Twice):
    """Writes its output into an array that it keeps for the next call."""

    kept: ClassVar[dict[Any, Array]] = {}

    def forward(self, params, x, ctx):
        out = self.kept.setdefault(x.shape[1:], np.empty((9, *x.shape[1:])))[: len(x)]
        np.multiply(x, x, out=out, casting="same_kind")
        return out.astype(x.dtype, copy=False), x


@frozen
class ReadsScratch(Twice):
    """Takes ctx.empty for ctx.zeros."""

    def forward(self, params, x, ctx):
        return x * x + ctx.empty(x.shape, x.dtype), x


@frozen
class KeepsScratch(Twice):
    """Fills an array with ones for later steps, too."""

    kept: ClassVar[dict[Any, Array]] = {}

    def forward(self, params, x, ctx):
        if x.shape not in self.kept:
            self.kept[x.shape] = ctx.empty(x.shape, "float64")
            self.kept[x.shape].fill(1)
        return (x * x * self.kept[x.shape]).astype(x.dtype), x


@frozen
class MemoryOrder(Twice):
    """Flattens in the order in which numbers lie in memory."""

    def backward(self, params, grads, cache, dout, ctx):
        flat = 2 * cache.ravel(order="K") * dout.ravel(order="C")
        return flat.reshape(dout.shape)


# Dtype, chance, modes


@frozen
class Float64(Twice):
    def forward(self, params, x, ctx):
        return x * x + np.zeros(x.shape), x


@frozen
class GlobalRandom(Twice):
    def forward(self, params, x, ctx):
        np.random.rand()  # noqa: NPY002
        return x * x, x


@frozen
class OwnRandom(Twice):
    def forward(self, params, x, ctx):
        factor = np.random.default_rng().uniform(1, 2) if ctx.training else 1.0
        return factor * x * x, factor * x


@frozen
class NoiseInInference(Twice):
    def forward(self, params, x, ctx):
        factor = float(ctx.rng.uniform(1, 2))
        return factor * x * x, factor * x


@frozen
class Centre(Layer):
    """Subtracts the mean of the batch, and a running one in inference; those below get the modes wrong."""

    def plan(self, x):
        if x.dtype.kind != "f":
            raise ShapeError(f"needs floating-point samples, given {x}")
        return Plan(out=x, state={"mean": StateSpec(x.shape)})

    def forward(self, params, x, ctx):
        if self.moves(ctx):
            params["mean"][...] = 0.9 * params["mean"] + 0.1 * x.mean(axis=0)
        own = self.own(ctx)
        return x - (x.mean(axis=0) if own else params["mean"]), own

    def backward(self, params, grads, cache, dout, ctx):
        return dout - dout.mean(axis=0) if cache else dout

    def moves(self, ctx):
        return ctx.training

    def own(self, ctx):
        return ctx.training


@frozen
class AlwaysMoves(Centre):
    def moves(self, ctx):
        return True


@frozen
class AlwaysOwn(Centre):
    def own(self, ctx):
        return True


def test_the_layer_with_state_is_good():
    """What AlwaysMoves and AlwaysOwn change is fine as it is."""
    check(Centre)


# Plans and options


@frozen
class WrongPromise(Dense):
    def plan(self, x):
        return Plan(out=x, params=super().plan(x).params)


@frozen
class NoShapeError(Twice):
    def plan(self, x):
        channels, height, width = x.shape
        return Plan(out=x.with_shape(channels, height, width))


@frozen
class TakesNothing(Twice):
    def plan(self, x):
        raise ShapeError(f"needs samples (5, 5, 5, 5), given {x}")


@frozen
class NeedsText(Twice):
    language: str


@frozen
class ListOption(Twice):
    sizes: list[int] = field(factory=lambda: [1, 2])


@frozen
class ForgottenKey(Dense):
    def forward(self, params, x, ctx):
        return x @ params["weights"], x


@frozen
class Around(Layer):
    """A composite that hands its own context to the layer inside."""

    inner: Layer | str = "tanh"

    def plan(self, x):
        return Plan(out=x, children={"f": (self.inner, self.inner.plan(x))})

    def forward(self, params, x, ctx):
        return self.inner.forward(params["f"], x, ctx)

    def backward(self, params, grads, cache, dout, ctx):
        return self.inner.backward(params["f"], grads["f"], cache, dout, ctx)


@frozen
class HalfAround(Around):
    """Does so in backward alone."""

    inner: Layer | str = field(factory=Dense)

    def plan(self, x):
        plan = self.inner.plan(x)
        return Plan(out=plan.out, children={"f": (self.inner, plan)})

    def forward(self, params, x, ctx):
        return self.inner.forward(params["f"], x, ctx.child("f"))


BROKEN = [
    (TransposedWeights, "parameter_gradients", "the gradient of W is wrong, off by", "it is transposed"),
    (TransposedShape, "plan", "could not broadcast", "it is transposed: (A.T @ B).T is B.T @ A"),
    (UnsummedBias, "plan", "not summed over the rows of the batch"),
    (OneRowBias, "parameter_gradients", "gradient of b", "batch's first row alone; sum over the rows"),
    (StrayMean, "parameter_gradients", "gradient of W", "divided by the number of rows (here 7)", "stray 1/N"),
    (TimesRows, "parameter_gradients", "gradient of b", "multiplied by the number of rows"),
    (WrongSign, "input_gradient", "gradient of x", "its sign is wrong"),
    (Infinite, "input_gradient", "the gradient of x holds NaN or infinity"),
    (LostFactor, "input_gradient", "it is 0.5 times the right one: a factor 2 is missing"),
    (ZeroBias, "parameter_gradients", "it is zero, but the result does depend on b"),
    (Accumulated, "parameter_gradients", "added to what the array held before", "not +="),
    (Accumulated, "assigned_gradients", "the gradient of W is added to what was there (accumulated)"),
    (NeverAssigned, "parameter_gradients", "it was never assigned; write grads['b'][...] = db"),
    (NeverAssigned, "assigned_gradients", "backward never assigns the gradient of b"),
    (ScaleAndShift, "parameter_gradients", "it is the gradient of beta: the two are swapped"),
    (NoShortcut, "input_gradient", "dout itself is missing in the sum"),
    (PassedOn, "input_gradient", "the derivative of the layer is missing"),
    (Rounded, "input_gradient", "by differences it is zero", "forward rounds, compares or ignores it"),
    (KinkEverywhere, "input_gradient", "differs from central differences at 3 points out of 3", "a kink or a jump"),
    (Reversed, "parameter_gradients", "back to front along axis 0"),
    (SomethingElse, "input_gradient", "at worst, element [", "and by differences"),
    (UnusedParameter, "parameter_gradients", "nothing that forward computes depends on the parameter 'b'"),
    (NothingBack, "plan", "backward returned NoneType where ctx.need_dx is true"),
    (LazyBackward, "need_dx", "gradients of parameters are always assigned"),
    (TouchedRows, "assigned_gradients", "14 of its 18 elements are never assigned"),
    (ReboundGradient, "plan", "write into their arrays, grads['W'][...] = dW"),
    (WritesDout, "writes", "backward writes to dout"),
    (WritesX, "writes", "forward writes to x"),
    (WritesCache, "writes", "backward writes to cache[1]['x']"),
    (WritesTheSame, "writes", "read-only", "it writes to an array that is not its own"),
    (ClipsWeights, "writes", "forward (test_broken_layers.py", "read-only", "an array that is not its own"),
    (ClipsInTraining, "writes", "backward (test_broken_layers.py", "read-only", "an array that is not its own"),
    (KeepsX, "between_calls", "dx is another one when a second batch went forward", "in the cache"),
    (KeepsOnItself, "plan", "FrozenInstanceError", "what backward needs goes into the cache"),
    (OneOutput, "between_calls", "what forward returned changes when forward is called again"),
    (ReadsScratch, "scratch_memory", "out is another one when ctx.empty gives memory full of NaN"),
    (KeepsScratch, "scratch_memory", "an array of ctx.empty is kept beyond its step"),
    (MemoryOrder, "memory_layout", "dx is another one when x is a transposed array (Fortran order)"),
    (Float64, "float32", "out is float64 where x and parameters are float32"),
    (GlobalRandom, "same_seed", "NumPy's global generator", "take random numbers from ctx.rng"),
    (OwnRandom, "same_seed", "out is another one each time with the same seed; take random numbers from ctx.rng"),
    (NoiseInInference, "inference", "out depends on chance where ctx.training is false"),
    (AlwaysMoves, "inference", "state['mean'] is changed where ctx.training is false"),
    (AlwaysMoves, "writes", "forward writes to params['mean']"),
    (AlwaysOwn, "rows", "row 0 gives another result alone than in a batch of 7", "running ones (state)"),
    (WrongPromise, "plan", "forward returned shape (7, 4) for 7 rows, plan promised (7, 5)"),
    (NoShapeError, "examples", "plan", "ValueError", "plan must raise nnplug.ShapeError"),
    (TakesNothing, "examples", "accepts none of the samples tried", "inputs=[(3, 32, 32)]"),
    (NeedsText, "examples", "NeedsText needs the option 'language', a text", "NNPLUG_EXAMPLES = [NeedsText(...)]"),
    (ListOption, "immutable", "it has no hash", "let options be tuples instead of lists"),
    (ForgottenKey, "plan", "KeyError: 'weights'"),
    (Around, "children", "forward never asks for ctx.child('f')"),
    (HalfAround, "children", "backward never asks for ctx.child('f')"),
]


@pytest.mark.parametrize(
    ("cls", "failed", "words"),
    [(cls, failed, words) for cls, failed, *words in BROKEN],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_a_broken_layer_is_caught_with_the_right_words(cls, failed, words):
    """The check that is made for the mistake fails, and its message names the mistake."""
    report = examine(cls)
    details = {result.check: result.detail for result in report.components[0].having("failed")}
    assert failed in details, report
    for word in words:
        assert word in details[failed], report


def test_a_layer_of_chance_is_told_that_and_nothing_else():
    """No kink, no order in memory and no scratch memory is blamed for numbers that are others each time."""
    report = examine(OwnRandom).components[0]
    assert [result.check for result in report.having("failed")] == ["same_seed"]
    skipped = {result.check for result in report.having("skipped") if result.detail == "same_seed failed"}
    assert {"parameter_gradients", "input_gradient", "memory_layout", "scratch_memory"} <= skipped
    assert "enough" not in [result.check for result in report.results]


def test_check_raises_with_the_whole_report():
    """In a test suite a broken layer is an AssertionError that tells everything."""
    with pytest.raises(AssertionError) as caught:
        check(StrayMean)
    text = str(caught.value)
    assert "layer 'stray_mean'" in text
    assert "FAILED   parameter_gradients: StrayMean() on samples (5,) float64: in training with 7 rows" in text
    assert "skipped  children: the layer plans no children" in text


def test_a_kink_at_the_point_is_no_mistake():
    """At exactly 0, where ReLU has no derivative, the kit looks beside it."""
    check("relu", inputs=[np.zeros((4, 5))])


@frozen
class NotesParameter(Dense):
    """Notes what follows from W once for each number of rows."""

    def forward(self, params, x, ctx):
        kept = ctx.notes.get("W")
        if kept is None or kept[0] != len(x):
            kept = ctx.notes["W"] = (len(x), np.exp(params["W"]))
        return x @ kept[1] + params["b"], (x, kept[1])

    def backward(self, params, grads, cache, dout, ctx):
        x, e = cache
        grads["W"][...] = (x.T @ dout) * e
        grads["b"][...] = dout.sum(axis=0)
        return dout @ e.T


@frozen
class NotesCount(Twice):
    """Counts steps in notes, and uses the count."""

    def forward(self, params, x, ctx):
        ctx.notes["t"] = t = ctx.notes.get("t", 0) + ctx.training
        return x * x + t, x


@pytest.mark.parametrize("layer", [NotesParameter, NotesCount])
def test_notes_are_no_state(layer):
    """A value of a parameter or a count that is noted makes a step depend on those before."""
    report = examine(layer)
    (found,) = [result for result in report.components[0].results if result.check == "notes"]
    assert found.status == "failed"
    assert "depends on the steps before: ctx.notes" in found.detail
