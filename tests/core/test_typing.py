"""Type checkers understand the contracts: strict mypy passes a right plugin and rejects wrong ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

RIGHT = '''
"""Scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from attrs import define, field, frozen
from attrs.validators import ge
from numpy.random import Generator

import nnplug
from nnplug import (
    Array, ArraySpec, Callback, Context, DataLoader, Dataset, Initializer, Layer, Loss, Metric, Params, ParamSpec, Plan,
    Run, Schedule, ShapeError, StateSpec, Step, UpdateRule, hookimpl,
)
from nnplug import History


@frozen
class Affine(Layer):
    """Fully connected layer.

    Args:
        units: number of outputs.
        weight_init: how W starts.
        mode: either.
    """

    units: int = field(validator=ge(1))
    weight_init: Initializer | str = "he"
    mode: Literal["a", "b"] = "a"

    def plan(self, x: ArraySpec) -> Plan:
        if len(x.shape) != 1:
            raise ShapeError(f"affine takes (D,), given {x.shape}")
        return Plan(
            out=x.with_shape(self.units),
            params={"W": ParamSpec((x.size, self.units), self.weight_init), "b": ParamSpec(self.units, decay=False)},
            state={"seen": StateSpec((), fill=0)},
        )

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        out = ctx.empty((len(x), self.units), x.dtype)
        np.matmul(x, params["W"], out=out)
        out += params["b"]
        if ctx.training:
            params["seen"][...] += len(x)
        return out, x

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array | None:
        np.matmul(cache.T, dout, out=grads["W"])
        dout.sum(axis=0, out=grads["b"])
        if not ctx.need_dx:
            return None
        dx: Array = dout @ params["W"].T
        return dx


@frozen
class Twice(Layer):
    """A composite.

    Args:
        inner: what is run twice over.
    """

    inner: Layer | str

    def plan(self, x: ArraySpec) -> Plan:
        assert isinstance(self.inner, Layer)
        plan = self.inner.plan(x)
        return Plan(out=plan.out, children={"inner": (self.inner, plan)})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        assert isinstance(self.inner, Layer)
        return self.inner.forward(params["inner"], x, ctx.child("inner"))

    def backward(self, params: Params, grads: Params, cache: Any, dout: Array, ctx: Context) -> Array | None:
        assert isinstance(self.inner, Layer)
        below = ctx.child("inner", need_dx=ctx.need_dx)
        return self.inner.backward(params["inner"], grads["inner"], cache, dout, below)


@frozen
class Absolute(Loss):
    metrics: ClassVar[tuple[str, ...]] = ("r2",)

    def value_and_grad(self, scores: Array, targets: Array, ctx: Context) -> tuple[Array, Array]:
        return np.abs(scores - targets), np.sign(scores - targets)

    def check(self, scores: ArraySpec, targets: Array) -> None:
        if scores.shape != targets.shape[1:]:
            raise nnplug.DataError("wrong")


@frozen
class Descent(UpdateRule):
    slots = ("v",)
    mu: float = 0.9

    def apply(self, w: Array, dw: Array, slots: Mapping[str, Array], step: Step) -> None:
        scratch = step.empty(w.shape, w.dtype)
        np.multiply(dw, step.learning_rate, out=scratch)
        w -= scratch


@frozen
class Ones(DataLoader):
    def load(self) -> Dataset:
        return Dataset((np.ones((2, 3)), np.ones(2)), classes=2, scale=(0, 1 / 255))


@frozen
class Flat(Initializer):
    def __call__(self, rng: Generator, spec: ParamSpec, dtype: Any) -> Array:
        return np.full(spec.shape, 1 / spec.fan_in, dtype)


@frozen
class Never(Schedule):
    def factor(self, step: int, total: int, history: History) -> float:
        return 0.0


@frozen
class Zero(Metric):
    higher_is_better: ClassVar[bool] = False

    def __call__(self, scores: Array, targets: Array) -> float:
        return 0.0


@define
class Watch(Callback):
    patience: int = 3

    def step(self, run: Run) -> None:
        if run.step > self.patience:
            run.stop("enough")


@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    return {"affine2": Affine, "twice": Twice}


@hookimpl
def nnplug_losses() -> dict[str, type[Loss]]:
    return {"absolute": Absolute}


