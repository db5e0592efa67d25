"""The logistic function."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest

from nnplug import Context
from nnplug_builtins.sigmoid import Sigmoid


def sigmoid(x):
    """The layer's output."""
    return Sigmoid().forward({}, x, Context())[0]


def exact(x):
    """The logistic function of each number to 50 digits, rounded to float64."""
    with localcontext(prec=50):
        return np.array([float(1 / (1 + (-Decimal(float(value))).exp())) for value in x])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_values_are_exact_and_silent(dtype):
    """At -1e4 it is 0 and at 1e4 it is 1, as at the infinities, and nothing overflows."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_array_equal(sigmoid(np.array([-1e4, -np.inf, 1e4, np.inf, 0], dtype)), [0, 0, 1, 1, 0.5])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("low", [-80, -20, -1, 20])
def test_right_to_a_few_units_in_the_last_place(dtype, low):
    """Small values are as precise as large ones; the form with tanh has 0 for -20."""
    x = np.linspace(low, low + 25, 201, dtype=dtype)
    np.testing.assert_allclose(sigmoid(x), exact(x), rtol=4 * np.finfo(dtype).eps)


def test_below_the_smallest_normal_number():
    """Values that only subnormal numbers can hold are not lost."""
    np.testing.assert_allclose(sigmoid(np.array([-95], "float32")), np.exp(-95.0), rtol=1e-3)
    np.testing.assert_allclose(sigmoid(np.array([-720.0])), exact([-720.0]), rtol=1e-3)


def test_backward_by_hand():
    """At 0 the slope is a quarter; where it has levelled out, 0."""
    _, cache = Sigmoid().forward({}, np.array([[0.0, 1e4, -1e4]]), Context())
    np.testing.assert_array_equal(Sigmoid().backward({}, {}, cache, np.array([[8.0, 8, 8]]), Context()), [[2, 0, 0]])
