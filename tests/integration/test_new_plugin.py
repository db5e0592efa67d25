"""`nnplug new-plugin`: what it refuses, what it writes, and that what it writes installs, passes and trains."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nnplug.cli.new_plugin import CHOICES, IMPORTED, name_everything
from nnplug.hookspecs import KINDS

NAMES = {
    "layer": "nnplug-swish",
    "loss": "nnplug-huber",
    "update-rule": "nnplug-lion",
    "data-loader": "nnplug-two-spirals",
    "initializer": "nnplug-orthogonal",
    "schedule": "nnplug-inverse-time",
    "metric": "nnplug-balanced-accuracy",
    "callback": "nnplug-standstill",
}
# After training by its example config: what is measured, and what it is at least.
GOALS = {
    "layer": ("accuracy", 0.9),
    "loss": ("r2", 0.7),
    "update-rule": ("accuracy", 0.85),
    "data-loader": ("accuracy", 0.95),
    "initializer": ("accuracy", 0.9),
    "schedule": ("accuracy", 0.9),
    "metric": ("balanced_accuracy", 0.9),
    "callback": ("accuracy", 0.9),
}


@pytest.fixture(params=CHOICES)
def kind(request):
    """Each kind there is."""
    return request.param


@pytest.fixture
def written(cli, kind, tmp_path):
    """A new distribution of the kind."""
    assert cli("new-plugin", NAMES[kind], "--kind", kind).code == 0
    return tmp_path / NAMES[kind]


# What it refuses


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../swish", "'../swish' cannot be the name of a distribution; it begins with a letter and goes on with"),
        ("nnplug-", "'nnplug-' cannot be the name of a distribution"),
        ("swish layer", "'swish layer' cannot be the name of a distribution"),
        ("sw\u00eesh", "'sw\u00eesh' cannot be the name of a distribution"),
        ("swish\n", r"'swish\n' cannot be the name of a distribution"),
        ("nnplug-2d", "'nnplug-2d' cannot be used: configs would say '2d', and no name begins so"),
        ("nnplug-class", "'nnplug-class' cannot be used: 'class' means something else in its modules"),
        ("nnplug-none", "'nnplug-none' cannot be used: 'None' means something else in its modules"),
        ("nnplug-layer", "'nnplug-layer' cannot be used: 'Layer' means something else in its modules"),
        ("Leaky_ReLU", "'leaky_relu' is a layer of nnplug "),
        ("numpy", "there is a Python module 'numpy' already; choose another name"),
        ("nnplug", "there is a Python module 'nnplug' already; choose another name"),
        ("json", "there is a Python module 'json' already; choose another name"),
    ],
)
def test_names_that_cannot_be_used_are_refused(cli, tmp_path, name, problem):
    """Wrong names, words of Python, built-ins and modules that are there already; nothing is written."""
    done = cli("new-plugin", name, "--kind", "layer")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"nnplug: error: {problem}")
    assert not any(tmp_path.iterdir())


def test_a_built_in_of_another_kind_is_no_obstacle(cli):
    """Names are the kind's: adam is an update rule, and may be a loss."""
    assert cli("new-plugin", "nnplug-adam", "--kind", "update-rule").code == 2
    assert cli("new-plugin", "nnplug-adam", "--kind", "loss").code == 0


def test_the_kind_must_be_said(cli):
    """Without --kind the choices are named."""
    done = cli("new-plugin", "nnplug-swish")
    assert done.code == 2
    kinds = "layer, loss, update-rule, data-loader, initializer, schedule, metric, callback"
    assert f"error: say with --kind what it provides: {kinds}\n" in done.err


def test_every_kind_has_a_template():
    """One can start a plugin of each kind that there is, in the order in which they are told everywhere."""
    assert list(CHOICES) == [kind.replace("_", "-") for kind in KINDS] == list(NAMES)


def test_existing_folders_are_left_alone(cli, tmp_path):
    """Not even an empty folder is written to."""
    folder = tmp_path / "nnplug-swish"
    folder.mkdir()
    done = cli("new-plugin", "nnplug-swish", "--kind", "layer")
    assert done.code == 2
    assert "nnplug-swish exists already, and nothing is overwritten; choose another name, or" in done.err
    assert not any(folder.iterdir())


# What it writes


def test_says_what_it_wrote_and_what_comes_next(cli, tmp_path):
    """stdout lists every file there is, stderr the next two commands."""
    done = cli("new-plugin", "nnplug-swish", "--kind", "layer", "--out", "new")
    folder = Path("new", "nnplug-swish")
    files = [".github/workflows/test.yml", ".gitignore", "README.md", "example.toml", "nnplug_swish/__init__.py"]
    files += ["nnplug_swish/py.typed", "nnplug_swish/swish.py", "pyproject.toml", "tests/test_swish.py"]
    assert done.code == 0
    assert done.out.splitlines() == [f"new/nnplug-swish/{file}" for file in files]
    found = [path for path in Path("new").rglob("*") if path.is_file()]
    assert sorted(found) == sorted(folder / file for file in files)
    assert done.err == (
        f"\nA layer 'swish' that works; make it yours. Next:\n  pip install -e \"{folder}[test]\"\n  pytest {folder}\n"
    )