layer = Affine(3, weight_init="normal", name="hidden", trainable=False)
model = nnplug.build([layer, "relu"], input_shape=3, seed=0, dtype="float32")
history = nnplug.Solver(model, (np.ones((2, 3)), np.zeros(2, int)), update=Descent(learning_rate=0.1), epochs=1).fit()
losses: list[float] = list(history.losses)
'''

# line -> what mypy must say of it
WRONG = {
    "from nnplug import Layr": 'Module "nnplug" has no attribute "Layr"',
    "nnplug.train_model()": 'Module has no attribute "train_model"',
    'Affine("3")': 'Argument 1 to "Affine" has incompatible type "str"; expected "int"',
    "Affine(unit=3)": 'Unexpected keyword argument "unit"',
    "Affine()": 'Missing positional argument "units"',
    "Affine(3, name=3)": 'Argument "name" to "Affine" has incompatible type "int"',
    "Affine(3, weight_init=3)": 'Argument "weight_init" to "Affine" has incompatible type "int"',
    "Affine(3).units = 4": 'Property "units" defined in "Affine" is read-only',
    "Half()": 'Cannot instantiate abstract class "Half" with abstract attributes "backward" and "forward"',
    "ParamSpec((3,), decays=True)": 'Unexpected keyword argument "decays"',
    "Context(train=True)": 'Unexpected keyword argument "train"',
    "Dataset()": 'Missing positional argument "train"',
    "run.stopp('x')": '"Run" has no attribute "stopp"',
    "nnplug.build(3)": 'Argument 1 to "build" has incompatible type "int"',
    "nnplug.Registry(prefer=3)": 'Argument "prefer" to "Registry" has incompatible type "int"',
}

WRONG_HEAD = """
from attrs import field, frozen
import nnplug
from nnplug import Array, ArraySpec, Context, Dataset, Layer, Params, ParamSpec, Plan, Run, hookimpl
from right import Affine

@frozen
class Half(Layer):
    def plan(self, x: ArraySpec) -> Plan:
        return Plan(out=3)

@frozen
class Swapped(Layer):
    def plan(self, x: int) -> Plan: ...
    def forward(self, x: Array, params: Params, ctx: Context) -> Array: ...
    def backward(self, params: Params, grads: Params, cache: object, dout: Array) -> Array: ...

@hookimpl
def nnplug_layers() -> dict[str, type[Layer]]:
    return {"affine": Affine(3)}

def use(run: Run) -> None:
"""

WRONG_IN_HEAD = [
    'Argument "out" to "Plan" has incompatible type "int"; expected "ArraySpec"',
    'Argument 1 of "plan" is incompatible with supertype "nnplug.contracts.Layer"',
    ' of "forward" incompatible with return type "tuple[',
    'Signature of "backward" incompatible with supertype "nnplug.contracts.Layer"',
    'Dict entry 0 has incompatible type "str": "Affine"; expected "str": "type[Layer]"',
]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What strict mypy, run with the installed package, says of each file."""
    folder: Path = tmp_path_factory.mktemp("typing")
    (folder / "right.py").write_text(RIGHT, encoding="utf-8")
    body = "".join(f"    {line}\n" for line in WRONG)
    (folder / "wrong.py").write_text(WRONG_HEAD + body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", "right.py", "wrong.py"],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode in (0, 1), done.stderr
    said: dict[str, list[str]] = {"right.py": [], "wrong.py": []}
    for line in done.stdout.splitlines():
        file, _, rest = line.partition(":")
        said[file].append(rest)
    return said


def test_a_right_plugin_passes(checked):
    """Every kind of component, written as the documentation writes them; the package brings its types."""
    assert checked["right.py"] == []


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_rejected(checked, line):
    """At the line itself, for the right reason."""
    number = len(WRONG_HEAD.splitlines()) + 1 + list(WRONG).index(line)
    said = [message for message in checked["wrong.py"] if message.startswith(f"{number}: error: ")]
    assert any(WRONG[line] in message for message in said), checked["wrong.py"]


@pytest.mark.parametrize("message", WRONG_IN_HEAD)
def test_a_wrong_definition_is_rejected(checked, message):
    """Arguments swapped, left out or of another type; an instance where the class is meant."""
    assert any(message in said for said in checked["wrong.py"]), checked["wrong.py"]
