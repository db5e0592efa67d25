"""The model: what it answers, to whom the answers belong, what it refuses."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    Context,
    DataError,
    Layer,
    Loss,
    Model,
    NnplugError,
    Params,
    ParamSpec,
    Plan,
    ShapeError,
    StateSpec,
)
from nnplug.evaluation import BATCH

LAYERS = [
    {"type": "affine", "units": 6, "name": "hidden"},
    "relu",
    {"type": "chain", "layers": [{"type": "affine", "units": 5}, {"type": "dropout"}]},
    {"type": "affine", "units": 3},
]


def build(layers: Any = None, **options: Any) -> Model:
    """Build a classifier of samples (4,)."""
    config = {"layers": LAYERS if layers is None else layers, **options.pop("config", {})}
    return nnplug.build(config, **{"input_shape": 4, "seed": 1, **options})


@pytest.fixture
def model() -> Model:
    """A small classifier."""
    return build()


@pytest.fixture
def x() -> Array:
    """Seven samples for it."""
    return np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)


Y = np.array([0, 1, 2, 2, 1, 0, 0])
NUMBERED = ": class_names, y = np.unique(y, return_inverse=True)"  # how texts become classes


def softmax(scores: Array) -> Array:
    """Probabilities by the textbook."""
    e = np.exp(scores.astype(float))
    return e / e.sum(axis=1, keepdims=True)


# What it answers


def test_scores_are_the_layers_products(model: Model, x: Array) -> None:
    """Scores are what the formulas of the layers give, dropout doing nothing; dtype is the model's."""
    p = model.params
    hidden = np.maximum(x @ p["hidden.W"] + p["hidden.b"], 0)
    inner = hidden @ p["chain1.affine1.W"] + p["chain1.affine1.b"]
    scores = model.scores(x)
    np.testing.assert_allclose(scores, inner @ p["affine2.W"] + p["affine2.b"], rtol=1e-5)
    assert scores.dtype == np.float32
    assert model.dtype == np.float32


def test_predictions_and_probabilities_follow_from_scores(model: Model, x: Array) -> None:
    """`predict` is the argmax, `probabilities` the softmax of the scores."""
    scores = model.scores(x)
    np.testing.assert_array_equal(model.predict(x), scores.argmax(axis=1))
    np.testing.assert_allclose(model.probabilities(x), softmax(scores), rtol=1e-5)


def test_a_loss_without_probabilities_says_so(x: Array) -> None:
    """An SVM's scores are no probabilities, and `probabilities` says what to use."""
    model = build(config={"loss": "svm"})
    with pytest.raises(NnplugError, match=r"^Svm scores are no probabilities; use scores\(\) or predict\(\)$"):
        model.probabilities(x)


def test_loss_and_evaluate_by_hand(model: Model, x: Array) -> None:
    """The loss is the mean of -log p plus the L2 term over weights without biases; accuracy is a share."""
    with_l2 = build(config={"l2": 0.3})
    losses = -np.log(softmax(model.scores(x))[range(7), Y])
    weights = sum(float((array**2).sum()) for path, array in model.params.items() if path.endswith("W"))
    assert model.loss(x, Y) == pytest.approx(losses.mean(), rel=1e-6)
    assert with_l2.loss(x, Y) == pytest.approx(losses.mean() + 0.5 * 0.3 * weights, rel=1e-6)
    accuracy = (model.predict(x) == Y).mean()
    assert model.evaluate(x, Y) == {"loss": model.loss(x, Y), "accuracy": pytest.approx(accuracy)}
    weight = np.array([1, 0, 2, 0.5, 0, 0, 3])
    assert model.loss(x, Y, weight) == pytest.approx((losses * weight).sum() / 6.5, rel=1e-6)


def test_biases_do_not_decay() -> None:
    """The L2 term does not see biases."""
    model = build(config={"l2": 10.0})
    before = model.network.penalty()
    model.params["affine2.b"][...] = 100
    assert model.network.penalty() == before
    model.params["affine2.W"][...] += 1
    assert model.network.penalty() > before


