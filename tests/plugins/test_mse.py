"""The mean squared error."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context, DataError, NnplugError
from nnplug_builtins.mse import Mse


def refusal(scores, targets):
    """What check says about them."""
    with pytest.raises(DataError) as caught:
        Mse().check(scores, targets)
    return str(caught.value)


def test_by_hand():
    """A row's loss is the mean of its squares, its gradient twice the difference over the number of outputs."""
    losses, dscores = Mse().value_and_grad(np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[0, 0], [4, 4]]), Context())
    np.testing.assert_array_equal(losses, [2.5, 8])
    np.testing.assert_array_equal(dscores, [[1, 2], [-4, 0]])


def test_a_vector_of_targets_is_not_spread_over_a_column_of_scores():
    """(N, 1) - (N,) would be (N, N) numbers and train towards the mean."""
    scores, targets = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 0.0, 5.0])
    losses, dscores = Mse().value_and_grad(scores, targets, Context())
    np.testing.assert_array_equal(losses, [0, 4, 4])
    np.testing.assert_array_equal(dscores, [[0], [4], [-4]])


def test_outputs_of_more_dimensions():
    """An image that is to be reproduced: the mean over all of its pixels."""
    scores, targets = np.arange(8.0).reshape(2, 2, 2), np.zeros((2, 2, 2))
    losses, dscores = Mse().value_and_grad(scores, targets, Context())
    np.testing.assert_array_equal(losses, [(0 + 1 + 4 + 9) / 4, (16 + 25 + 36 + 49) / 4])
    np.testing.assert_array_equal(dscores, scores / 2)


def test_large_scores_are_exact_and_silent():
    """In float32, the square of 20,000."""
    with np.errstate(all="raise"):
        losses, _ = Mse().value_and_grad(np.array([[1e4]], "float32"), np.array([-1e4], "float32"), Context())
    np.testing.assert_array_equal(losses, [4e8])


def test_prediction():
    """The scores; a vector where there is one output, which can be compared with targets (N,)."""
    np.testing.assert_array_equal(Mse().predict(np.array([[1.0], [2.0]])), [1, 2])
    np.testing.assert_array_equal(Mse().predict(np.array([[1.0, 2.0]])), [[1, 2]])
    with pytest.raises(NnplugError, match="Mse scores are no probabilities"):
        Mse().probabilities(np.array([[1.0]]))


@pytest.mark.parametrize(
    ("scores", "targets"), [((3,), (5, 3)), ((1,), (5, 1)), ((1,), (5,)), ((2, 4), (5, 2, 4)), ((), (5,))]
)
def test_what_is_accepted(scores, targets):
    """The scores' own shape, and a vector where there is one output."""
    Mse().check(ArraySpec(scores), np.zeros(targets))


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ((3,), (5,), "(N, 3) for scores (3,) a row, given (5,)"),
        ((3,), (5, 1), "(N, 3) for scores (3,) a row, given (5, 1)"),
        ((1,), (5, 3), "(N, 1) or (N,) for scores (1,) a row, given (5, 3)"),
        ((2, 4), (5, 8), "(N, 2, 4) for scores (2, 4) a row, given (5, 8)"),
        ((), (5, 1), "(N,) for scores () a row, given (5, 1)"),
    ],
)
def test_shapes_that_would_broadcast_or_break(scores, targets, message):
    """Anything else is refused, above all what NumPy would spread in silence."""
    assert refusal(ArraySpec(scores), np.zeros(targets)) == (
        f"mse: targets must be {message}; change the last layer's units or reshape the targets"
    )


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_targets_that_are_not_finite(value, shown):
    """The first one is named, by row and column."""
    targets = np.zeros((3, 2))
    targets[1, 1] = targets[2, 0] = value
    assert refusal(ArraySpec((2,)), targets) == (
        f"mse: targets[1, 1] is {shown}, but targets must be finite; leave such rows out or fill them in"
    )


def test_targets_that_are_no_numbers():
    """Text is not converted in silence."""
    assert refusal(ArraySpec((1,)), np.array(["1.5"])) == (
        "mse: targets must be numbers, given <U3; convert them with y.astype(float)"
    )
