"""Components that compute in float32 in a float64 model: told as that, and nothing untrue besides."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import frozen

from nnplug import ArraySpec, Layer, ParamSpec, Plan, ShapeError, UpdateRule
from nnplug.testing import check, examine
from nnplug.testing.differences import share
from nnplug_builtins.mse import Mse


@frozen
class Scale(Layer):
    """A good layer; those below compute parts of it in float32."""

    def plan(self, x):
        if x.dtype.kind != "f":
            raise ShapeError(f"needs floating-point samples, given {x}")
        return Plan(out=x, params={"a": ParamSpec(x.shape, 1.0)})

    def forward(self, params, x, ctx):
        return params["a"] * x * x, x

    def backward(self, params, grads, cache, dout, ctx):
        grads["a"][...] = (cache * cache * dout).sum(axis=0)
        return 2 * params["a"] * cache * dout


@frozen
class SingleForward(Scale):
    def forward(self, params, x, ctx):
        y = x.astype("f4")
        return (params["a"].astype("f4") * y * y).astype(x.dtype), x


@frozen
class SingleBackward(Scale):
    def backward(self, params, grads, cache, dout, ctx):
        dx = super().backward(params, grads, cache, dout, ctx)
        return dx.astype("f4").astype(dx.dtype)


@frozen
class SingleGradient(Scale):
    def backward(self, params, grads, cache, dout, ctx):
        grads["a"][...] = (cache * cache * dout).astype("f4").sum(axis=0)
        return 2 * params["a"] * cache * dout


@frozen
class SingleLookUp(Layer):
    """An embedding of integers, whose parameters are rounded."""

    def plan(self, x):
        if x.dtype.kind not in "iu":
            raise ShapeError(f"needs integer samples, given {x}")
        return Plan(out=ArraySpec((*x.shape, 2)), params={"W": ParamSpec((9, 2), "normal")})

    def forward(self, params, x, ctx):
        return params["W"].astype("f4").astype(ctx.dtype)[x], x

    def backward(self, params, grads, cache, dout, ctx):
        grads["W"].fill(0)
        np.add.at(grads["W"], cache, dout)


@frozen
class SingleSquares(Mse):
    def value_and_grad(self, scores, targets, ctx):
        losses, dscores = super().value_and_grad(scores.astype("f4"), targets, ctx)
        return losses.astype(scores.dtype), dscores.astype(scores.dtype)


@frozen
class SingleSlot(UpdateRule):
    slots = ("m",)

    def apply(self, w, dw, slots, step):
        m = slots["m"]
        m[...] = 0.9 * m.astype("f4") + dw.astype("f4")
        w -= step.learning_rate * m


@frozen
class SingleStep(UpdateRule):
    slots = ("m",)

    def apply(self, w, dw, slots, step):
        m = slots["m"]
        m *= 0.9
        m += dw
        w -= (step.learning_rate * m).astype("f4")


@frozen
class SingleValues(UpdateRule):
    def apply(self, w, dw, slots, step):
        w[...] = w.astype("f4") - (step.learning_rate * dw).astype("f4")


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (SingleForward, "out is computed in float32 where x, dout and parameters are float64"),
        (SingleBackward, "dx is computed in float32"),
        (SingleGradient, "the gradient of a is computed in float32"),
        (SingleLookUp, "out is computed in float32"),
        (SingleSquares, "losses are computed in float32 for float64 scores"),
        (SingleSlot, "w moves in float32 where w and dw are float64"),
        (SingleStep, "w moves in float32 where w and dw are float64"),
        (SingleValues, "w moves in float32 where w and dw are float64"),
    ],
)
def test_what_computes_in_float32_is_told_that_and_nothing_else(cls, words):
    """No gradient is called wrong by 0%, and no rounding a decay."""
    (failed,) = examine(cls).components[0].having("failed")
    assert failed.check == "float64"
    assert words in failed.detail


@frozen
class Rounding(Layer):
    """To multiples of 1/8, as a network for small chips would; the gradient is zero."""

    def plan(self, x):
        if x.dtype.kind != "f":
            raise ShapeError(f"needs floating-point samples, given {x}")
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return np.round(8 * x) / 8, None

    def backward(self, params, grads, cache, dout, ctx):
        return np.zeros_like(dout)


@frozen
class SignOf(UpdateRule):
    """Steps of one length, whatever the gradient's, along a running mean that is kept in eight bits."""

    slots = ("m",)

    def apply(self, w, dw, slots, step):
        m = slots["m"]
        m[...] = np.round((0.9 * m + dw) * 16) / 16
        w -= step.learning_rate * np.sign(0.9 * m + 0.1 * dw)


@pytest.mark.parametrize("cls", [Scale, Mse, Rounding, SignOf])
def test_what_rounds_on_purpose_is_fine(cls):
    """So are the sign of something, and of course what the components above get wrong."""
    check(cls)


@pytest.mark.parametrize(("part", "text"), [(1.5, "150%"), (0.12, "12%"), (0.0027, "0.27%"), (1e-5, "0.001%")])
def test_a_disagreement_is_never_0_percent(part, text):
    """What is worth a message is told with as many digits as it takes."""
    assert share(part) == text
