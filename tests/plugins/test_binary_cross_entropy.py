"""Cross-entropy of yes-or-no questions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnplug import ArraySpec, Context, DataError
from nnplug_builtins.binary_cross_entropy import BinaryCrossEntropy

LOSS = BinaryCrossEntropy()


def refusal(scores, targets):
    """What check says about them."""
    with pytest.raises(DataError) as caught:
        LOSS.check(scores, targets)
    return str(caught.value)


def test_by_hand():
    """At 0 either answer costs log 2 and the gradient is half; a score of log 3 is a probability of 3/4."""
    losses, dscores = LOSS.value_and_grad(np.array([[0.0], [0.0], [math.log(3)]]), np.array([0, 1, 1]), Context())
    np.testing.assert_allclose(losses, [math.log(2), math.log(2), math.log(4 / 3)], rtol=1e-15)
    np.testing.assert_allclose(dscores, [[0.5], [-0.5], [-0.25]], rtol=1e-15)


def test_a_vector_of_targets_is_not_spread_over_a_column_of_scores():
    """(N, 1) * (N,) would be (N, N) numbers."""
    scores, targets = np.array([[1.0], [-2.0], [3.0]]), np.array([1, 0, 0])
    column = LOSS.value_and_grad(scores, targets.reshape(3, 1), Context())
    vector = LOSS.value_and_grad(scores, targets, Context())
    np.testing.assert_equal(vector, column)
    assert (vector[0].shape, vector[1].shape) == ((3,), (3, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_scores_are_exact_and_silent(dtype):
    """Of scores of 1e4 and -1e4 the loss is 0 where the answer was right and 10,000 where it was wrong."""
    scores, targets = np.array([[1e4], [1e4], [-1e4], [-1e4]], dtype), np.array([1, 0, 0, 1])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        losses, dscores = LOSS.value_and_grad(scores, targets, Context())
        np.testing.assert_array_equal(losses, [0, 1e4, 0, 1e4])
        np.testing.assert_array_equal(dscores, [[0], [1], [0], [-1]])
        np.testing.assert_array_equal(LOSS.probabilities(scores), [1, 1, 0, 0])


def test_small_losses_are_precise():
    """A right answer at a score of 50 costs exp(-50), not 0."""
    losses, _ = LOSS.value_and_grad(np.array([[50.0], [-50.0]]), np.array([1, 0]), Context())
    np.testing.assert_allclose(losses, [math.exp(-50)] * 2, rtol=1e-14)


def test_outputs_of_more_dimensions():
    """A map of yes and no: the mean over all of its places."""
    scores = np.array([[[0.0, math.log(3)], [0.0, -math.log(3)]]])
    losses, dscores = LOSS.value_and_grad(scores, np.array([[[0, 1], [1, 0]]]), Context())
    np.testing.assert_allclose(losses, [(2 * math.log(2) + 2 * math.log(4 / 3)) / 4], rtol=1e-15)
    np.testing.assert_allclose(dscores, [[[0.125, -0.0625], [-0.125, 0.0625]]], rtol=1e-15)


def test_prediction():
    """Yes above a score of 0; vectors where there is one output, which can be compared with targets (N,)."""
    one, two = np.array([[math.log(3)], [0.0], [-math.log(3)]]), np.array([[1.0, -1.0]])
    np.testing.assert_array_equal(LOSS.predict(one), [1, 0, 0])
    np.testing.assert_allclose(LOSS.probabilities(one), [0.75, 0.5, 0.25])
    np.testing.assert_array_equal(LOSS.predict(two), [[1, 0]])
    np.testing.assert_allclose(LOSS.probabilities(two).sum(axis=1), [1.0])
    assert LOSS.predict(two).dtype == np.int64
    assert LOSS.probabilities(two.astype("float32")).dtype == np.float32


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_what_is_accepted(dtype):
    """Labels 0 and 1 of any dtype, as a vector, a column or a row of several."""
    LOSS.check(ArraySpec((1,)), np.array([0, 1], dtype))
    LOSS.check(ArraySpec((1,)), np.array([[0], [1]], dtype))
    LOSS.check(ArraySpec((2,)), np.array([[0, 1]], dtype))


@pytest.mark.parametrize(
    ("labels", "row", "shown"), [([0, 1, -1], 2, "-1"), ([0, 2, 1], 1, "2"), ([0.5, 1.5], 1, "1.5")]
)
def test_labels_that_are_neither_yes_nor_no(labels, row, shown):
    """The convention of -1 and 1 is named with its conversion."""
    assert refusal(ArraySpec((1,)), np.array(labels)) == (
        f"binary_cross_entropy: targets[{row}] is {shown}, but labels must be 0 or 1, or a probability between; "
        "turn labels -1 and 1 into these with (y > 0).astype(int)"
    )


def test_labels_that_are_nan_or_of_another_shape():
    """Refused as any values are, in the loss's own name."""
    assert refusal(ArraySpec((1,)), np.array([0.0, np.nan])) == (
        "binary_cross_entropy: targets[1] is nan, but targets must be finite; leave such rows out or fill them in"
    )
    assert refusal(ArraySpec((2,)), np.array([0, 1])) == (
        "binary_cross_entropy: targets must be (N, 2) for scores (2,) a row, given (2,); "
        "change the last layer's units or reshape the targets"
    )
