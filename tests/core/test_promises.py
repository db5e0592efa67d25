"""Where a step fails far from the component at fault, the error names the one at fault."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import nnplug
from nnplug import Array, ArraySpec, Context, Layer, Loss, Params, Plan, PluginError, Solver

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


def fit(*, middle: Layer, loss: Any = "softmax") -> None:
    """Train a layer between two affine ones, in a chain of its own."""
    inner = {"type": "chain", "name": "block", "layers": [{"type": "affine", "units": 6}, middle]}
    model = nnplug.build({"layers": [inner, {"type": "affine", "units": 3}], "loss": loss}, input_shape=4)
    rng = np.random.default_rng(0)
    Solver(model, (rng.random((40, 4)), rng.integers(0, 3, 40)), epochs=1, batch_size=8).fit()


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
