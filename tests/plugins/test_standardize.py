"""The layer ``standardize``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import Array, ArraySpec, Context, ShapeError
from nnplug_builtins.standardize import Standardize

HOUSES = np.array([1950.0, 3e5, 1e-4]), np.array([20.0, 2e5, 3e-5])  # means and deviations of years, prices, lengths


def houses(rows: int, seed: int = 0) -> Array:
    """Features of very different sizes."""
    return HOUSES[0] + HOUSES[1] * np.random.default_rng(seed).standard_normal((rows, 3))


def fresh(layer: Standardize, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    """The layer's state as a model makes it."""
    state = layer.plan(ArraySpec(shape, dtype)).state
    return {name: np.full(spec.shape, spec.fill, spec.dtype) for name, spec in state.items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_mean_and_variance_are_those_of_all_rows(dtype: str, tolerance: float) -> None:
    """However they are divided into batches; and a batch is standardised by the rows up to its own last."""
    x, layer, ctx = houses(101).astype(dtype), Standardize(), Context(training=True, dtype=dtype)
    state = fresh(layer, (3,), dtype)
    seen = 0
    for rows in (1, 7, 32, 60, 1):
        out, _ = layer.forward(state, x[seen : seen + rows], ctx)
        part, seen = x[seen : seen + rows].astype("float64"), seen + rows
        mean, std = x[:seen].mean(axis=0, dtype="float64"), x[:seen].std(axis=0, dtype="float64")
        np.testing.assert_allclose(out, (part - mean) / np.where(std > 0, std, 1), rtol=tolerance, atol=tolerance)
        assert out.dtype == dtype
    assert state["rows"] == seen == 101
    np.testing.assert_allclose(state["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(state["var"], std**2, rtol=1e-10)
    out, _ = layer.forward(state, x, Context(dtype=dtype))
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=10 * tolerance)
    np.testing.assert_allclose(out.std(axis=0), 1, rtol=10 * tolerance)
    assert state["rows"] == 101


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3e-7])
def test_what_does_not_vary_stays_small(value: float) -> None:
    """The rounding of a mean is no deviation to divide by."""
    x, layer, ctx = np.full((33, 2), value, np.float32), Standardize(), Context(training=True, dtype="float32")
    state = fresh(layer, (2,), "float32")
    for rows in (x[:20], x[20:]):
        out, _ = layer.forward(state, rows, ctx)
        assert np.abs(out).max() <= 1e-9 * abs(value)
    out, _ = layer.forward(state, x + 1, Context(dtype="float32"))
    np.testing.assert_allclose(out, (x + 1) - x, atol=1e-6)


def test_before_training_nothing_is_done() -> None:
    """There is nothing to standardise by."""
    x, layer = houses(4), Standardize()
    out, _ = layer.forward(fresh(layer, (3,), "float64"), x, Context())
    np.testing.assert_array_equal(out, x)


def test_a_frozen_layer_keeps_what_it_has() -> None:
    """A part of a trained network that is used for another task."""
    x, layer = houses(50), Standardize()
    state = fresh(layer, (3,), "float64")
    layer.forward(state, x, Context(training=True))
    kept = {name: array.copy() for name, array in state.items()}
    ctx = Context(training=True, trainable=False)
    out, cache = layer.forward(state, 2 * x, ctx)
    np.testing.assert_array_equal(out, layer.forward(state, 2 * x, Context())[0])
    assert all((state[name] == kept[name]).all() for name in kept)
    dx = layer.backward({}, {}, cache, np.ones((50, 3)), ctx)
    np.testing.assert_allclose(dx, np.broadcast_to(1 / x.std(axis=0), (50, 3)))


def test_features_of_different_sizes_are_learned_from(tmp_path: Path) -> None:
    """The model takes them raw, also out of its file; without the layer nothing is learned."""
    x = houses(600)
    y = ((x - HOUSES[0]) / HOUSES[1]) @ [1.0, -2.0, 0.5]
    found = {}
    for first in ([], ["standardize"]):
        config = {"layers": [*first, {"type": "affine", "units": 1}], "loss": "mse"}
        model = nnplug.build(config, input_shape=3, seed=0)
        update = {"type": "adam", "learning_rate": 0.05}
        nnplug.Solver(model, (x[:500], y[:500]), update=update, epochs=20, batch_size=50).fit()
        found[bool(first)] = model.evaluate(x[500:], y[500:])["r2"]
    assert found[False] < 0
    assert found[True] > 0.99
    model.save(tmp_path / "m")
    loaded = nnplug.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(x[500:]), model.predict(x[500:]))
    np.testing.assert_allclose(loaded.state["standardize1.mean"], x[:500].mean(axis=0), rtol=1e-6)


def test_integers_are_no_features() -> None:
    """They may be indices."""
    with pytest.raises(ShapeError, match="standardize needs floating-point samples, given"):
        Standardize().plan(ArraySpec((3,), "int64"))
