"""What the tests share: registries with and without nnplug-numba in front."""

from __future__ import annotations

import pytest

import nnplug


@pytest.fixture(scope="session")
def preferred() -> nnplug.Registry:
    """Names mean the compiled components."""
    return nnplug.Registry(prefer=["nnplug-numba"])


@pytest.fixture(scope="session")
def without() -> nnplug.Registry:
    """As if nnplug-numba were not installed."""
    return nnplug.Registry(disable=["nnplug-numba"])


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Of the model."""
    return str(request.param)


@pytest.fixture
def rounding(dtype: str) -> dict[str, float]:
    """How far results may be apart that are equal but for rounding, for ``np.testing.assert_allclose``."""
    return {"rtol": 2e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-14}
