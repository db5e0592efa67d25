"""Numerical gradients, to hold analytic ones against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnplug.errors import ShapeError
from nnplug.specs import Array


def numerical_gradient(f: Callable[[], float], x: Array, h: float = 1e-5) -> Array:
    """The gradient of ``f()`` with respect to ``x`` by central differences, ``(f(x + h) - f(x - h)) / 2h``.

    ``x`` is changed in place, one element at a time, and put back. Use float64: the error is of order h**2 from the
    formula and eps / h from rounding.

    Args:
        f: a function without arguments that reads ``x``.
        x: a writable floating-point array of any shape.
        h: the distance of the two points.

    Raises:
        ShapeError: ``x`` is of integers, which cannot be changed a little.
    """
    if x.dtype.kind != "f":
        raise ShapeError(f"x has dtype {x.dtype}; a numerical gradient needs floating point, float64 best")
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = central_difference(f, x, index, h)
    return grad


def central_difference(f: Callable[[], float], x: Array, index: Any, h: float) -> float:
    """One element of `numerical_gradient`; ``x[index]`` is changed and put back."""
    kept = x[index]
    try:
        x[index] = kept + h
        above = f()
        x[index] = kept - h
        below = f()
    finally:
        x[index] = kept
    return (above - below) / (2 * h)


def relative_error(a: Array, b: Array) -> float:
    """The largest elementwise relative error, ``max(|a - b| / max(1e-8, |a| + |b|))``, as CS231n defines it.

    NaN where an element is NaN.

    Raises:
        ShapeError: the arrays are of different shapes.
    """
    _check_shapes(a, b)
    with np.errstate(invalid="ignore"):  # NaN says it
        return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)), initial=0.0))


def norm_error(a: Array, b: Array) -> float:
    """The error relative to the norm, ``|a - b| / max(|a|, |b|)``; 0 where both are zero.

    A single element near zero or near a kink cannot spoil it, as it can `relative_error`. NaN where an element is NaN.

    Raises:
        ShapeError: the arrays are of different shapes.
    """
    _check_shapes(a, b)
    scale = float(np.maximum(np.linalg.norm(a), np.linalg.norm(b)))
    return 0.0 if scale == 0 else float(np.linalg.norm(a - b)) / scale


def _check_shapes(a: Array, b: Array) -> None:
    if np.shape(a) != np.shape(b):
        raise ShapeError(f"gradients of shapes {np.shape(a)} and {np.shape(b)} cannot be compared")
