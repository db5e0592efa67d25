"""Dropout."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import Context
from nnplug_builtins.dropout import Dropout


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_the_mask_follows_from_the_stream(dtype, rate):
    """Elements whose draw is below the rate are 0, the others scaled; the gradient goes the same way."""
    x = np.arange(1, 101, dtype=dtype).reshape(20, 5)
    dout = x + 1
    kept = Context(seed=5, path="dropout1").rng.random((20, 5), np.float32) >= rate
    ctx = Context(training=True, seed=5, path="dropout1")
    out, cache = Dropout(rate).forward({}, x, ctx)
    dx = Dropout(rate).backward({}, {}, cache, dout, ctx)
    assert 0 < kept.sum() < 100
    np.testing.assert_allclose(out, np.where(kept, x / (1 - rate), 0), rtol=1e-6)
    np.testing.assert_allclose(dx, np.where(kept, dout / (1 - rate), 0), rtol=1e-6)


def test_every_step_and_every_layer_drops_others():
    """The stream goes on from step to step, and another path has another stream."""
    x, root = np.ones((20, 20)), Context(training=True)
    first, _ = Dropout().forward({}, x, root.child("dropout1"))
    second, _ = Dropout().forward({}, x, root.child("dropout1"))
    other, _ = Dropout().forward({}, x, root.child("dropout2"))
    assert (first != second).any()
    assert (first != other).any()
    assert (second != other).any()


def test_the_mean_stays():
    """On average the output is x; of 250,000 draws a fifth is dropped, give or take five standard errors."""
    out, _ = Dropout(0.2).forward({}, np.ones((500, 500)), Context(training=True))
    assert abs((out == 0).mean() - 0.2) < 5 * 0.4 / 500
    assert abs(out.mean() - 1) < 5 * 0.5 / 500


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True)])
def test_the_identity_costs_nothing(rate, training):
    """Outside training, and at rate 0, x and dout are handed on as they are and no number is drawn."""
    ctx, x, dout = Context(training=training, seed=1), np.ones((2, 2)), np.ones((2, 2))
    out, cache = Dropout(rate).forward({}, x, ctx)
    assert out is x
    assert Dropout(rate).backward({}, {}, cache, dout, ctx) is dout
    assert ctx.rng.random() == Context(seed=1).rng.random()


@pytest.mark.parametrize("rate", [-0.1, 1.0, np.nan])
def test_the_rate_is_a_probability_below_1(rate):
    """At 1 nothing would be left to scale up."""
    with pytest.raises(ValueError, match=r"'rate' must be (>= 0|< 1)"):
        Dropout(rate)