@pytest.mark.parametrize(
    ("distribution", "package", "name", "cls"),
    [
        ("nnplug-swish", "nnplug_swish", "swish", "Swish"),
        ("NNplug.Two__Words", "nnplug_two_words", "two_words", "TwoWords"),
        ("my-layers2", "my_layers2", "my_layers2", "MyLayers2"),
        ("x", "x", "x", "X"),
    ],
)
def test_names_follow_from_the_distributions(distribution, package, name, cls):
    """The package, what configs say and the class."""
    words = name_everything(distribution, "layer")
    assert (words["distribution"], words["package"], words["name"], words["cls"]) == (distribution, package, name, cls)


def test_nothing_is_left_to_fill_in(written, kind):
    """No placeholder of a template survives, but for the CI file's own."""
    for path in written.rglob("*.*"):
        if path.is_file():
            assert not re.findall(r"\$(?!\{\{ matrix\.)", path.read_text(encoding="utf-8")), path


def test_pyproject_declares_the_entry_point(written, kind):
    """One entry point, in the group of the kind, to the module that is there."""
    project = tomllib.loads((written / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (group,) = project["entry-points"]
    ((name, module),) = project["entry-points"][group].items()
    assert group == {"loss": "nnplug.losses"}.get(kind, f"nnplug.{kind.replace('-', '_')}s")
    assert name == NAMES[kind].removeprefix("nnplug-").replace("-", "_")
    assert written.joinpath(*module.split(".")).with_suffix(".py").is_file()
    assert project["name"] == NAMES[kind]
    assert project["dependencies"][0].startswith("nnplug>=")


def test_readme_shows_the_example(written):
    """The config in the README is the one that is tried."""
    shown = re.search(r"```toml\n(.*?)```", (written / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert shown[1] == (written / "example.toml").read_text(encoding="utf-8")


def test_no_class_can_be_called_like_something_imported(written):
    """What the modules import is refused as the name of the class in them."""
    for path in written.rglob("*.py"):
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        imports = [n for n in tree if isinstance(n, ast.ImportFrom) and not str(n.module).startswith("nnplug_")]
        classes = {alias.name for node in imports for alias in node.names if alias.name[0].isupper()}
        assert classes <= IMPORTED


def test_ruff_and_mypy_have_nothing_to_say(cli, tmp_path):
    """Ruff with the rules it comes with, mypy with its strictest; for names of any form."""
    for number, kind in enumerate(CHOICES):
        for name in (NAMES[kind], f"Some.Other_{number}name"):
            assert cli("new-plugin", name, "--kind", kind).code == 0
            command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
            checked = subprocess.run(command, cwd=name, capture_output=True, text=True)
            assert checked.returncode == 0, checked.stdout
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *tmp_path.iterdir()]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert checked.stdout == f"Success: no issues found in {3 * 2 * len(CHOICES)} source files\n"


# What becomes of it


@pytest.fixture(scope="module")
def installed(environment, tmp_path_factory):
    """One new distribution of each kind, made and installed as the command says; the folder they are in."""
    folder = tmp_path_factory.mktemp("new")
    for kind, name in NAMES.items():
        done = environment.run("nnplug", "new-plugin", name, "--kind", kind, cwd=folder)
        assert done.code == 0, done.err
    environment.install(*(folder / name for name in NAMES.values()), editable=True)
    return folder


@pytest.mark.install
def test_passes_its_own_tests(environment, installed, kind):
    """The kit and the values, in an environment that holds nothing but nnplug."""
    done = environment.run("pytest", "-q", NAMES[kind], cwd=installed)
    assert done.code == 0, done.out
    assert re.search(r"^[2-5] passed", done.out, re.MULTILINE)


@pytest.mark.install
def test_trains_in_a_config(environment, installed, kind):
    """By its registry name, in the config that comes with it; only a callback ends it before its time."""
    done = environment.run("nnplug", "train", "example.toml", "--json", cwd=installed / NAMES[kind])
    assert done.code == 0, done.err
    metric, least = GOALS[kind]
    told = json.loads(done.out)
    assert told["test"][metric] > least
    assert (told["stopped"] == "finished") == (kind != "callback")


MISTAKES = {
    "layer": ("slope = s * (1 - s)\n        grads", "slope = s * (1 + s)\n        grads"),
    "loss": ("np.clip(r, -self.delta, self.delta)", "np.clip(r, -self.delta, self.delta) / len(r)"),
    "update-rule": ("w -= step.learning_rate", "w += step.learning_rate"),
    "data-loader": ("np.random.default_rng(self.seed)", "np.random.default_rng()"),
    "initializer": (".astype(dtype, copy=False)", ""),
    "schedule": ("1 + step / self.steps", "step / self.steps"),
    "metric": ("mean_of_rows: ClassVar[bool] = False", "mean_of_rows: ClassVar[bool] = True"),
    "callback": ('return {"before": self._before}', "return {}"),
}


@pytest.mark.install
def test_its_own_tests_can_fail(environment, installed, kind):
    """The usual mistake of each kind is found by the test of one line."""
    name = NAMES[kind].removeprefix("nnplug-").replace("-", "_")
    module = installed / NAMES[kind] / f"nnplug_{name}" / f"{name}.py"
    right = module.read_text(encoding="utf-8")
    assert right.count(MISTAKES[kind][0]) == 1
    module.write_text(right.replace(*MISTAKES[kind]), encoding="utf-8")
    try:
        done = environment.run("pytest", "-q", NAMES[kind], "-k", "contract", "-p", "no:cacheprovider", cwd=installed)
    finally:
        module.write_text(right, encoding="utf-8")
    assert done.code == 1, done.out
    assert f"'{name}' (nnplug-{name.replace('_', '-')} 0.1.0)" in done.out
