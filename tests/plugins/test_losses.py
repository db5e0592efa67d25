"""What holds for every built-in loss: values and gradients against plain loops, nothing overwritten, float32."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest

from nnplug import Context
from nnplug.arena import Arena
from nnplug.gradcheck import norm_error, numerical_gradient
from nnplug_builtins.binary_cross_entropy import BinaryCrossEntropy
from nnplug_builtins.mse import Mse
from nnplug_builtins.softmax import Softmax
from nnplug_builtins.svm import Svm


def spread(rng, n, outputs):
    """Scores whose differences are at least 0.06 from 1, where the hinge of the SVM has its kink.

    They are multiples of 0.3, so that differences are too, give or take 0.04.
    """
    return 0.3 * rng.integers(-6, 7, (n, outputs)) + rng.uniform(-0.02, 0.02, (n, outputs))


def indices(rng, n, classes):
    """Class indices, in the smallest dtype that data files use."""
    return rng.integers(0, classes, n).astype(np.uint8)


def probabilities(rng, n, classes):
    """Rows that are positive and sum to 1."""
    return rng.dirichlet(np.ones(classes), n)


def softmax_row(s, t):
    """Cross-entropy of one row, as a textbook has it; t is a class or a probability for each."""
    total = sum(math.exp(value) for value in s)
    p = [math.exp(value) / total for value in s]
    return -sum(weight * math.log(p[j]) for j, weight in enumerate(t)) if np.ndim(t) else -math.log(p[int(t)])


def svm_row(s, t):
    """Multiclass hinge of one row with margin 1."""
    return sum(max(0.0, s[j] - s[int(t)] + 1) for j in range(len(s)) if j != int(t))


def mse_row(s, t):
    """Mean of one row's squared differences."""
    s, t = np.ravel(s), np.ravel(t)
    return sum((s[j] - t[j]) ** 2 for j in range(len(s))) / len(s)


def binary_row(s, t):
    """Mean of one row's binary cross-entropies."""
    s, t = np.ravel(s), np.ravel(t)
    p = [1 / (1 + math.exp(-value)) for value in s]
    return sum(-t[j] * math.log(p[j]) - (1 - t[j]) * math.log(1 - p[j]) for j in range(len(s))) / len(s)


# loss, the loop it is compared with, number of outputs, targets
CASES = {
    "softmax": (Softmax(), softmax_row, 4, indices),
    "softmax, one row a class": (Softmax(), softmax_row, 7, indices),
    "softmax, probabilities": (Softmax(), softmax_row, 4, probabilities),
    "softmax, one-hot": (Softmax(), softmax_row, 4, lambda rng, n, c: np.eye(c)[indices(rng, n, c)]),
    "softmax, many classes": (Softmax(), softmax_row, 70, indices),
    "softmax, many classes, probabilities": (Softmax(), softmax_row, 70, probabilities),
    "svm": (Svm(), svm_row, 4, indices),
    "svm, one row a class": (Svm(), svm_row, 7, indices),
    "svm, many classes": (Svm(), svm_row, 70, indices),
    "mse": (Mse(), mse_row, 3, lambda rng, n, t: rng.standard_normal((n, t))),
    "mse, one output": (Mse(), mse_row, 1, lambda rng, n, t: rng.standard_normal((n, t))),
    "mse, one output, vector": (Mse(), mse_row, 1, lambda rng, n, t: rng.standard_normal(n)),
    "binary": (BinaryCrossEntropy(), binary_row, 1, lambda rng, n, t: rng.integers(0, 2, (n, t))),
    "binary, vector": (BinaryCrossEntropy(), binary_row, 1, lambda rng, n, t: rng.integers(0, 2, n)),
    "binary, multi-label": (BinaryCrossEntropy(), binary_row, 3, lambda rng, n, t: rng.integers(0, 2, (n, t))),
    "binary, probabilities": (BinaryCrossEntropy(), binary_row, 3, lambda rng, n, t: rng.random((n, t))),
}
ROWS = 7

every_case = pytest.mark.parametrize("case", CASES)
twenty_seeds = pytest.mark.parametrize("seed", range(20))
every_loss = pytest.mark.parametrize("loss", [Softmax(), Svm(), Mse(), BinaryCrossEntropy()], ids=repr)


class PoisonedContext(Context):
    """Scratch memory comes full of NaN, so that reading it before writing shows."""

    def empty(self, shape, dtype=None):
        """Like Context.empty, filled with NaN."""
        array = super().empty(shape, dtype)
        array.fill(np.nan)
        return array


def set_up(case, seed=0):
    """A loss, its loop, scores and targets."""
    loss, row, outputs, targets = CASES[case]
    rng = np.random.default_rng(seed)
    return loss, row, spread(rng, ROWS, outputs), targets(rng, ROWS, outputs)


@every_case
@twenty_seeds
def test_values_are_those_of_a_plain_loop(case, seed):
    """One loss a row, equal to the textbook's formula written out."""
    loss, row, scores, targets = set_up(case, seed)
    losses, _ = loss.value_and_grad(scores, targets, Context())
    np.testing.assert_allclose(
        losses, [row(s, t) for s, t in zip(scores, targets, strict=True)], rtol=1e-10, atol=1e-14
    )


