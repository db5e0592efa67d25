"""Names: nnplug-numba is used where it is preferred, and leaves no trace in what is saved."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import attrs
import numpy as np
import pytest

import nnplug
from nnplug.testing import check

NAMES = {
    "layer": ["affine", "relu", "sigmoid", "tanh"],
    "loss": ["softmax"],
    "update_rule": ["adagrad", "adam", "adamw", "momentum", "rmsprop", "sgd"],
}
EVERY = [(kind, name) for kind, names in NAMES.items() for name in names]
CONFIG = {
    "seed": 1,
    "data": "digits",
    "model": {"layers": [{"type": "affine", "units": 12}, "tanh", {"type": "affine", "units": 10}], "loss": "softmax"},
    "update": {"type": "adam", "learning_rate": 0.01},
    "train": {"epochs": 2, "validation": 0.1},
}


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_options_are_those_of_the_built_in(preferred, without, kind, name):
    """The same names, types, defaults and bounds; the same slots, and the same looks at step.decay."""
    ours, built_in = preferred.get(kind, name), without.get(kind, name)
    assert ours is not built_in
    assert ours.__module__ == f"nnplug_numba.{name}"
    assert attrs.fields(ours) == attrs.fields(built_in)
    for attribute in ("slots", "elementwise", "decays", "metrics"):
        assert getattr(ours, attribute, None) == getattr(built_in, attribute, None)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_conforms(kind, name):
    """Whatever the contract asks for."""
    check(f"nnplug-numba:{name}", kind=kind)


def test_a_bare_name_is_the_built_in_unless_preferred():
    """Installing the package changes nothing."""
    assert nnplug.Registry().get("layer", "affine").__module__ == "nnplug_builtins.affine"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run whose config prefers nnplug-numba."""
    return nnplug.train(CONFIG | {"plugins": {"prefer": ["nnplug-numba"]}}, out=tmp_path_factory.mktemp("run") / "run")


def test_training_gives_the_same_network(trained):
    """To rounding."""
    right = nnplug.train(CONFIG).model
    assert type(trained.model.network.layer.layers[0]).__module__ == "nnplug_numba.affine"
    for path, values in right.params.items():
        np.testing.assert_allclose(trained.model.params[path], values, rtol=1e-3, atol=1e-4, err_msg=path)


def test_a_saved_model_has_bare_names_and_loads_without_the_plugin(trained, without):
    """With no numba in sight."""
    assert b"nnplug-numba:" not in trained.model_path.read_bytes()
    model = nnplug.load(trained.model_path, registry=without)
    assert type(model.network.layer.layers[0]).__module__ == "nnplug_builtins.affine"
    x = np.random.default_rng(0).random((20, 64), np.float32)
    np.testing.assert_allclose(model.scores(x), trained.model.scores(x), rtol=1e-4, atol=1e-5)


def test_so_does_the_config_of_a_run(trained, without):
    """The file that the run's folder keeps trains again without the plugin."""
    text = (trained.model_path.parent / "config.toml").read_text(encoding="utf-8")
    assert "nnplug-numba:" not in text
    again = nnplug.train(trained.model_path.parent / "config.toml", registry=without)
    assert type(again.model.network.layer.layers[0]).__module__ == "nnplug_builtins.affine"


def solver(registry, data, **options):
    """A small network that learns digits by Adam."""
    layers = [{"type": "affine", "units": 12}, "relu", {"type": "affine", "units": 10}]
    model = nnplug.build(layers, input_shape=64, seed=2, registry=registry)
    return nnplug.Solver(model, data, update="adam", epochs=3, batch_size=100, **options)


def test_a_checkpoint_of_one_goes_on_with_the_other(preferred, without, tmp_path):
    """In both directions; it ends where training without a break does, to rounding."""
    x, y = nnplug.load_data("digits").train[:2]
    data = (np.asarray(x, np.float32) / 16, y)
    whole = solver(without, data)
    whole.fit()

    @attrs.define(eq=False)
    class Save(nnplug.Callback):
        """Writes a checkpoint after 20 steps."""

        made: object = None

        def step(self, run):
            if run.step == 20:
                self.made.save_checkpoint(tmp_path / "c")

    for first, second in ((preferred, without), (without, preferred)):
        first.register(Save), second.register(Save)
        save = Save()
        save.made = solver(first, data, callbacks=[save])
        save.made.fit()
        other = solver(second, data, callbacks=[Save()])
        with pytest.warns(UserWarning, match=r"^nnplug-numba was .* when the checkpoint was written"):
            other.resume(tmp_path / "c")
        other.fit()
        for path, values in whole.model.params.items():
            np.testing.assert_allclose(other.model.params[path], values, rtol=1e-3, atol=1e-4, err_msg=path)


def run(code, **env):
    """What a process of its own prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numba_is_imported_when_something_is_computed():
    """Not by listing, looking up, or building what is preferred."""
    code = """
import json, sys
import numpy as np
import nnplug
seen = ["numba" in sys.modules]
registry = nnplug.default_registry()
model = nnplug.build([{"type": "affine", "units": 3}, "relu", {"type": "affine", "units": 2}], input_shape=4)
rule = registry.create("update_rule", "adam")
seen.append("numba" in sys.modules)
model.predict(np.zeros((1, 4), np.float32))
print(json.dumps([*seen, "numba" in sys.modules, type(rule).__module__]))
"""
    assert json.loads(run(code, NNPLUG_PREFER="nnplug-numba")) == [False, False, True, "nnplug_numba.adam"]
    assert json.loads(run(code, NNPLUG_PREFER="")) == [False, False, False, "nnplug_builtins.adam"]
