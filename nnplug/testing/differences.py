"""Gradients by central differences, at as many elements as there is time for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnplug.gradcheck import central_difference
from nnplug.specs import Array

H = 1e-5
RELATIVE, ABSOLUTE = 1e-5, 1e-7  # central differences in float64 are good to some 1e-9; wrong formulas to 1e-2
FULL_UP_TO = 1000  # elements of which all differences are taken to find out what is wrong


def some_elements(given: Array, limit: int, seed: int) -> Array:
    """Flat indices of all elements, or of ``limit`` chosen at random: half of them where ``given`` is not zero."""
    if given.size <= limit:
        return np.arange(given.size)
    rng = np.random.default_rng(seed)
    filled = np.flatnonzero(given)
    chosen = rng.choice(filled, min(limit // 2, filled.size), replace=False)
    return np.union1d(chosen, rng.choice(given.size, limit - limit // 2, replace=False))


def differences(f: Callable[[], float], x: Array, indices: Array) -> Array:
    """``(f(x + h) - f(x - h)) / 2h`` for some elements of a contiguous x, which is put back."""
    flat = x.reshape(-1)
    found = np.empty(len(indices))
    for k, i in enumerate(indices):
        found[k] = central_difference(f, flat, i, H)
    return found


def disagreement(given: Array, right: Array) -> float:
    """The distance of two gradients relative to their length; 0 where they agree as well as differences can tell."""
    distance = float(np.linalg.norm(given - right))
    scale = max(float(np.linalg.norm(given)), float(np.linalg.norm(right)))
    if not np.isfinite(distance):
        return float("nan")  # which is no agreement, either
    return 0.0 if distance <= RELATIVE * scale + ABSOLUTE * np.sqrt(given.size) else distance / scale


def share(part: float) -> str:
    """``12%``, ``0.03%``: part of a length that is not zero, and is not told as 0%."""
    return f"{100 * part:.2g}%" if part < 0.1 else f"{part:.0%}"


def agree(given: Array, right: Array) -> bool:
    """Whether two gradients are the same as far as differences can tell."""
    return disagreement(given, right) == 0.0


def at_kinks(f: Callable[[], float], x: Array, indices: Array) -> Array:
    """For each of some elements, whether the slopes to its two sides differ, so that differences mean nothing there."""
    flat = x.reshape(-1)
    here = f()
    found = np.empty(len(indices), bool)
    for k, i in enumerate(indices):
        kept = flat[i]
        flat[i] = kept + H
        above = f() - here
        flat[i] = kept - H
        below = here - f()
        flat[i] = kept
        found[k] = abs(above - below) > 1e-2 * (abs(above) + abs(below)) + 1e-8
    return found
