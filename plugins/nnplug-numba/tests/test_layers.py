"""Layers compute what the built-ins do."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context

LAYERS = ["relu", "sigmoid", "tanh", {"type": "affine", "units": 5}]
SHAPES = [(7,), (128,), (3, 4, 2)]


def passed(layer, x, rng):
    """What comes out forwards and backwards, by name."""
    params = {
        name: rng.standard_normal(spec.shape).astype(x.dtype)
        for name, spec in layer.plan(ArraySpec(x.shape[1:], x.dtype)).params.items()
    }
    grads = {name: np.full_like(array, np.nan) for name, array in params.items()}
    out, cache = layer.forward(params, x, Context(dtype=x.dtype))
    dout = rng.standard_normal(out.shape).astype(x.dtype)
    dx = layer.backward(params, grads, cache, dout, Context(dtype=x.dtype))
    return {"out": out, "dx": dx, **grads}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [0, 1, 2, 65])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("spec", LAYERS, ids=str)
def test_as_the_built_in(preferred, without, rounding, dtype, spec, shape, rows, seed):
    """Forwards and backwards, with x in one piece, and as every other row of a larger array."""
    whole = (3 * np.random.default_rng(seed).standard_normal((2 * rows, *shape))).astype(dtype)
    for x in (whole[:rows], whole[::2]):
        ours, right = (passed(r.create("layer", spec), x, np.random.default_rng(seed)) for r in (preferred, without))
        for name, array in right.items():
            assert ours[name].dtype == array.dtype
            np.testing.assert_allclose(ours[name], array, **rounding, err_msg=name)


EXTREME = [
    -np.inf,
    -1e30,
    -800.0,
    -100.0,
    -87.0,
    -20.0,
    -1e-3,
    -1e-7,
    -0.0,
    0.0,
    1e-7,
    1e-3,
    0.3,
    20.0,
    90.0,
    800.0,
    np.inf,
]


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_far_out_and_near_zero(preferred, without, dtype, name):
    """To a few units in the last place, however small the result is; what would be subnormal may be zero."""
    x = np.array([EXTREME], dtype)
    ours, right = (r.create("layer", name).forward({}, x, Context(dtype=dtype))[0] for r in (preferred, without))
    info = np.finfo(dtype)
    np.testing.assert_allclose(ours, right, rtol=8 * info.eps, atol=info.tiny)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_nan_stays_nan(preferred, dtype, name):
    """And its neighbours are as they would be without it."""
    out, _ = preferred.create("layer", name).forward({}, np.array([[1, np.nan, 1]], dtype), Context(dtype=dtype))
    assert np.isnan(out[0]).tolist() == [False, True, False]
