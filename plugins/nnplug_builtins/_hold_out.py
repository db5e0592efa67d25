"""Divide rows into training and test, by a rule that never changes."""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64

from nnplug import Array, DataError


def hold_out(rows: int, fraction: float, seed: int, labels: Array | None = None) -> tuple[Array, Array]:
    """Choose the rows of the training and the test split, both shuffled.

    Each row draws two 64-bit numbers. Those with the smallest first numbers are held out, and both splits are put in
    the order of the second. The numbers are the raw output of PCG64, which NumPy promises never to change, so one seed
    means one division, on every computer and for good.

    Args:
        rows: the number of rows.
        fraction: which part of them is for the test, between 0 and 1.
        seed: another seed, another division.
        labels: a class for each row, (rows,): then every class is divided in the same proportion and keeps at least
            one row for training. What rounding leaves over goes to the classes that it cut most.

    Returns:
        The indices of the training rows and of the test rows.

    Raises:
        DataError: so few rows that none would be held out.
    """
    draw, order = np.argsort(PCG64(seed).random_raw(2 * rows).reshape(2, rows), axis=1, kind="stable")
    groups = np.zeros(rows, np.int64) if labels is None else labels[draw]
    by_group = draw[np.argsort(groups, kind="stable")]  # rows of one group side by side, in the order drawn
    counts = np.unique(groups, return_counts=True)[1]
    held = _apportion(counts, fraction)
    if not held.any():
        raise DataError(f"a fraction of {fraction:g} of {rows} rows is not a single row for the test split")
    starts = np.cumsum(counts) - counts
    rank = np.arange(rows) - np.repeat(starts, counts)  # of each row within its group
    is_test = np.empty(rows, bool)
    is_test[by_group] = rank < np.repeat(held, counts)
    return order[~is_test[order]], order[is_test[order]]  # in an order of its own: drawn first says test


def _apportion(counts: Array, fraction: float) -> Array:
    """How many rows of each group are held out: largest remainders, but never a whole group."""
    exact = counts * fraction
    held: Array = np.floor(exact).astype(np.int64)
    left_over = round(int(counts.sum()) * fraction) - int(held.sum())
    held[np.argsort(held - exact, kind="stable")[:left_over]] += 1
    np.minimum(held, counts - 1, out=held)
    return held
