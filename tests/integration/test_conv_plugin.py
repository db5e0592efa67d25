"""nnplug-conv as its users get it: a distribution of its own, installed with pip beside nnplug."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.conftest import packed, sources

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "plugins" / "nnplug-conv"
LAYERS = ["avg_pool2d", "batch_norm", "conv2d", "global_avg_pool2d", "max_pool2d"]

# What the preset reaches on the test images in one epoch; three seeds gave 0.9837 to 0.9842.
FLOOR = 0.975
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

pytestmark = pytest.mark.install


@pytest.fixture(scope="module")
def installed(environment, tmp_path_factory):
    """The environment with nnplug-conv installed from a wheel, and the wheel."""
    wheel = environment.wheel(SOURCE, tmp_path_factory.mktemp("wheel"))
    environment.install(wheel)
    return wheel


def test_the_wheel_holds_the_package_and_nothing_else(installed):
    """Every module, the typing marker and the preset; no tests."""
    names = packed(installed)
    assert names == sources(SOURCE / "nnplug_conv")
    assert {"nnplug_conv/py.typed", "nnplug_conv/presets/conv-mnist.toml"} <= names


def test_it_is_no_part_of_nnplug(environment, installed, tmp_path):
    """What is installed as nnplug are two packages and the command, without a trace of convolutions."""
    code = "from importlib.metadata import files; print(*files('nnplug'), sep='\\n')"
    files = environment.run("python", "-c", code, cwd=tmp_path).out.splitlines()
    packages = {file.split("/")[0] for file in files if not file.startswith("..") and ".dist-info" not in file}
    assert packages == {"nnplug", "nnplug_builtins"}
    assert not [file for file in files if "conv" in file]


def test_plugins_lists_it_with_its_distribution(environment, installed, tmp_path):
    """Five layers, available, each with the name that tells them apart from another's."""
    listed = json.loads(environment.run("nnplug", "plugins", "--json", cwd=tmp_path).out)
    ours = [plugin for plugin in listed if plugin["distribution"] == "nnplug-conv"]
    layers = sorted((p["name"], p["qualified_name"], p["status"]) for p in ours if p["kind"] == "layer")
    assert layers == [(name, f"nnplug-conv:{name}", "available") for name in LAYERS]
    assert {plugin["version"] for plugin in ours} == {installed.name.split("-")[1]}
    assert not [p for p in listed if p["distribution"] == "nnplug" and p["name"] in LAYERS]


def test_its_own_tests_pass(environment, installed, tmp_path):
    """Run from its folder on what was installed, not on the sources beside them."""
    code = "import nnplug_conv; print(nnplug_conv.__file__)"
    assert str(ROOT) not in environment.run("python", "-c", code, cwd=tmp_path).out
    done = environment.run("pytest", "-q", "-p", "no:cacheprovider", cwd=SOURCE)
    assert done.code == 0, done.out
    assert re.search(r"^\d{3,} passed", done.out, re.MULTILINE)


@pytest.mark.mnist
def test_the_preset_learns_mnist(environment, installed, tmp_path, monkeypatch):
    """Cut short to one epoch; it is found by name in an empty folder."""
    for variable in THREADS:
        monkeypatch.setenv(variable, "1")  # two threads wait for each other where something else runs, too
    done = environment.run("nnplug", "train", "conv-mnist", "--json", "--set", "train.epochs=1", cwd=tmp_path)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["test"]["accuracy"] >= FLOOR
