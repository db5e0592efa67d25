"""The layer ``rescale``."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

import nnplug
from nnplug import ArraySpec, Context, ShapeError
from nnplug_builtins.rescale import Rescale


def test_by_hand() -> None:
    """Out and dx, in x's own dtype."""
    x, dout = np.array([[1.0, -2.0]], np.float32), np.array([[3.0, 4.0]], np.float32)
    out, cache = Rescale(10.0, 5.0).forward({}, x, Context(dtype="float32"))
    dx = Rescale(10.0, 5.0).backward({}, {}, cache, dout, Context(dtype="float32"))
    assert (out.tolist(), dx.tolist()) == ([[15.0, -15.0]], [[30.0, 40.0]])
    assert out.dtype == dx.dtype == np.float32


def test_prices_are_learned() -> None:
    """Numbers around 300,000, which a network does not come near to otherwise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    y = 3e5 + 1e5 * x @ [1.0, -0.5, 0.2]
    found = {}
    for last in ([], [{"type": "rescale", "factor": 1e5, "offset": 3e5}]):
        layers: list[Any] = [{"type": "affine", "units": 1}, *last]
        model = nnplug.build({"layers": layers, "loss": "mse"}, input_shape=3, seed=0)
        update = {"type": "adam", "learning_rate": 0.03}
        nnplug.Solver(model, (x[:400], y[:400]), update=update, epochs=30, batch_size=20).fit()
        found[bool(last)] = model.evaluate(x[400:], y[400:])["r2"]
    assert found[False] < 0
    assert found[True] > 0.99


@pytest.mark.parametrize("options", [{"factor": 0.0}, {"factor": inf}, {"factor": 1.0, "offset": nan}])
def test_numbers_that_make_no_sense(options: dict[str, float]) -> None:
    """They would leave nothing of x."""
    with pytest.raises(nnplug.ConfigError, match="must be finite"):
        nnplug.build([{"type": "rescale", **options}], input_shape=2)


def test_integers_are_refused() -> None:
    """They would become fractions."""
    with pytest.raises(ShapeError, match="rescale needs floating-point samples"):
        Rescale(2.0).plan(ArraySpec((2,), "int64"))
