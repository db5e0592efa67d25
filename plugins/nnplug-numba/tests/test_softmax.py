"""Softmax cross-entropy is that of the built-in."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context, DataError


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("targets", ["int64", "uint8", "one-hot", "probabilities"])
@pytest.mark.parametrize("shape", [(1, 2), (64, 10), (5, 300), (0, 3)], ids=str)
def test_as_the_built_in(preferred, without, rounding, dtype, shape, targets, seed):
    """Loss and gradient, for every kind of targets; half of the scores far apart."""
    rng = np.random.default_rng(seed)
    scores = (rng.standard_normal(shape) * rng.choice([1, 30], (shape[0], 1))).astype(dtype)
    y = rng.integers(0, min(shape[1], 256), shape[0])
    if targets == "one-hot":
        y = np.eye(shape[1], dtype=int)[y]
    elif targets == "probabilities":
        y = rng.dirichlet(np.ones(shape[1]), shape[0]).astype(dtype)
    else:
        y = y.astype(targets)
    kept = scores.copy()
    ours, right = (
        r.create("loss", "softmax").value_and_grad(scores, y, Context(dtype=dtype)) for r in (preferred, without)
    )
    for name, one, other in zip(("losses", "dscores"), ours, right, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, **rounding, err_msg=name)
    np.testing.assert_array_equal(scores, kept)


def test_far_apart(preferred, dtype):
    """A class whose probability cannot be told from zero has a loss that is its distance, and a gradient of -1."""
    scores = np.array([[0, 1000], [0, 1000]], dtype)
    losses, dscores = preferred.create("loss", "softmax").value_and_grad(scores, np.array([0, 1]), Context(dtype=dtype))
    assert losses.tolist() == [1000, 0]
    assert dscores.tolist() == [[-1, 1], [0, 0]]


def test_nan_stays_in_its_row(preferred, dtype):
    """For the guard to find."""
    scores = np.array([[1, np.nan, 2], [1, 2, 3], [np.nan, 1, 1], [1, 1, np.inf]], dtype)
    for y in (np.array([0, 1, 2, 0]), np.eye(3)[[0, 1, 2, 0]]):
        losses, _ = preferred.create("loss", "softmax").value_and_grad(scores, y, Context(dtype=dtype))
        assert np.isnan(losses).tolist() == [True, False, True, True]


def test_wrong_targets_are_refused(preferred):
    """By the built-in's own words; no index out of range reaches compiled code, which would not notice."""
    with pytest.raises(DataError, match="a class index must be from 0 to 2"):
        preferred.create("loss", "softmax").check(ArraySpec((3,)), np.array([0, 3]))


@pytest.mark.parametrize("order", [">i8", ">i4", ">f8", "f2"])
def test_targets_of_other_dtypes(preferred, without, order):
    """Of another byte order, or too short for compiled code: as for the built-in, read-only too."""
    rng = np.random.default_rng(0)
    scores, y = rng.standard_normal((20, 4)), rng.integers(0, 4, 20)
    targets = np.eye(4)[y] if "f" in order else y
    for given in (targets, targets.astype(order)):  # native ones first, so that there is something compiled
        given.flags.writeable = False
        ours, right = (
            r.create("loss", "softmax").value_and_grad(scores, given, Context()) for r in (preferred, without)
        )
        for one, other in zip(ours, right, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("wrong", [-1, 4, 10**10])
def test_an_index_out_of_range_is_an_error(preferred, wrong):
    """Where nobody has checked the targets, or they have changed since."""
    loss, y = preferred.create("loss", "softmax"), np.array([0, wrong, 1])
    with pytest.raises(IndexError):
        loss.value_and_grad(np.zeros((3, 4)), y, Context())
