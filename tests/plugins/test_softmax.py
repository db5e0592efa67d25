"""Softmax cross-entropy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnplug import ArraySpec, Context, DataError, ShapeError
from nnplug.gradcheck import numerical_gradient, relative_error
from nnplug_builtins._by_class import FEW_CLASSES
from nnplug_builtins.softmax import Softmax

TEN = ArraySpec((10,), "float32")


def refusal(scores, targets, error=DataError):
    """What check says about them."""
    with pytest.raises(error) as caught:
        Softmax().check(scores, targets)
    return str(caught.value)


def test_small_scores_cost_the_logarithm_of_ten():
    """The course's sanity check: about 2.3026 for 50 rows of 0.001 * randn, and a gradient right to 8.2e-9."""
    rng = np.random.default_rng(0)
    scores, y = 0.001 * rng.standard_normal((50, 10)), rng.integers(0, 10, 50)
    losses, dscores = Softmax().value_and_grad(scores, y, Context())
    assert abs(losses.mean() - 2.3026) < 5e-4

    def objective():
        return float(Softmax().value_and_grad(scores, y, Context())[0].mean())

    assert relative_error(dscores / 50, numerical_gradient(objective, scores)) < 1e-7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, FEW_CLASSES, FEW_CLASSES + 1])
def test_large_scores_are_exact_and_silent(dtype, classes):
    """Of scores of 1e4 and -1e4 the loss is 0 where the right class won and 20,000 where it lost."""
    scores = np.full((2, classes), -1e4, dtype)
    scores[:, 0] = 1e4
    one_hot = np.eye(classes, dtype=dtype)[[0, 1]]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for targets in (np.array([0, 1]), one_hot):
            losses, dscores = Softmax().value_and_grad(scores, targets, Context())
            np.testing.assert_array_equal(losses, [0, 20000])
            np.testing.assert_array_equal(dscores, one_hot[0] - one_hot)
        np.testing.assert_array_equal(Softmax().probabilities(scores), one_hot[[0, 0]])


def test_no_epsilon_in_the_logarithm():
    """A probability of exp(-50) costs 50; log(p + 1e-7) would say 16."""
    losses, _ = Softmax().value_and_grad(np.array([[0.0, -50.0]]), np.array([1]), Context())
    np.testing.assert_allclose(losses, [50 + math.log1p(math.exp(-50))], rtol=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_only_differences_of_scores_count(seed):
    """Adding a number to a row changes neither loss nor gradient, and a row of the gradient sums to 0."""
    rng = np.random.default_rng(seed)
    scores, y = rng.standard_normal((6, 5)), rng.integers(0, 5, 6)
    losses, dscores = Softmax().value_and_grad(scores, y, Context())
    shifted, dshifted = Softmax().value_and_grad(scores + 100 * rng.standard_normal((6, 1)), y, Context())
    np.testing.assert_allclose(shifted, losses, rtol=1e-10)
    np.testing.assert_allclose(dshifted, dscores, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(dscores.sum(axis=1), np.zeros(6), atol=1e-14)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "float64"])
def test_one_hot_is_the_index_written_out(dtype):
    """Both forms of the same targets give the same."""
    scores, y = np.random.default_rng(0).standard_normal((4, 3)).astype("float32"), np.array([2, 0, 1, 2])
    losses, dscores = Softmax().value_and_grad(scores, np.eye(3)[y].astype(dtype), Context())
    expected_losses, expected_dscores = Softmax().value_and_grad(scores, y, Context())
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6)
    np.testing.assert_array_equal(dscores, expected_dscores)


def test_prediction():
    """The class with the highest score, and probabilities in the ratio of the exponentials."""
    scores = np.log(np.array([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]]))
    np.testing.assert_array_equal(Softmax().predict(scores), [2, 0])
    np.testing.assert_allclose(Softmax().probabilities(scores), [[0.125, 0.25, 0.625], [0.75, 0.125, 0.125]])
    assert Softmax().probabilities(scores.astype("float32")).dtype == np.float32