@every_case
@twenty_seeds
def test_gradients_are_the_numerical_ones(case, seed):
    """Each row of dscores is the gradient of that row's own loss: weighted sums of the losses tell them apart."""
    loss, _, scores, targets = set_up(case, seed)
    weight = np.random.default_rng(seed + 100).uniform(0.5, 2, ROWS)

    def objective():
        return float(loss.value_and_grad(scores, targets, Context())[0] @ weight)

    _, dscores = loss.value_and_grad(scores, targets, Context())
    assert norm_error(dscores * weight[:, None], numerical_gradient(objective, scores)) < 1e-7


@every_case
def test_scores_and_targets_are_not_written_to(case):
    """Both may be read-only, and dscores shares no memory with them: the model scales it in place."""
    loss, _, scores, targets = set_up(case)
    scores.flags.writeable = targets.flags.writeable = False
    losses, dscores = loss.value_and_grad(scores, targets, Context())
    for array in (scores, targets, losses):
        assert not np.may_share_memory(dscores, array)
    assert dscores.flags.writeable
    assert dscores.flags.c_contiguous


@every_case
@pytest.mark.parametrize("target_dtype", ["given", "float64", "float32"])
def test_float32_stays_float32(case, target_dtype):
    """Losses and gradients of float32 scores are float32, whatever the targets' dtype, and right to its precision."""
    loss, _, scores, targets = set_up(case)
    if target_dtype != "given" and (targets.ndim == 2 or targets.dtype.kind == "f"):
        targets = targets.astype(target_dtype)
    losses, dscores = loss.value_and_grad(scores.astype("float32"), targets, Context(dtype="float32"))
    wide_losses, wide_dscores = loss.value_and_grad(scores, targets, Context())
    assert (losses.dtype, dscores.dtype) == (np.float32, np.float32)
    assert (losses.shape, dscores.shape) == ((ROWS,), scores.shape)
    np.testing.assert_allclose(losses, wide_losses, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dscores, wide_dscores, rtol=1e-5, atol=1e-6)


@every_case
def test_recycled_memory_gives_the_same_and_no_more_is_allocated(case):
    """A second step in the first one's memory, poisoned with NaN, repeats its results and allocates nothing."""
    loss, _, scores, targets = set_up(case)
    expected = loss.value_and_grad(scores, targets, Context())
    arena = Arena()
    ctx = PoisonedContext(arena=arena)
    for step in range(2):
        arena.start(ROWS)
        np.testing.assert_equal(loss.value_and_grad(scores, targets, ctx), expected)
        if step == 0:
            allocated = arena.allocations
    assert arena.allocations == allocated


@every_case
def test_scores_of_any_layout(case):
    """Columns first, or every other row of something larger: the same results."""
    loss, _, scores, targets = set_up(case)
    expected = loss.value_and_grad(scores, targets, Context())
    for same in (np.asfortranarray(scores), np.repeat(scores, 2, axis=0)[::2]):
        losses, dscores = loss.value_and_grad(same, targets, Context())
        np.testing.assert_allclose(losses, expected[0], rtol=1e-13)
        np.testing.assert_allclose(dscores, expected[1], rtol=1e-13)


@every_case
def test_each_row_by_itself(case):
    """A row's loss and gradient do not depend on the rest of the batch; a batch of one row, or none, is one."""
    loss, _, scores, targets = set_up(case)
    losses, dscores = loss.value_and_grad(scores, targets, Context())
    for n in range(ROWS):
        one_loss, one_dscores = loss.value_and_grad(scores[n : n + 1], targets[n : n + 1], Context())
        np.testing.assert_allclose(one_loss, losses[n : n + 1], rtol=1e-13)
        np.testing.assert_allclose(one_dscores, dscores[n : n + 1], rtol=1e-13)
    none_losses, none_dscores = loss.value_and_grad(scores[:0], targets[:0], Context())
    assert (none_losses.shape, none_dscores.shape) == ((0,), (0, scores.shape[1]))


@every_case
def test_nan_is_not_hidden(case):
    """A row with NaN has the loss NaN, and no other row has."""
    loss, _, scores, targets = set_up(case)
    scores[2] = np.nan
    losses, _ = loss.value_and_grad(scores, targets, Context())
    np.testing.assert_array_equal(np.isnan(losses), np.arange(ROWS) == 2)


@pytest.mark.parametrize("loss", [Softmax(), Svm()], ids=repr)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_indices_of_any_integer_dtype(loss, dtype):
    """Whatever dtype the labels come in, with as many rows as classes or not, the gradient is at the row's class."""
    for n in (5, 6):
        scores = spread(np.random.default_rng(1), n, 5)
        y = np.arange(n)[::-1] % 5
        losses, dscores = loss.value_and_grad(scores, y.astype(dtype), Context())
        expected_losses, expected_dscores = loss.value_and_grad(scores, y, Context())
        np.testing.assert_array_equal(losses, expected_losses)
        np.testing.assert_array_equal(dscores, expected_dscores)


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("softmax", ("accuracy",)),
        ("svm", ("accuracy",)),
        ("mse", ("mean_absolute_error", "r2")),
        ("binary_cross_entropy", ("binary_accuracy",)),
    ],
)
def test_the_hook_provides_the_name_and_the_metrics_that_fit(name, metrics):
    """Each module's hook returns its one loss under the entry point's name."""
    provided = import_module(f"nnplug_builtins.{name}").nnplug_losses()
    assert [*provided] == [name]
    assert provided[name]().metrics == metrics