def test_frozen_weights_are_not_penalised() -> None:
    """The L2 term, which cannot move frozen weights, does not count them."""
    model = build([{"type": "affine", "units": 3, "trainable": False}], config={"l2": 10.0})
    assert model.network.penalty() == 0.0


def test_evaluate_takes_metrics_by_name_table_or_component(model: Model, x: Array) -> None:
    """Metrics are reported under their registry names; of an unknown one the error says what there is."""
    found = model.evaluate(x, Y, metrics=["accuracy", {"type": "top_k", "k": 2}])
    assert set(found) == {"loss", "accuracy", "top_k"}
    best_two = model.scores(x).argsort(axis=1)[:, 1:]
    assert found["top_k"] == pytest.approx((best_two == Y[:, None]).any(axis=1).mean())
    assert set(model.evaluate(x, Y, metrics=())) == {"loss"}
    component = nnplug.Registry().create("metric", "accuracy")
    assert model.evaluate(x, Y, metrics=[component])["accuracy"] == found["accuracy"]
    with pytest.raises(nnplug.ConfigError, match=r"no metric is called 'acuracy'; did you mean 'accuracy'\?"):
        model.evaluate(x, Y, metrics=["acuracy"])


def test_activations_are_every_layers_output(model: Model, x: Array) -> None:
    """Activations come by path from input to output, composites after their children, the last being the scores."""
    found = model.activations(x)
    assert list(found) == ["hidden", "relu1", "chain1.affine1", "chain1.dropout1", "chain1", "affine2"]
    np.testing.assert_array_equal(found["relu1"], np.maximum(found["hidden"], 0))
    np.testing.assert_array_equal(found["chain1"], found["chain1.affine1"])
    np.testing.assert_array_equal(found["affine2"], model.scores(x))


@pytest.mark.parametrize("rows", [BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 2 * BATCH + 5])
def test_many_rows_give_what_few_rows_give(model: Model, rows: int) -> None:
    """Above one batch, scores are those of the parts; every row stays in its place."""
    x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
    whole = model.scores(x)
    assert whole.shape == (rows, 3)
    assert whole.dtype == np.float32
    parts = np.concatenate([model.scores(part) for part in np.array_split(x, 7)])
    np.testing.assert_allclose(whole, parts, rtol=1e-5, atol=1e-6)
    y = np.random.default_rng(0).integers(0, 3, rows)
    losses = -np.log(softmax(whole)[range(rows), y])
    assert model.loss(x, y) == pytest.approx(losses.mean(), rel=1e-5)