@pytest.mark.parametrize(
    "targets",
    [
        np.array([0, 9], "uint8"),
        np.array([0, 9], "int64"),
        np.eye(10),
        np.eye(10, dtype=bool),
        np.full((3, 10), 0.1, "float32"),
        np.zeros(0, int),
    ],
    ids=str,
)
def test_what_is_accepted(targets):
    """Indices from 0 to 9, one-hot rows and probabilities."""
    Softmax().check(TEN, targets)


def test_scores_that_are_no_vector():
    """An image of scores is no row of classes."""
    assert refusal(ArraySpec((28, 28)), np.zeros(3, int), ShapeError) == (
        "softmax needs scores (C,), the network gives (28, 28); end it with an affine layer"
    )


def test_a_single_score():
    """The softmax of one score is always 1."""
    assert refusal(ArraySpec((1,)), np.zeros(3, int), ShapeError) == (
        "softmax needs a score for each of at least 2 classes, the network gives (1,); "
        "for one yes or no take the loss binary_cross_entropy"
    )


@pytest.mark.parametrize("given", ["float32", "float64", "bool"])
def test_labels_that_are_no_integers(given):
    """Labels read as floats, for instance from CSV, are not rounded in silence."""
    assert refusal(TEN, np.ones(3, given)) == (
        f"softmax: class indices must be integers, given {given}; convert them with y.astype(int)"
    )


def test_labels_that_are_names():
    """Names of classes are not numbers yet."""
    assert refusal(TEN, np.array(["cat", "dog"])) == (
        "softmax: class indices must be integers, given <U3; "
        "number them with names, y = np.unique(y, return_inverse=True)"
    )


@pytest.mark.parametrize(("labels", "row", "value"), [([1, 2, 10, 11], 2, 10), ([3, -1, 10], 1, -1)])
def test_labels_out_of_range(labels, row, value):
    """The first row that is wrong is named; -1 would silently have meant the last class."""
    assert refusal(TEN, np.array(labels)) == (
        f"softmax: targets[{row}] is {value}, but a class index must be from 0 to 9 for 10 scores; "
        "number the classes from 0 or give the last layer more units"
    )


def test_a_column_of_labels():
    """The shape (N, 1) is neither indices nor one-hot."""
    assert refusal(TEN, np.zeros((5, 1), int)) == (
        "softmax: class indices must be a vector (N,), given a column (5, 1); use y.ravel()"
    )


def test_labels_in_more_dimensions():
    """A label for each pixel is another loss."""
    assert refusal(TEN, np.zeros((5, 4, 10), int)) == "softmax: class indices must be a vector (N,), given (5, 4, 10)"


def test_one_hot_of_another_number_of_classes():
    """Columns must match the scores."""
    assert refusal(TEN, np.eye(7)) == (
        "softmax: one-hot targets must be (N, 10), a column for each score, given (7, 7); "
        "give the last layer 7 units or correct the targets"
    )


@pytest.mark.parametrize(
    ("row", "shown"),
    [([0.0, 0.0], "[0., 0.]"), ([1, 1], "[1, 1]"), ([1.5, -0.5], "[ 1.5, -0.5]"), ([np.nan, 1], "[nan,  1.]")],
)
def test_rows_that_are_no_probabilities(row, shown):
    """Neither all zeros, nor two classes, nor a negative number, nor NaN."""
    assert refusal(ArraySpec((2,)), np.array([[0, 1], row])) == (
        f"softmax: targets[1] is {shown}, but a row must be one-hot or probabilities, none negative and their sum 1"
    )


def test_one_hot_that_is_no_number():
    """Objects are not compared in silence."""
    assert refusal(ArraySpec((2,)), np.array([["1", "0"]])) == (
        "softmax: targets must be numbers, given <U1; convert them with y.astype(float)"
    )


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "int64"])
def test_batches_of_any_length_and_dtype_in_one_context(dtype):
    """What is noted for one batch does not reach the next of another length; small integers do not overflow."""
    rng, ctx = np.random.default_rng(0), Context()
    for n in (300, 7, 300, 1):
        scores, y = rng.standard_normal((n, 10)), rng.integers(0, 10, n)
        losses, dscores = Softmax().value_and_grad(scores, y.astype(dtype), ctx)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(losses, -np.log(p[range(n), y]), rtol=1e-12)
        np.testing.assert_allclose(dscores, p - np.eye(10)[y], atol=1e-15)
