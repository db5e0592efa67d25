"""The multiclass support vector machine's loss."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug import ArraySpec, Context, DataError, NnplugError, ShapeError
from nnplug.gradcheck import numerical_gradient, relative_error
from nnplug_builtins.svm import Svm


def refusal(scores, targets, error=DataError):
    """What check says about them."""
    with pytest.raises(error) as caught:
        Svm().check(scores, targets)
    return str(caught.value)


def test_small_scores_cost_one_for_each_wrong_class():
    """The course's sanity check: about 9.000 for 50 rows of 0.001 * randn, and a gradient right to 1.4e-9."""
    rng = np.random.default_rng(0)
    scores, y = 0.001 * rng.standard_normal((50, 10)), rng.integers(0, 10, 50)
    losses, dscores = Svm().value_and_grad(scores, y, Context())
    assert abs(losses.mean() - 9.0) < 2e-3

    def objective():
        return float(Svm().value_and_grad(scores, y, Context())[0].mean())

    assert relative_error(dscores / 50, numerical_gradient(objective, scores)) < 1e-8


def test_by_hand():
    """The course notes' example: scores 13, -7, 11, the first class is right; then the others are."""
    scores = np.array([[13.0, -7.0, 11.0]] * 3)
    losses, dscores = Svm(10).value_and_grad(scores, np.array([0, 1, 2]), Context())
    np.testing.assert_array_equal(losses, [8, 30 + 28, 12])
    np.testing.assert_array_equal(dscores, [[-1, 0, 1], [1, -2, 1], [1, 0, -1]])


def test_exactly_at_the_margin():
    """There the loss is 0 and so is the gradient."""
    losses, dscores = Svm().value_and_grad(np.array([[2.0, 1.0]]), np.array([0]), Context())
    np.testing.assert_array_equal(losses, [0])
    np.testing.assert_array_equal(dscores, [[0, 0]])


def test_large_scores_are_exact_and_silent():
    """Of float32 scores of 1e4 and -1e4 the loss is 0 or 20,001."""
    scores = np.array([[1e4, -1e4], [1e4, -1e4]], "float32")
    with np.errstate(all="raise"):
        losses, dscores = Svm().value_and_grad(scores, np.array([0, 1]), Context())
    np.testing.assert_array_equal(losses, [0, 20001])
    np.testing.assert_array_equal(dscores, [[0, 0], [1, -1]])


def test_prediction():
    """The class with the highest score; there are no probabilities."""
    scores = np.array([[1.0, 3.0, 2.0], [5.0, -1.0, 0.0]])
    np.testing.assert_array_equal(Svm().predict(scores), [1, 0])
    with pytest.raises(NnplugError, match="Svm scores are no probabilities"):
        Svm().probabilities(scores)


def test_targets():
    """Class indices are accepted, anything else refused in the loss's own name."""
    Svm().check(ArraySpec((3,)), np.array([0, 1, 2], "uint8"))
    assert refusal(ArraySpec((2, 3)), np.zeros(2, int), ShapeError) == (
        "svm needs scores (C,), the network gives (2, 3); end it with an affine layer"
    )
    assert refusal(ArraySpec((3,)), np.eye(3)) == (
        "svm: class indices must be a vector (N,), given a column for each class (3, 3); use y.argmax(axis=1)"
    )
    assert refusal(ArraySpec((3,)), np.array([0, 3])) == (
        "svm: targets[1] is 3, but a class index must be from 0 to 2 for 3 scores; "
        "number the classes from 0 or give the last layer more units"
    )


@pytest.mark.parametrize("margin", [0.0, -1.0])
def test_the_margin_is_positive(margin):
    """Without a margin equal scores would cost nothing."""
    with pytest.raises(ValueError, match="'margin' must be > 0"):
        Svm(margin)
