"""Where a step fails far from the component at fault, the error names the one at fault."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    Context,
    Layer,
    Loss,
    Model,
    Params,
    ParamSpec,
    Plan,
    PluginError,
    Solver,
    StateSpec,
)

FINDS = f"(module {__name__}); `nnplug check` finds such faults"


@frozen
class Liar(Layer):
    """Gives something else than it promised, forwards or backwards.

    Args:
        how: what.
        back: the same of dx.
    """

    how: str = "kept"
    back: str = "kept"

    def plan(self, x: ArraySpec) -> Plan:
        """The shape stays."""
        return Plan(out=x)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Any, None]:
        """Return x, or something else, or fail."""
        return given(x, self.how), None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Any:
        """Return dout, or something else, or fail."""
        return given(dout, self.back)


@frozen
class Halves(Loss):
    """Half the sum of the squared errors; its gradient as it should be, or not."""

    how: str = "kept"

    def check(self, scores: ArraySpec, targets: Array) -> None:
        """Accept anything."""

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Any]:
        """Return a loss a row, and dscores or something else."""
        return 0.5 * (scores**2).sum(axis=1), given(scores.copy(), self.how)


def given(array: Array, how: str) -> Any:
    """An array as it is, or in a way that breaks a promise."""
    if how == "raises":
        raise ValueError("my own fault")
    return {"kept": array, "float64": array.astype(float), "shape": array[:, :2], "nothing": None}[how]


def around(middle: Layer, loss: Any = "softmax") -> Model:
    """A layer between two affine ones, in a chain of its own."""
    inner = {"type": "chain", "name": "block", "layers": [{"type": "affine", "units": 6}, middle]}
    return nnplug.build({"layers": [inner, {"type": "affine", "units": 3}], "loss": loss}, input_shape=4)


def fit(*, middle: Layer, loss: Any = "softmax", rows: int = 8) -> None:
    """Train with a layer between two others."""
    model, rng = around(middle, loss), np.random.default_rng(0)
    Solver(model, (rng.random((40, 4)), rng.integers(0, 3, 40)), epochs=1, batch_size=rows).fit()


WRONG = [("float64", "(8, {}) float64"), ("shape", "(8, 2) float32"), ("nothing", "NoneType")]


@pytest.mark.parametrize(("how", "shown"), WRONG)
def test_an_output(how: str, shown: str) -> None:
    """The step fails in the affine layer after it."""
    told = (
        f"the layer block.liar1 put out {shown.format(6)}, where its plan promised (8, 6) float32: a fault of Liar "
        f"{FINDS}"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(told)}$"):
        fit(middle=Liar(how))


@pytest.mark.parametrize(("how", "shown"), WRONG)
def test_a_dx(how: str, shown: str) -> None:
    """The step fails in the affine layer before it."""
    told = (
        f"the backward of the layer block.liar1 gave dx {shown.format(6)} for x (8, 6) float32: a fault of Liar {FINDS}"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(told)}$"):
        fit(middle=Liar(back=how))


@pytest.mark.parametrize(("how", "shown"), WRONG)
def test_dscores(how: str, shown: str) -> None:
    """The step fails in the last layer, or where the mean is taken."""
    told = f"the loss gave dscores {shown.format(3)} for scores (8, 3) float32: a fault of Halves {FINDS}"
    with pytest.raises(PluginError, match=f"^{re.escape(told)}$"):
        fit(middle=Liar(), loss=Halves(how))


def test_who_keeps_every_promise_is_not_blamed() -> None:
    """Training just works."""
    fit(middle=Liar(), loss=Halves())


@pytest.mark.parametrize("middle", [Liar("raises"), Liar(back="raises")])
def test_an_error_of_ones_own_stays_as_it_is(middle: Layer) -> None:
    """Forwards and backwards."""
    with pytest.raises(ValueError, match=r"^my own fault$"):
        fit(middle=middle)


def test_a_lowest_layer_that_gives_no_dx_is_not_blamed() -> None:
    """Nobody asked it for one; the layer above is at fault."""
    layers: list[Any] = [{"type": "affine", "units": 4}, Liar(back="shape")]
    model = nnplug.build({"layers": layers, "loss": "mse"}, input_shape=4)
    with pytest.raises(PluginError, match=r"^the backward of the layer liar1 gave dx \(5, 2\)"):
        Solver(model, (np.ones((5, 4)), np.ones((5, 4))), epochs=1, batch_size=5).fit()


# Of a model in use


X, Y = np.ones((5, 4)), np.zeros(5, int)
USES: dict[str, Any] = {
    "one": lambda model: model.predict(X[:1]),
    "predict": lambda model: model.predict(X),
    "many": lambda model: model.scores(np.ones((3000, 4))),
    "activations": lambda model: model.activations(X),
    "evaluate": lambda model: model.evaluate(X, Y),
    "gradients": lambda model: model.gradients(X, Y),
}


@pytest.mark.parametrize("use", USES)
def test_a_model_in_use(use: str) -> None:
    """The same is told as in training, whatever is done with a model."""
    with pytest.raises(PluginError, match=r"^the layer block.liar1 put out \(\d+, 2\) float"):
        USES[use](around(Liar("shape")))


def test_numbers_of_another_dtype_than_was_planned_are_nobodys_fault() -> None:
    """Numerical gradients are computed in float64."""
    with pytest.raises(ValueError, match=r"^my own fault$"):
        around(Liar("raises")).numerical_gradients(X, Y)


def test_the_last_layer_before_a_loss() -> None:
    """The loss fails, and is not at fault."""
    model = nnplug.build({"layers": [Liar("shape")], "loss": "mse"}, input_shape=4)
    with pytest.raises(PluginError, match=r"^the layer liar1 put out \(5, 2\) float32"):
        model.evaluate(X, X)


@frozen
class Sleeper(Liar):
    """Breaks its promise only where it is not trained."""

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Any, None]:
        """Return x, or a part of it."""
        return x if ctx.training else x[:, :2], None


def test_a_layer_that_lies_only_in_inference() -> None:
    """What failed is done again as it was done."""
    around(Sleeper()).gradients(X, Y)
    with pytest.raises(PluginError, match=r"^the layer block.sleeper1 put out \(5, 2\)"):
        around(Sleeper()).predict(X)


# What comes easily to those who write their first layer


@frozen
class Forgetful(Liar):
    """Returns no cache."""

    nothing: bool = False

    def forward(self, params: Params, x: Array, ctx: Context) -> Any:
        """Return ``out`` alone, or not even that."""
        return None if self.nothing else x * 2


@pytest.mark.parametrize(
    ("layer", "rows", "shown"),
    [
        (Forgetful(), 8, "(8, 6) float32"),
        (Forgetful(), 2, "(2, 6) float32"),  # which can be unpacked as if it were out and cache
        (Forgetful(nothing=True), 8, "NoneType"),
    ],
)
def test_a_forward_without_a_cache(layer: Layer, rows: int, shown: str) -> None:
    """The chain cannot unpack it, or the next layer cannot use a row of it."""
    told = (
        f"the layer block.forgetful1 returned {shown} from forward, which must return two things: "
        f"`return out, cache`: a fault of Forgetful {FINDS}"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(told)}$"):
        fit(middle=layer, rows=rows)
    with pytest.raises(PluginError, match=f"^{re.escape(told)}$"):
        around(layer).predict(np.ones((rows, 4)))


@frozen
class Replacing(Liar):
    """Puts arrays of its own where those of the model are."""

    def plan(self, x: ArraySpec) -> Plan:
        """A parameter and a state."""
        return Plan(out=x, params={"a": ParamSpec((1,))}, state={"m": StateSpec((1,))})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Any, None]:
        """Return x."""
        if self.how == "state":
            params["m"] = np.ones(1)  # type: ignore[index]
        return x, None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Any:
        """Return dout."""
        if self.back == "added":
            grads["a"] += dout.sum()  # type: ignore[index]
        else:
            grads["a"] = dout.sum()  # type: ignore[index]
        return dout


@pytest.mark.parametrize(
    ("layer", "where", "what"),
    [
        (Replacing("state"), "the layer block.replacing1", "params['m']"),
        (Replacing(), "the backward of the layer block.replacing1", "grads['a']"),
        (Replacing(back="added"), "the backward of the layer block.replacing1", "grads['a']"),
    ],
)
def test_an_array_put_in_the_place_of_another(layer: Layer, where: str, what: str) -> None:
    """It is said how to write into the one that is there."""
    told = (
        f"{where} puts another array in the place of {what}; write into the one there: {what}[...] = ...: "
        f"a fault of Replacing {FINDS}"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(told)}$"):
        fit(middle=layer)
