"""The initializers: the distributions they promise, tolerances from the number of draws."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from nnplug import Array, Initializer, ParamSpec
from nnplug_builtins.constant_init import Constant
from nnplug_builtins.he import He
from nnplug_builtins.normal import Normal
from nnplug_builtins.uniform import Uniform
from nnplug_builtins.xavier import Xavier
from nnplug_builtins.zeros import Zeros

SPEC = ParamSpec((400, 100))  # fan_in 400, fan_out 100, 40,000 draws
SIGMAS = 5.0  # a right distribution fails once in two million draws of a test


def draw(init: Initializer, seed: int = 0, spec: ParamSpec = SPEC, dtype: str = "float64") -> Array:
    """What the initializer gives for a fresh generator."""
    return init(np.random.default_rng(seed), spec, dtype)


def assert_moments(drawn: Array, mean: float, std: float, kurtosis: float) -> None:
    """Mean and standard deviation lie within five standard errors of what they should be."""
    n = drawn.size
    assert abs(drawn.mean() - mean) < SIGMAS * std / sqrt(n)
    assert abs(drawn.std() - std) < SIGMAS * std * sqrt((kurtosis - 1) / (4 * n))


def assert_normal(drawn: Array, std: float) -> None:
    """Moments of a normal distribution around zero, and its share within one standard deviation, 68.27%."""
    assert_moments(drawn, 0.0, std, kurtosis=3.0)
    share = 0.682689492137
    assert abs((abs(drawn) < std).mean() - share) < SIGMAS * sqrt(share * (1 - share) / drawn.size)


def assert_uniform(drawn: Array, low: float, high: float) -> None:
    """Moments of a uniform distribution, and draws from end to end but never beyond."""
    assert_moments(drawn, (low + high) / 2, (high - low) / sqrt(12), kurtosis=1.8)
    margin = (high - low) * 20 / drawn.size  # missed with a chance of exp(-20)
    assert low <= drawn.min() < low + margin
    assert high - margin < drawn.max() < high


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("init", "std"),
    [
        (Normal(), 0.01),
        (Normal(std=1.5), 1.5),
        (He(), sqrt(2 / 400)),
        (Xavier(distribution="normal"), sqrt(2 / 500)),
        (Xavier(mode="fan_in", distribution="normal"), sqrt(1 / 400)),
        (Xavier(mode="fan_out", distribution="normal"), sqrt(1 / 100)),
    ],
    ids=str,
)
def test_normal_draws(init: Initializer, std: float, seed: int) -> None:
    """A normal distribution of the promised width."""
    assert_normal(draw(init, seed), std)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("init", "low", "high"),
    [
        (Uniform(), -0.05, 0.05),
        (Uniform(low=1.0, high=3.0), 1.0, 3.0),
        (Xavier(), -sqrt(6 / 500), sqrt(6 / 500)),
        (Xavier(mode="fan_in"), -sqrt(3 / 400), sqrt(3 / 400)),
        (Xavier(mode="fan_out"), -sqrt(3 / 100), sqrt(3 / 100)),
    ],
    ids=str,
)
def test_uniform_draws(init: Initializer, low: float, high: float, seed: int) -> None:
    """A uniform distribution between the promised ends."""
    assert_uniform(draw(init, seed), low, high)


@pytest.mark.parametrize(
    ("init", "std"), [(He(), sqrt(2 / 27)), (Xavier(distribution="normal"), sqrt(2 / (27 + 900)))], ids=str
)
def test_fans_come_from_the_spec(init: Initializer, std: float) -> None:
    """A convolution's weights say their own fans; the shape alone would mislead."""
    spec = ParamSpec((100, 3, 3, 3), fan_in=27, fan_out=900)
    assert_normal(draw(init, spec=spec), std)


@pytest.mark.parametrize("seed", range(3))
def test_he_keeps_the_signal_through_relus(seed: int) -> None:
    """Ten layers leave the signal's mean square between half and twice; variance 1 / fan_in would make it 1 / 1000."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, 300))
    before = (x**2).mean()
    for _ in range(10):
        x = np.maximum(x, 0) @ He()(rng, ParamSpec((300, 300)), "float64")
    assert 0.5 < (x**2).mean() / before < 2.0


@pytest.mark.parametrize(("init", "value"), [(Zeros(), 0.0), (Constant(), 1.0), (Constant(-0.25), -0.25)], ids=str)
def test_fixed_values(init: Initializer, value: float) -> None:
    """Every element is the value, and no random number is used up."""
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(init(rng, ParamSpec((3, 2)), "float64"), np.full((3, 2), value))
    assert rng.random() == np.random.default_rng(0).random()


ALL = [Zeros(), Constant(0.5), Normal(), Uniform(), He(), Xavier(), Xavier(distribution="normal")]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("init", ALL, ids=str)
def test_shape_and_dtype(init: Initializer, shape: tuple[int, ...], dtype: str) -> None:
    """What comes out is as the spec says, and every dtype starts from the same numbers."""
    drawn = draw(init, 5, ParamSpec(shape), dtype)
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    np.testing.assert_array_equal(drawn, draw(init, 5, ParamSpec(shape)).astype(dtype))


@pytest.mark.parametrize("init", [Normal(), Uniform(), He(), Xavier()], ids=str)
def test_the_generator_decides(init: Initializer) -> None:
    """The same seed gives the same weights, another seed others."""
    np.testing.assert_array_equal(draw(init, 1), draw(init, 1))
    assert not np.any(draw(init, 1) == draw(init, 2))


def test_options_out_of_range_are_refused() -> None:
    """A width below zero, an interval that is none, a mode nobody knows: refused by name."""
    with pytest.raises(ValueError, match=r"^'std' must be >= 0: -1\.0$"):
        Normal(std=-1.0)
    with pytest.raises(ValueError, match=r"^'high' must be above 'low', which is 0\.5, not 0\.05$"):
        Uniform(low=0.5)
    with pytest.raises(ValueError, match=r"^'high' must be above 'low', which is 0\.05, not 0\.05$"):
        Uniform(low=0.05)
    with pytest.raises(ValueError, match=r"^'low' must be a finite number, not nan$"):
        Uniform(low=float("nan"))
    with pytest.raises(ValueError, match=r"^'high' must be a finite number, not inf$"):
        Uniform(high=float("inf"))
    with pytest.raises(ValueError, match=r"'mode' must be in \('fan_avg', 'fan_in', 'fan_out'\) \(got 'in'\)"):
        Xavier(mode="in")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'distribution' must be in \('uniform', 'normal'\) \(got 'cauchy'\)"):
        Xavier(distribution="cauchy")  # type: ignore[arg-type]