def test_raw_bytes_are_scaled_inside() -> None:
    """A model with a scale takes uint8 as the loader delivered it, everywhere."""
    scaled, plain = build(scale=(10.0, 1 / 255)), build()
    raw = np.random.default_rng(0).integers(0, 256, (7, 4), np.uint8)
    x = ((raw.astype(np.float64) - 10) / 255).astype(np.float32)
    np.testing.assert_allclose(scaled.scores(raw), plain.scores(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scaled.activations(raw)["hidden"], plain.activations(x)["hidden"], rtol=1e-5, atol=1e-6)
    assert scaled.loss(raw, Y) == pytest.approx(plain.loss(x, Y), rel=1e-5)
    assert scaled.gradients(raw, Y)[0] == pytest.approx(plain.gradients(x, Y, training=True)[0], rel=1e-5)
    np.testing.assert_array_equal(raw, np.random.default_rng(0).integers(0, 256, (7, 4), np.uint8))


@pytest.mark.parametrize("make", [list, np.ndarray.tolist, np.asfortranarray, lambda x: x.astype(np.float64)[::1]])
def test_lists_and_other_layouts_are_taken(model: Model, x: Array, make: Callable[[Array], Any]) -> None:
    """Lists, lists of rows, Fortran order and float64 give the scores of the plain array."""
    np.testing.assert_allclose(model.scores(make(x)), model.scores(x), rtol=1e-5, atol=1e-6)
    assert model.evaluate(make(x), Y.tolist()) == pytest.approx(model.evaluate(x, Y))
    loss, _ = model.gradients(make(x), Y.tolist(), [1.0] * 7)
    assert loss == pytest.approx(model.gradients(x, Y)[0])


def test_integers_and_booleans_are_numbers(model: Model) -> None:
    """Integer and boolean samples are cast to the model's dtype."""
    x = np.array([[0, 1, 1, 0]])
    for dtype in ("int64", "uint8", "bool", "float16"):
        np.testing.assert_array_equal(model.scores(x.astype(dtype)), model.scores(x.astype(np.float32)))


def test_one_row_and_no_row(model: Model) -> None:
    """A batch of one and a batch of none have the right shapes and dtypes."""
    for rows in (1, 0):
        x = np.zeros((rows, 4), np.float32)
        assert model.scores(x).shape == (rows, 3)
        assert model.predict(x).shape == (rows,)
        assert model.probabilities(x).shape == (rows, 3)
        assert {path: a.shape for path, a in model.activations(x).items()}["hidden"] == (rows, 6)
    assert model.evaluate(np.zeros((1, 4)), [1]).keys() == {"loss", "accuracy"}
    for call in (model.evaluate, model.loss, model.gradients, model.numerical_gradients):
        with pytest.raises(DataError, match=r"^the given split is empty: x has shape \(0, 4\)$"):
            call(np.zeros((0, 4)), np.zeros(0, int))


# What belongs to whom


@frozen
class Constant(Layer):
    """A stranger's layer whose output is its parameter, whatever comes in."""

    def plan(self, x: ArraySpec) -> Plan:
        """As many numbers as x has."""
        return Plan(out=x, params={"c": ParamSpec((1, *x.shape), 2.0)})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """Return the parameter, a view where one row is asked for."""
        return (params["c"] if len(x) == 1 else np.repeat(params["c"], len(x), axis=0)), None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """The input has no influence."""
        grads["c"][...] = dout.sum(axis=0)
        return np.zeros_like(dout)


@pytest.mark.parametrize("rows", [1, 7, BATCH + 1])
@pytest.mark.parametrize("layers", [LAYERS, ["flatten"], [{"type": "dropout"}], [Constant()]], ids=str)
def test_answers_belong_to_the_caller(layers: list[Any], rows: int) -> None:
    """Writing to an answer changes neither the input, nor the model, nor the next answer."""
    model = build(layers, config={"loss": "softmax"})
    x = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    kept = x.copy()
    calls = [model.scores, model.predict, model.probabilities, lambda x: model.activations(x)["hidden"]]
    if layers is not LAYERS:
        calls[-1] = lambda x: next(iter(model.activations(x).values()))
    for call in calls:
        first, second = call(x), call(x)
        expected = second.copy()
        assert not np.shares_memory(first, second)
        first[...] = 99
        np.testing.assert_array_equal(x, kept)
        np.testing.assert_array_equal(second, expected)
        np.testing.assert_array_equal(call(x), expected)


def test_an_answer_outlives_the_next_call(model: Model, x: Array) -> None:
    """Scratch memory is not handed out: scores of one batch stay as they are while others are computed."""
    scores = model.scores(x)
    activations = model.activations(x)
    kept = scores.copy(), {path: a.copy() for path, a in activations.items()}
    model.scores(-x), model.activations(-x), model.evaluate(-x, Y), model.gradients(-x, Y)
    np.testing.assert_array_equal(scores, kept[0])
    for path, array in activations.items():
        np.testing.assert_array_equal(array, kept[1][path])


@pytest.mark.parametrize("name", ["params", "grads", "state"])
def test_parameters_are_written_but_not_replaced(model: Model, name: str) -> None:
    """The mappings are read-only; their arrays are views that the network sees."""
    mapping: Any = getattr(model, name)
    with pytest.raises(TypeError):
        mapping["affine2.b"] = np.zeros(3)
    x = np.zeros((1, 4))
    model.params["affine2.b"][...] = [1, 2, 3]
    before = model.params["affine2.W"].copy()
    model.params["affine2.W"][...] = 0
    np.testing.assert_array_equal(model.scores(x), [[1, 2, 3]])
    assert before.any()


def test_several_threads_predict_as_one_does(model: Model) -> None:
    """Eight threads on batches of many sizes get, each, what a single one gets."""
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(rows, 4)).astype(np.float32) for rows in (1, 3, 64, 200, 1000, BATCH + 7, 3000, 5)]
    expected = [(model.scores(b), model.predict(b), model.probabilities(b), model.activations(b)) for b in batches]
    wrong: list[str] = []

    def work(i: int) -> None:
        for _ in range(20):
            b, (scores, predicted, probabilities, activations) = batches[i], expected[i]
            found = model.activations(b)
            same = np.array_equal(model.scores(b), scores) and np.array_equal(model.predict(b), predicted)
            same = same and np.array_equal(model.probabilities(b), probabilities)
            if not (same and all(np.array_equal(found[path], activations[path]) for path in found)):
                wrong.append(f"batch {i}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@frozen
class Meeting(Layer):
    """A stranger's layer that copies x, and waits until a second thread has done so too.

    Args:
        barrier: where they meet.
    """

    barrier: Any

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """Return the copy, as it is after the meeting."""
        out = ctx.empty(x.shape, x.dtype)
        out[...] = x
        self.barrier.wait(10)
        return out, None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """As forward does."""
        return dout


@pytest.mark.parametrize("rows", [1, 7, BATCH + 1])
def test_threads_have_scratch_memory_of_their_own(rows: int) -> None:
    """Two threads in the same layer at the same moment do not see each other's numbers."""
    model = build([Meeting(threading.Barrier(2))], config={"loss": "mse"})
    batches = [np.full((rows, 4), value, np.float32) for value in (1, 2)]
    found: list[Any] = [None, None]

    def work(i: int) -> None:
        found[i] = model.scores(batches[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, batches)


# What it refuses


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 5)), "x has shape (2, 5), the model takes (N, 4)"),
        (np.zeros(4), "x has shape (4,), the model takes (N, 4); for a single sample give x[None]"),
        (np.zeros(3), "x has shape (3,), the model takes (N, 4)"),
        (np.zeros((2, 4, 1)), "x has shape (2, 4, 1), the model takes (N, 4)"),
        (3.0, "x has shape (), the model takes (N, 4)"),
        (None, "x has shape (), the model takes (N, 4)"),
        ([], "x has shape (0,), the model takes (N, 4)"),
    ],
)
def test_wrong_shapes_are_refused_everywhere(model: Model, x: Any, message: str) -> None:
    """A batch of another shape is refused by every method in the same words."""
    calls: list[Callable[[Any], Any]] = [
        model.scores,
        model.predict,
        model.probabilities,
        model.activations,
        lambda x: model.loss(x, Y),
        lambda x: model.evaluate(x, Y),
        lambda x: model.gradients(x, Y),
        lambda x: model.numerical_gradients(x, Y),
    ]
    for call in calls:
        with pytest.raises(ShapeError) as caught:
            call(x)
        assert str(caught.value) == message


