"""Writes the model files of the current format that the tests keep, each with input and what it gave for it.

Run once for a new format, with the release that introduces it: ``python tests/data/models/write.py``. What is there
already stays as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

import nnplug
from nnplug import Array, ArraySpec, Context, Layer, Model, Params, ParamSpec, Plan, Registry, StateSpec
from nnplug.modelfile import FORMAT

HERE = Path(__file__).parent
CONV = HERE.parents[2] / "plugins" / "nnplug-conv"


@frozen
class Tracker(Layer):
    """A stranger's layer: a scalar parameter, and state of three dtypes.

    Args:
        rate: how fast the mean follows.
    """

    rate: float = 0.1

    def plan(self, x: ArraySpec) -> Plan:
        """State in the model's dtype, an integer and flags."""
        state = {
            "mean": StateSpec(x.shape),
            "steps": StateSpec((), dtype="int64"),
            "seen": StateSpec(x.shape, 0, "bool"),
        }
        return Plan(out=x, params={"scale": ParamSpec((), 2.0)}, state=state)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``(x - mean) * scale + steps``, the latter where something was seen."""
        if ctx.training:
            params["mean"][...] += self.rate * (x.mean(axis=0) - params["mean"])
            params["steps"][...] += 1
            params["seen"][::2] = True
        centred = x - params["mean"]
        return (centred * params["scale"] + params["steps"] * params["seen"]).astype(x.dtype), centred

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """As if the mean stood still."""
        grads["scale"][...] = (dout * cache).sum()
        return dout * params["scale"]


def registry() -> Registry:
    """What is installed, `Tracker`, and nnplug-conv from its sources."""
    sys.path.insert(0, str(CONV))
    try:
        from nnplug_conv import batch_norm, conv2d, max_pool2d
    finally:
        sys.path.remove(str(CONV))
    registry = Registry()
    for plugin in (Tracker, batch_norm, conv2d, max_pool2d):
        registry.register(plugin)
    return registry


def affine(units: int, **options: Any) -> dict[str, Any]:
    """The table of an affine layer."""
    return {"type": "affine", "units": units, **options}


CONVOLUTION = [
    {"type": "conv2d", "filters": 3, "size": 3},
    "batch_norm",
    "relu",
    {"type": "max_pool2d", "size": 2},
    affine(4),
]

# name -> the [model] table, and what else `nnplug.build` is given
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "softmax-float32": (
        {
            "layers": [
                affine(6, name="hidden"),
                "relu",
                {"type": "dropout", "rate": 0.2},
                {"type": "chain", "layers": ["tanh", {"type": "leaky_relu", "slope": 0.1}, affine(5)]},
                "flatten",
                affine(3, name="out", trainable=False),
            ],
            "l2": 0.01,
        },
        {"input_shape": (2, 2), "scale": (2.0, 0.125), "classes": 3, "class_names": ("ant", "bee", "käfer")},
    ),
    "mse-float64": (
        {
            "layers": [
                affine(5, weight_init="xavier"),
                "sigmoid",
                affine(2, weight_init={"type": "normal", "std": 0.5}),
            ],
            "loss": "mse",
        },
        {"input_shape": 4, "dtype": "float64"},
    ),
    "svm-float64": ({"layers": [affine(3)], "loss": "svm"}, {"input_shape": 4, "dtype": "float64", "classes": 3}),
    "binary-float32": ({"layers": [affine(1)], "loss": "binary_cross_entropy"}, {"input_shape": 4}),
    "nothing-to-learn": ({"layers": ["relu"], "loss": "mse"}, {"input_shape": 4}),
    "state-float32": ({"layers": ["tracker", affine(3)]}, {"input_shape": 4}),
    "state-float64": ({"layers": ["tracker", affine(3)]}, {"input_shape": 4, "dtype": "float64"}),
    "conv-float32": ({"layers": CONVOLUTION}, {"input_shape": (1, 8, 8), "classes": 4}),
    "conv-float64": ({"layers": CONVOLUTION}, {"input_shape": (1, 8, 8), "dtype": "float64"}),
}


def trained(name: str) -> tuple[Model, Array]:
    """A model after some steps on numbers of no meaning, and some raw input."""
    table, options = MODELS[name]
    model = nnplug.build(table, seed=7, registry=registry(), **options)
    rng = np.random.default_rng(list(name.encode()))
    x = rng.integers(0, 16, (24, *model.input_spec.shape), np.uint8)
    outputs = model.network.plan.out.shape
    loss = type(model.network.loss).__name__
    y = rng.integers(0, outputs[0], 24) if loss in ("Softmax", "Svm") else rng.integers(0, 2, (24, *outputs))
    if model.params:
        nnplug.Solver(model, (x, y), iterations=4, batch_size=8, update={"type": "adam", "learning_rate": 0.01}).fit()
    return model, x[:5]


if __name__ == "__main__":
    folder = HERE / f"format-{FORMAT}"
    folder.mkdir(exist_ok=True)
    for name in MODELS:
        path = folder / f"{name}.safetensors"
        if path.exists():
            continue
        model, x = trained(name)
        model.save(path)
        np.savez(path.with_suffix(".npz"), x=x, scores=model.scores(x), predictions=model.predict(x))
