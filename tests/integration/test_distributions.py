"""Layers of every shape as strangers write them: the distributions in tests/distributions, installed and used."""

from __future__ import annotations

import ast
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

SOURCES = Path(__file__).parents[1] / "distributions"
NAMES = sorted(path.parent.name for path in SOURCES.glob("*/pyproject.toml"))

# Which of two signs is the more frequent in a sequence of four different ones? All five layers work on it.
CONFIG = """
[data]
type = "arrays"
path = "signs.npz"
test = 0.25

[model]
input_dtype = "int64"
layers = [
  { type = "embedding", count = 4, units = 3 },
  { type = "recurrent", units = 8, sequences = true },
  { type = "recurrent", units = 6 },
  "running_standard",
  { type = "residual", layers = [{ type = "affine", units = 6 }, "nnplug-softsign:softsign"] },
  { type = "affine", units = 2 },
]

[update]
type = "adam"
learning_rate = 0.01

[train]
epochs = 30
batch_size = 32
validation = 0.2
"""


def test_the_smallest_is_small():
    """Five lines of TOML beside name and version; one class, one hook; one line of test."""
    folder = SOURCES / "nnplug-softsign"
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith(("name = ", "version = "))]
    assert len(lines) == 5
    assert tomllib.loads(text)["project"]["entry-points"] == {"nnplug.layers": {"softsign": "nnplug_softsign"}}
    module = ast.parse((folder / "nnplug_softsign.py").read_text(encoding="utf-8"))
    assert [type(node) for node in module.body[-2:]] == [ast.ClassDef, ast.FunctionDef]
    assert not any(isinstance(node, ast.ClassDef | ast.FunctionDef) for node in module.body[:-2])
    (test,) = ast.parse((folder / "test_softsign.py").read_text(encoding="utf-8")).body[1:]
    assert isinstance(test, ast.FunctionDef)
    assert len(test.body) == 1


def test_they_import_the_public_api_alone():
    """From nnplug itself and nnplug.testing, and from no module inside."""
    for path in SOURCES.glob("*/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = {module for module in modules if module.partition(".")[0].startswith("nnplug")}
            assert ours <= {"nnplug", "nnplug.testing"}, path


@pytest.fixture(scope="module")
def installed(environment, tmp_path_factory):
    """All of them, installed from copies, the folder that the copies are in."""
    folder = tmp_path_factory.mktemp("distributions")
    for name in NAMES:
        shutil.copytree(SOURCES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment.install(*(folder / name for name in NAMES))
    return folder


@pytest.fixture
def signs(tmp_path):
    """A folder with a config and its data: 400 sequences of 7 signs."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, size=(400, 7))
    np.savez(tmp_path / "signs.npz", x=x, y=((x == 1).sum(axis=1) > (x == 2).sum(axis=1)).astype(int))
    (tmp_path / "signs.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.mark.install
@pytest.mark.parametrize("name", NAMES)
def test_passes_its_own_test(environment, installed, name):
    """The one line of its test, against what is installed."""
    done = environment.run("pytest", "-q", name, "-p", "no:cacheprovider", cwd=installed)
    assert done.code == 0, done.out
    assert "1 passed" in done.out


@pytest.mark.install
def test_one_config_uses_all_of_them(environment, installed, signs):
    """They train together, and the saved model says what the trained one said."""
    done = environment.run("nnplug", "train", "signs.toml", "--out", "run", "--json", cwd=signs)
    assert done.code == 0, done.err
    trained = json.loads(done.out)
    assert trained["test"]["accuracy"] > 0.9
    data = ["--data", "arrays", "--set", "path=signs.npz", "--set", "test=0.25"]
    done = environment.run("nnplug", "evaluate", trained["model"], *data, "--json", cwd=signs)
    assert done.code == 0, done.err
    assert json.loads(done.out)["results"] == trained["test"]


GRADIENTS = """
import json, tomllib
import numpy as np
import nnplug

layers = tomllib.load(open("signs.toml", "rb"))["model"]["layers"]
rng = np.random.default_rng({seed})
x, y = rng.integers(0, 4, size=(5, 7)), rng.integers(0, 2, size=5)
config = {{"layers": layers, "input_dtype": "int64", "l2": 0.1}}
model = nnplug.build(config, input_shape=7, seed={seed}, dtype="float64")
nnplug.Solver(model, (x, y), iterations=3, batch_size=4, evaluate=()).fit()
_, gradients = model.gradients(x, y)
numerical = model.numerical_gradients(x, y)
print(json.dumps({{path: nnplug.norm_error(g, numerical[path]) for path, g in gradients.items()}}))
"""


@pytest.mark.install
@pytest.mark.parametrize("seed", [1, 2])
def test_gradients_of_the_whole_are_right(environment, installed, signs, seed):
    """By central differences, after some steps, so that the state is not what it started with."""
    done = environment.run("python", "-c", GRADIENTS.format(seed=seed), cwd=signs)
    assert done.code == 0, done.err
    errors = json.loads(done.out)
    assert {"embedding1.W", "recurrent1.Wh", "residual1.affine1.W", "affine1.b"} < set(errors)
    assert max(errors.values()) < 1e-6, errors


@pytest.mark.install
@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("model.input_dtype", "float32", "embedding needs integer samples, given (7,) float32; set input_dtype"),
        ("model.layers[0].count", "2", "embedding has vectors for 0 to 1, given 3; set count higher"),
        ("model.layers[4].layers[0].units", "5", "model.layers[4]: residual adds its input (6,) to what its layers"),
    ],
)
def test_mistakes_are_told_in_the_layer_s_words(environment, installed, signs, option, value, problem):
    """What does not fit is told with the layer's own message, before it does harm."""
    value = value if value.isdigit() else f'"{value}"'
    done = environment.run("nnplug", "train", "signs.toml", "--set", f"{option}={value}", cwd=signs)
    assert done.code in (1, 2)
    assert problem in done.err
    assert "Traceback" not in done.err