def test_an_images_shape_is_told_in_full() -> None:
    """With samples of several dimensions the message names them all."""
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=(1, 8, 8))
    with pytest.raises(ShapeError, match=r"^x has shape \(3, 64\), the model takes \(N, 1, 8, 8\)$"):
        model.scores(np.zeros((3, 64)))


@pytest.mark.parametrize(
    "x", [[["a"] * 4], np.full((1, 4), None), np.zeros((1, 4), complex), np.zeros((1, 4), "M8[s]")]
)
def test_what_is_no_number_is_refused(model: Model, x: Any) -> None:
    """Texts, objects, complex numbers and dates are no samples."""
    with pytest.raises(DataError, match=r"^x has dtype .*; the model takes numbers$"):
        model.scores(x)
    with pytest.raises(DataError, match=r"^the given split's x has dtype .*; give numbers$"):
        model.evaluate(x, [1])


def test_ragged_lists_are_refused(model: Model, x: Array) -> None:
    """Rows of different lengths are told as such, for samples, targets and weights."""
    with pytest.raises(DataError, match=r"^x cannot be made an array: .*inhomogeneous"):
        model.scores([[1, 2, 3, 4], [1]])
    with pytest.raises(DataError, match=r"^the given split's y cannot be made an array: "):
        model.evaluate(x, [[1], [1, 2], 1, 1, 1, 1, 1])
    with pytest.raises(DataError, match=r"^the given split's weights cannot be made an array: "):
        model.evaluate(x, Y, [[1], [1, 2], 1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("y", "weight", "message"),
    [
        (Y[:6], None, "the given split has 7 rows in x but 6 in y"),
        (3, None, "the given split has 7 rows in x but 1 in y"),
        (
            list("abcdefg"),
            None,
            "the given split's targets have dtype <U1; give numbers, for classes 0 to C-1" + NUMBERED,
        ),
        (Y, np.ones(6), "the given split's weights have shape (6,), expected one per row, (7,)"),
        (Y, np.ones((7, 1)), "the given split's weights have shape (7, 1), expected one per row, (7,)"),
        (Y, -np.ones(7), "the given split's weights must be finite numbers, none negative and not all zero"),
        (Y, np.zeros(7), "the given split's weights must be finite numbers, none negative and not all zero"),
        (Y, np.full(7, np.nan), "the given split's weights must be finite numbers, none negative and not all zero"),
        (Y, list("abcdefg"), "the given split's weights must be finite numbers, none negative and not all zero"),
    ],
)
def test_wrong_targets_and_weights_are_refused(model: Model, x: Array, y: Any, weight: Any, message: str) -> None:
    """What does not belong to the rows is refused by evaluate, loss and gradients alike."""
    for call in (model.evaluate, model.loss, model.gradients):
        with pytest.raises(DataError) as caught:
            call(x, y, weight)
        assert str(caught.value) == message


def test_nan_is_passed_on_by_scores_and_refused_by_losses(model: Model, x: Array) -> None:
    """NaN in, NaN out of `scores` in that row alone; a loss of it is refused with its row."""
    x[3, 1] = np.nan
    scores = model.scores(x)
    assert np.isnan(scores[3]).all()
    assert np.isfinite(np.delete(scores, 3, axis=0)).all()
    for call in (model.evaluate, model.gradients, model.loss):
        with pytest.raises(DataError, match="x holds NaN or infinity in 1 of 7 rows, the first is row 3;"):
            call(x, Y)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integer_input_is_not_rounded(dtype: str) -> None:
    """A model of integer input takes whole numbers that fit, of any dtype, and refuses all others."""
    model = nnplug.build({"layers": ["flatten"], "loss": "mse", "input_dtype": dtype}, input_shape=2)
    np.testing.assert_array_equal(model.scores([[3.0, 200.0]]), [[3, 200]])
    for wrong in (1.5, np.nan, np.inf, 1e30, -1 if dtype == "uint8" else 2.0**70):
        with pytest.raises(DataError, match=rf"^x holds .*, which the model's input_dtype {dtype} cannot$"):
            model.scores([[3.0, wrong]])


# Others' losses


@frozen
class PerToken(Loss):
    """A stranger's loss with one value an output, (N, T), and no metrics."""

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        """Half the squared error of each output."""
        error = scores - targets
        return 0.5 * error**2, error

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Anything goes."""


@pytest.mark.parametrize("weight", [None, np.array([0.0, 1.0, 3.0, 0.5, 1.0, 1.0, 1.0])], ids=["plain", "weighted"])
def test_losses_of_several_values_a_row_are_averaged(x: Array, weight: Array | None) -> None:
    """With losses (N, T) the mean is over both axes, the row's weight counting for each of its values."""
    model = build([{"type": "affine", "units": 3}], config={"loss": PerToken()}, dtype="float64")
    y = np.random.default_rng(1).normal(size=(7, 3))
    losses = 0.5 * (model.scores(x.astype(float)) - y) ** 2
    expected = np.average(losses.mean(axis=1), weights=weight)
    assert model.evaluate(x, y, weight) == {"loss": pytest.approx(expected)}
    loss, gradients = model.gradients(x, y, weight)
    assert loss == pytest.approx(expected)
    numerical = model.numerical_gradients(x, y, weight)
    assert nnplug.norm_error(gradients["affine1.W"], numerical["affine1.W"]) < 1e-7
    np.testing.assert_array_equal(model.predict(x), model.scores(x))


@frozen
class Centred(Layer):
    """Takes a running mean away."""

    def plan(self, x: ArraySpec) -> Plan:
        """It keeps the mean."""
        return Plan(out=x, state={"mean": StateSpec(x.shape)})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """In training the mean moves."""
        if ctx.training:
            params["mean"][...] += 0.1 * (x.mean(axis=0) - params["mean"])
        return x - params["mean"], None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """As if the mean were given."""
        return dout


def through_pickle(model: Model) -> Model:
    """As another process gets it."""
    return pickle.loads(pickle.dumps(model))  # noqa: S301  (our own bytes)


@pytest.mark.parametrize("copied", [copy.deepcopy, through_pickle])
def test_a_copy_goes_on_alike_and_by_itself(x: Array, copied: Callable[[Model], Model]) -> None:
    """It trains to the same bytes, dropout and order of rows included, and leaves the other as it was."""
    layers = [*LAYERS[:-1], "centred", LAYERS[-1]]
    registry = nnplug.Registry()
    registry.register(Centred)
    model = build(layers, config={"l2": 0.01}, registry=registry)
    fit(model, x)
    other, before = copied(model), {name: a.tobytes() for name, a in {**model.params, **model.state}.items()}
    assert {name: a.tobytes() for name, a in {**other.params, **other.state}.items()} == before
    assert all(a.ctypes.data % 64 == 0 for a in (other.network.buffers.vector, other.network.buffers.gradient))
    fit(other, x)
    assert {name: a.tobytes() for name, a in {**model.params, **model.state}.items()} == before
    fit(model, x)
    for name, values in {**model.params, **model.state}.items():
        assert values.tobytes() == {**other.params, **other.state}[name].tobytes() != before[name], name
    assert (other.classes, other.seed, repr(other)) == (model.classes, model.seed, repr(model))


def fit(model: Model, x: Array) -> None:
    """Some steps."""
    nnplug.Solver(model, (x, Y), update="momentum", epochs=2, batch_size=3).fit()


def test_repr_says_what_it_is(model: Model) -> None:
    """The repr names the shapes and the number of parameters."""
    assert repr(model) == "<Model (4,) -> (3,), 83 parameters>"


# What it learns from its data


def dataset(**options: Any) -> nnplug.Dataset:
    """Bytes with facts about them."""
    x = np.random.default_rng(0).integers(0, 256, (12, 4), np.uint8)
    return nnplug.Dataset((x, np.arange(12) % 3), **options)


def test_training_tells_the_model_about_its_data() -> None:
    """Scale, classes and their names are taken over from the data, as numbers that a file can hold."""
    model = build()
    facts = {"scale": (np.float32(2), np.float32(0.25)), "classes": np.int64(3), "class_names": ("a", "b", "c")}
    nnplug.Solver(model, dataset(**facts), epochs=1, batch_size=4)
    assert (model.scale, model.classes, model.class_names) == ((2.0, 0.25), 3, ("a", "b", "c"))
    assert model.feature_names is None
    nnplug.Solver(model, dataset(feature_names=list("wxyz")), epochs=1, batch_size=4)
    model.save("m")
    assert nnplug.load("m").feature_names == copy.deepcopy(model).feature_names == tuple("wxyz")
    raw = dataset().train[0]
    np.testing.assert_array_equal(nnplug.load("m").scores(raw), model.scores(raw))
    np.testing.assert_array_equal(model.scores(raw), build().scores((raw.astype("f4") - 2) * np.float32(0.25)))


def test_what_the_model_knows_is_not_overwritten() -> None:
    """A scale that was given stays; data of another scale is refused, data without one is raw input."""
    model = build(scale=(0.0, 0.5), classes=5, class_names=list("vwxyz"))
    model.adopt(dataset(classes=3, class_names=("a", "b", "c")))
    model.adopt(dataset(scale=(0.0, np.float32(0.5))))
    assert (model.scale, model.classes, model.class_names) == ((0.0, 0.5), 5, tuple("vwxyz"))
    with pytest.raises(DataError) as caught:
        model.adopt(dataset(scale=(0.0, 0.25)))
    assert str(caught.value) == (
        "the data is scaled with (offset, factor) (0.0, 0.25), the model was made for (0.0, 0.5); "
        "load it with that scale, or build a new model for it"
    )


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            {"scale": (0.0, 0.0)},
            "scale: must be two finite numbers, offset and factor, and the factor not 0: (0.0, 0.0)",
        ),
        ({"scale": 0.5}, "scale: expected a list of a number, a number or nothing, got 0.5"),
        ({"classes": 2.5}, "classes: expected an integer or nothing, got 2.5"),
        ({"class_names": "abc"}, "class_names: expected a list, each a text or nothing, got 'abc'"),
        (
            {"feature_names": list("abc")},
            "feature_names: holds 3 for samples of shape (4,); give one for each column, or none",
        ),
        ({"feature_names": list("abca")}, "feature_names: two are called 'a'"),
        (
            {"class_names": [str(i) * 9_000 for i in range(9)]},
            "class_names: the names have 81,000 characters together; a model file takes no more than 80,000",
        ),
        (
            {"class_names": [str(i) for i in range(10_001)]},
            "class_names: holds 10,001 names; a model file takes no more than 10,000",
        ),
    ],
)
def test_facts_that_cannot_be_are_refused(facts: dict[str, Any], message: str) -> None:
    """What a loader says about its data is checked before training."""
    with pytest.raises(nnplug.ConfigError) as caught:
        nnplug.Solver(build(), dataset(**facts), epochs=1, batch_size=4)
    assert str(caught.value) == message


def test_scaled_data_does_not_become_zeros_of_integers() -> None:
    """A model of integer input refuses data that wants to be scaled, and stays as it was."""
    model = nnplug.build({"layers": ["flatten"], "loss": "mse", "input_dtype": "int64"}, input_shape=4)
    with pytest.raises(nnplug.ConfigError, match=r"int64 cannot hold x times 0.25; the data is scaled"):
        model.adopt(dataset(scale=(0.0, 0.25)))
    assert model.scale is None


def test_all_names_that_are_taken_can_be_kept(tmp_path: Path) -> None:
    """The longest lists, of characters that JSON takes most room for."""
    names = [chr(0x1F600 + i // 1000) * 4 + f"{i:04}" for i in range(10_000)]
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=10_000, classes=10_000, class_names=names)
    model.adopt(nnplug.Dataset((np.zeros((2, 10_000)), [0, 1]), feature_names=tuple(names)))
    model.save(tmp_path / "m")
    assert nnplug.load(tmp_path / "m").feature_names == tuple(names)
