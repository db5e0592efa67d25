"""The summary of a model."""

from __future__ import annotations

import numpy as np
from attrs import frozen

import nnplug
from nnplug import Array, ArraySpec, Context, Layer, Params, Plan, StateSpec


@frozen
class Counter(Layer):
    """A stranger's layer without parameters that counts, in int64."""

    def plan(self, x: ArraySpec) -> Plan:
        """One number."""
        return Plan(out=x, state={"n": StateSpec((), dtype="int64")})

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, None]:
        """Return x."""
        return x, None

    def backward(self, params: Params, grads: Params, cache: None, dout: Array, ctx: Context) -> Array:
        """Return dout."""
        return dout


LAYERS = [
    {"type": "affine", "units": 50},
    "relu",
    {"type": "chain", "name": "head", "layers": [{"type": "affine", "units": 30}, Counter()], "trainable": False},
    {"type": "affine", "units": 10},
]

TABLE = """\
input (1, 28, 28) float32, loss softmax, dtype float32
---------------------------------------------------------------
layer          type     output        parameters          bytes
---------------------------------------------------------------
affine1        affine   (50,)             39,250        157,000
relu1          relu     (50,)                  0              0
head           chain    (30,)         0 (frozen)              0
head.affine1   affine   (30,)     1,530 (frozen)          6,120
head.counter1  Counter  (30,)         0 (frozen)              8
affine2        affine   (10,)                310          1,240
---------------------------------------------------------------
41,090 parameters, 39,560 of them trained, 164,368 bytes"""


def test_the_table_shows_every_layer() -> None:
    """Printed: a line a layer with its path, type, output, parameters and bytes, and the sums."""
    summary = nnplug.build(LAYERS, input_shape=(1, 28, 28)).summary()
    lines = [" ".join(line.split()) for line in str(summary).splitlines()]
    expected = [" ".join(line.split()) for line in TABLE.splitlines()]
    assert [line for line in lines if not line.startswith("---")] == [e for e in expected if not e.startswith("---")]
    assert repr(summary) == str(summary)


def test_columns_line_up() -> None:
    """Numbers end in the same columns, nothing hangs over, no line ends in blanks."""
    lines = str(nnplug.build(LAYERS, input_shape=(1, 28, 28)).summary()).splitlines()
    rows = lines[4:-2]
    assert len({len(row) for row in rows}) == 1
    assert len(lines[1]) == len(rows[0]) == len(lines[2])
    assert all(line == line.rstrip() for line in lines)
    assert len({row.index(word) for row, word in zip(rows, ["affine ", "relu ", "chain "], strict=False)}) == 1


def test_rows_add_up() -> None:
    """The rows' parameters and bytes are the model's, in float64 as well."""
    model = nnplug.build(LAYERS, input_shape=784, dtype="float64")
    summary = model.summary()
    assert summary.params == sum(row.params for row in summary.rows) == sum(a.size for a in model.params.values())
    assert summary.bytes == sum(row.bytes for row in summary.rows) == 8 * summary.params + 8
    assert summary.trained == summary.params - 1530
    assert [row.path for row in summary.rows if not row.trainable] == ["head", "head.affine1", "head.counter1"]


def test_a_model_without_parameters_has_a_summary() -> None:
    """Zero of everything is printed as such."""
    summary = nnplug.build({"layers": ["flatten"], "loss": "mse"}, input_shape=(2, 2)).summary()
    assert str(summary).endswith("0 parameters, 0 of them trained, 0 bytes")
    assert summary.rows[0].out == (4,)
    assert np.prod(summary.rows[0].out) == 4
