"""The layers in networks, as users have them: by name, in configs, trained, saved and loaded."""

from __future__ import annotations

import re
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from attrs import define, field

import nnplug
from nnplug import Callback, Run, norm_error

NETWORK = {
    "layers": [
        {"type": "conv2d", "filters": 3, "padding": 1},
        {"type": "chain", "layers": ["batch_norm", "tanh", {"type": "avg_pool2d", "size": 3, "stride": 2}]},
        {"type": "nnplug-conv:conv2d", "filters": 4, "size": 2, "stride": 2, "weight_init": "xavier"},
        {"type": "batch_norm", "momentum": 0.5},
        "sigmoid",
        "global_avg_pool2d",
        "batch_norm",
        {"type": "affine", "units": 3},
    ],
    "loss": "softmax",
}


def images(rows, shape=(2, 7, 9), seed=0):
    """Noise and classes."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, *shape)), rng.integers(0, 3, rows)


@pytest.fixture
def model():
    """A network of all layers but the one with kinks, in float64."""
    return nnplug.build(NETWORK, input_shape=(2, 7, 9), seed=0, dtype="float64")


def test_paths_and_shapes(model):
    """Parameters and state have paths through chains; every layer's out has the planned shape."""
    assert [path for path in model.params if path.startswith("chain1")] == [
        "chain1.batch_norm1.gamma",
        "chain1.batch_norm1.beta",
    ]
    assert model.state["chain1.batch_norm1.var"].tolist() == [1, 1, 1]
    shapes = {path: out.shape for path, out in model.activations(images(5)[0]).items()}
    assert shapes["conv2d1"] == (5, 3, 7, 9)
    assert shapes["chain1"] == (5, 3, 3, 4)
    assert shapes["conv2d2"] == (5, 4, 1, 2)
    assert shapes["global_avg_pool2d1"] == (5, 4)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_a_whole_network(model, seed, training):
    """Through all layers at once."""
    x, y = images(6, seed=seed)
    _, grads = model.gradients(x, y, training=training)
    names = [name for name in model.params if name != "affine1.W"]
    for name, right in model.numerical_gradients(x, y, names=names, training=training).items():
        if training and name in ("conv2d1.b", "conv2d2.b"):
            np.testing.assert_allclose(grads[name], 0, atol=1e-12)  # batch_norm takes every offset away
        else:
            assert norm_error(grads[name], right) < 1e-7, name


def test_a_shape_error_says_where():
    """The path of the layer in the config, then what is wrong with it."""
    layers = ["relu", {"type": "chain", "layers": ["max_pool2d", {"type": "conv2d", "filters": 2, "size": 5}]}]
    with pytest.raises(nnplug.ShapeError) as error:
        nnplug.build({"layers": layers}, input_shape=(1, 8, 8))
    assert str(error.value) == "model.layers[1].layers[1]: conv2d has windows of 5x5, larger than the image of 4x4"


def test_a_wrong_option_says_where():
    """All of them at once."""
    layers = [{"type": "conv2d", "filter": 8}, {"type": "max_pool2d", "stride": 0}]
    with pytest.raises(nnplug.ConfigError) as error:
        nnplug.build({"layers": layers}, input_shape=(1, 8, 8))
    assert [str(problem) for problem in error.value.problems] == [
        "model.layers[0].filter: conv2d has no option 'filter'; did you mean 'filters'?",
        "model.layers[0]: conv2d needs option 'filters', an integer",
        "model.layers[1].stride: must be >= 1: 0",
    ]


def test_running_averages_are_saved_frozen_and_loaded(model, tmp_path):
    """A trained network gives the same scores after loading; frozen, its statistics survive more training."""
    x, y = images(60)
    nnplug.Solver(model, (x, y), update="adam", epochs=3, batch_size=20).fit()
    assert all((array != fill).all() for fill in (0, 1) for array in model.state.values())
    model.save(tmp_path / "model.safetensors")
    again = nnplug.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.scores(x), model.scores(x))

    frozen = {**NETWORK["layers"][1], "trainable": False}
    other = nnplug.build(
        {**NETWORK, "layers": [NETWORK["layers"][0], frozen, *NETWORK["layers"][2:]]}, input_shape=(2, 7, 9)
    )
    for path, array in {**again.params, **again.state}.items():
        {**other.params, **other.state}[path][...] = array
    nnplug.Solver(other, (x, y), update="adam", epochs=2, batch_size=20).fit()
    for path in ("chain1.batch_norm1.mean", "chain1.batch_norm1.var"):
        np.testing.assert_array_equal(other.state[path], again.state[path].astype(np.float32))
    assert (other.state["batch_norm1.mean"] != again.state["batch_norm1.mean"]).all()
    assert (other.params["conv2d1.W"] != again.params["conv2d1.W"]).all()
    other.save(tmp_path / "frozen.safetensors")
    np.testing.assert_array_equal(nnplug.load(tmp_path / "frozen.safetensors").scores(x), other.scores(x))


def test_float32_stays(model):
    """In a float32 model every layer's out is float32, whatever the images are."""
    model = nnplug.build(NETWORK, input_shape=(2, 7, 9), dtype="float32")
    x, y = images(4)
    assert {out.dtype for out in model.activations(x).values()} == {np.dtype("float32")}
    assert {grad.dtype for grad in model.gradients(x, y)[1].values()} == {np.dtype("float32")}


@define
class Memory(Callback):
    """Notes the most memory that was held in a step beyond what is held between steps."""

    peaks: list[int] = field(factory=list)
    before: int = 0

    def step(self, run: Run) -> None:
        held, peak = tracemalloc.get_traced_memory()
        self.peaks.append(peak - self.before)
        tracemalloc.reset_peak()
        self.before = held


def test_a_step_allocates_nothing():
    """Arrays of a batch are recycled: what a later step allocates is less than a tenth of the first layer's out."""
    layers = [
        {"type": "conv2d", "filters": 8, "padding": 1},
        "max_pool2d",
        {"type": "conv2d", "filters": 8, "stride": 2},
        "batch_norm",
        {"type": "max_pool2d", "size": 2, "stride": 1},
        {"type": "avg_pool2d", "size": 2, "stride": 1},
        "avg_pool2d",
        "global_avg_pool2d",
        {"type": "affine", "units": 3},
    ]
    model = nnplug.build({"layers": layers}, input_shape=(4, 40, 40), dtype="float32")
    x, y = images(96, (4, 40, 40))
    memory = Memory()
    solver = nnplug.Solver(
        model, (x.astype(np.float32), y), iterations=6, batch_size=32, evaluate=[], callbacks=[memory]
    )
    tracemalloc.start()
    try:
        solver.fit()
    finally:
        tracemalloc.stop()
    first_out = 32 * 8 * 40 * 40 * 4
    assert memory.peaks[0] > 3 * first_out
    assert max(memory.peaks[2:]) < first_out / 10


def test_the_preset_learns(tmp_path):
    """On the small digits that come with nnplug, in seconds; the figures for MNIST are in the README."""
    changes = ["data.type=digits", "train.epochs=15", "train.batch_size=32", "update.schedule.warmup=20"]
    result = nnplug.train("conv-mnist", changes=changes, out=tmp_path / "run")
    assert result.model.network.plan.out.shape == (10,)
    assert result.results["test"]["accuracy"] > 0.93


def test_the_config_of_the_readme_works(tmp_path):
    """As it stands there, but for the data."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    changes = ["data.type=digits", "train.epochs=10", "train.batch_size=32"]
    result = nnplug.train(tomllib.loads(text), changes=changes, out=tmp_path / "run")
    assert result.results["test"]["accuracy"] > 0.9
