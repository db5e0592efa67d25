"""What a user gives in a wrong place is told in words, with what was meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug_builtins.accuracy import Accuracy
from nnplug_builtins.relu import Relu
from nnplug_builtins.sgd import SGD

X = np.random.default_rng(0).random((50, 4))
Y = np.arange(50) % 3


@frozen
class Nothing(nnplug.Metric):
    """Computes something, and forgets to return it."""

    def __call__(self, scores, targets):
        """Return None."""


@frozen
class InPlace(nnplug.Layer):
    """A rectified linear unit that overwrites its input."""

    def plan(self, x):
        """The shape stays."""
        return nnplug.Plan(out=x)

    def forward(self, params, x, ctx):
        """Write into x."""
        return np.maximum(x, 0, out=x), None

    def backward(self, params, grads, cache, dout, ctx):
        """Never called here."""


def build(layers=({"type": "affine", "units": 3},)):
    """A small classifier."""
    return nnplug.build({"layers": list(layers), "loss": "softmax"}, input_shape=4, seed=0)


def solver(x=X, y=Y, **options):
    """A Solver of it."""
    return nnplug.Solver(build(), (x, y), batch_size=10, **options)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: nnplug.Solver(None, (X, Y)), "a Solver trains a Model, as nnplug.build gives it, not None"),
        (lambda: solver(update=SGD), "got the class SGD itself, where an object SGD(...) was meant"),
        (lambda: solver(metrics=[Accuracy]), "train.metrics[0]: expected the name of a metric or a table"),
        (
            lambda: build([Relu]),
            "model.layers[0]: expected the name of a layer or a table with a 'type', got the class",
        ),
        (lambda: solver().evaluate("tset"), "there is no 'tset' split; there are train"),
        (lambda: solver(x=(row for row in X)), "the train split's x is a generator, which can be gone through once"),
        (lambda: solver(y=iter(Y.tolist())), "the train split's y is a list_iterator"),
        (lambda: solver(validation=(X, Y)), "train.validation: expected a share of the rows; rows of their own: "),
        (
            lambda: solver(validation=0.2, monitor="validation_accuracy"),
            "there are loss, accuracy; without 'validation_', no other split is monitored",
        ),
        (lambda: solver(y=np.array(["a", "b"] * 25)), "class_names, y = np.unique(y, return_inverse=True)"),
        (lambda: solver(y=np.where(Y, Y, np.nan)), "leave out the rows where they are NaN"),
        (
            lambda: solver(class_weights=[1.0, 2.0, 3.0, 4.0]),
            "train.class_weights: holds 4 weights, but there are 3 classes",
        ),
        (
            lambda: solver(epochs=1).fit().column("train_los"),
            "the history has no column 'train_los'; did you mean 'train_loss'?; there are epoch, step, learning_rate, ",
        ),
        (
            lambda: build().evaluate(X, Y, metrics=[Nothing()]),
            f"the metric 'Nothing' gave None, which is no number: a fault of Nothing (module {__name__})",
        ),
    ],
)
def test_what_was_meant_is_told(wrong, message):
    """One error of nnplug's own, no traceback from somewhere inside."""
    with pytest.raises(nnplug.NnplugError) as caught:
        wrong()
    assert message in str(caught.value)


def test_weights_go_into_a_model(tmp_path: Path) -> None:
    """Not into a dictionary."""
    build().save(tmp_path / "model.safetensors")
    with pytest.raises(nnplug.NnplugError, match="'into' is the model that takes the weights over"):
        nnplug.load(tmp_path / "model.safetensors", into={})


def test_parameters_are_written_into_and_not_replaced():
    """A mapping of one's own would change what is saved, and nothing that is predicted."""
    model = build()
    with pytest.raises(AttributeError):
        model.params = {}
    model.params["affine1.W"][...] = 0
    assert not model.scores(X).any()


def test_the_version_is_where_people_look_for_it():
    """The one of the distribution."""
    from importlib.metadata import version

    assert nnplug.__version__ == version("nnplug")


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x: model.predict(x),
        lambda model, x: model.predict(x[:1]),
        lambda model, x: model.activations(x),
        lambda model, x: model.evaluate(x, Y),
        lambda model, x: model.gradients(x, Y),
    ],
)
def test_a_layer_that_writes_into_its_input_does_not_write_into_the_callers_data(use):
    """It fails, and the data is as it was."""
    model = build([InPlace(), {"type": "affine", "units": 3}])
    x = np.full((50, 4), -1, np.float32)
    with pytest.raises(ValueError, match="read-only"):
        use(model, x)
    assert (x == -1).all()
    assert x.flags.writeable
