"""Numerical gradients against derivatives that are known."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ShapeError, norm_error, numerical_gradient, relative_error


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 2), (0,)])
def test_the_gradient_of_a_known_function(seed: int, shape: tuple[int, ...]) -> None:
    """d sum(x**3 + sin x) = 3 x**2 + cos x, for arrays of any shape; x is put back to the last bit."""
    x = np.random.default_rng(seed).normal(size=shape)
    x = np.array(x)
    kept = x.copy()
    found = numerical_gradient(lambda: float((x**3 + np.sin(x)).sum()), x)
    np.testing.assert_allclose(found, 3 * x**2 + np.cos(x), rtol=1e-8, atol=1e-9)
    assert found.shape == shape
    assert x.tobytes() == kept.tobytes()


def test_the_distance_can_be_chosen() -> None:
    """For a cubic the error of central differences is exactly h**2."""
    x = np.array([2.0])
    found = numerical_gradient(lambda: float(x[0] ** 3), x, h=0.1)
    assert found[0] == pytest.approx(12 + 0.1**2, rel=1e-12)


def test_views_are_changed_in_place() -> None:
    """A view into a larger array, not contiguous, works: the function sees the change."""
    base = np.arange(12.0).reshape(3, 4)
    found = numerical_gradient(lambda: float((base**2).sum()), base[::2, 1::2])
    np.testing.assert_allclose(found, 2 * base[::2, 1::2], rtol=1e-8)


def test_relative_error_is_cs231ns() -> None:
    """max |a - b| / max(1e-8, |a| + |b|), elementwise."""
    a, b = np.array([1.0, 0.0, 1e-9]), np.array([1.1, 0.0, 0.0])
    assert relative_error(a, b) == pytest.approx(max(0.1 / 2.1, 0.1))
    assert relative_error(a, a) == 0
    assert relative_error(np.zeros(0), np.zeros(0)) == 0


def test_norm_error_is_relative_to_the_norm() -> None:
    """|a - b| / max(|a|, |b|); zeros agree; the order does not matter."""
    a, b = np.array([3.0, 4.0]), np.array([3.0, 4.5])
    assert norm_error(a, b) == norm_error(b, a) == pytest.approx(0.5 / np.linalg.norm(b))
    assert norm_error(np.zeros((2, 2)), np.zeros((2, 2))) == 0
    assert norm_error(np.zeros(2), a) == 1
    assert norm_error(a, -a) == 2


def test_nan_is_never_near() -> None:
    """Whichever side it is on, no error that is compared with a limit is below it."""
    one, other = np.array([np.nan, 1.0]), np.array([1.0, 1.0])
    for error in (norm_error, relative_error):
        assert not error(one, other) < 1e-3
        assert not error(other, one) < 1e-3
        assert not error(other * np.inf, other) < 1e-3
        with pytest.raises(ShapeError, match=r"gradients of shapes \(3, 1\) and \(3,\) cannot be compared"):
            error(np.ones((3, 1)), np.ones(3))


def test_x_is_put_back_where_the_function_fails() -> None:
    """To the last bit."""
    x = np.array([1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        numerical_gradient(lambda: 1.0 if x[1] == 2.0 else 1 // 0, x)
    assert x.tolist() == [1.0, 2.0]


def test_integers_cannot_be_changed_a_little() -> None:
    """They would be rounded."""
    with pytest.raises(ShapeError, match="x has dtype int64; a numerical gradient needs floating point"):
        numerical_gradient(lambda: 0.0, np.arange(3))
