"""What the integration tests share: the command line, here or in a process of its own; a place to install into."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

import nnplug
from nnplug.cli.main import main

ROOT = Path(__file__).parents[2]

CONFIG = """
[data]
type = "digits"

[model]
layers = [{ type = "affine", units = 16 }, "relu", { type = "affine", units = 10 }]

[update]
type = "adam"

[train]
epochs = 2
batch_size = 64
validation = 0.1
"""


@frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command in this process, as ``nnplug`` does."""

    def run(*args: object) -> Done:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Done(code, *capsys.readouterr())

    return run


def command_line(*args: object) -> list[str]:
    """The real command, for a process of its own."""
    return [sys.executable, "-m", "nnplug", *(str(arg) for arg in args)]


@pytest.fixture
def process() -> Callable[..., Done]:
    """Run a command in a process of its own; ``path`` is searched for plugins first."""

    def run(*args: object, path: Path | None = None, **env: str) -> Done:
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **env}
        if path is not None:
            environment["PYTHONPATH"] = os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(command_line(*args), capture_output=True, encoding="utf-8", env=environment, timeout=60)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config that trains a small network on digits in a moment."""
    path = tmp_path / "small.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a model trained on digits."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.toml").write_text(CONFIG, encoding="utf-8")
    return nnplug.train(folder / "small.toml", changes=["train.epochs=20"], out=folder / "run").model_path


class Site:
    """A folder that looks like site-packages: distributions are put into it without pip."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, distribution: str, version: str = "1.0", group: str = "layers", **modules: str) -> None:
        """A distribution with one plugin a module: the module's name is the registry name, its value the code."""
        info = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        points = "".join(f"{name} = {distribution.replace('-', '_')}_{name}\n" for name in modules)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[nnplug.{group}]\n{points}", "utf-8")
        for name, code in modules.items():
            (self.path / f"{distribution.replace('-', '_')}_{name}.py").write_text(code, "utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty folder for distributions."""
    return Site(tmp_path / "site")


LAYER = '''
from attrs import frozen
from nnplug import Layer, Plan, hookimpl

@frozen
class Extra(Layer):
    """{doc}"""

    def plan(self, x):
        return Plan(out=x)

    def forward(self, params, x, ctx):
        {forward}

    def backward(self, params, grads, cache, dout, ctx):
        return dout

@hookimpl
def nnplug_layers():
    return {{"{name}": Extra}}
'''


@pytest.fixture
def layer_code() -> Callable[..., str]:
    """The code of a plugin with one layer, which does nothing unless ``forward`` says so."""

    def code(name: str, doc: str = "Does nothing.", forward: str = "return x, None", before: str = "") -> str:
        return before + LAYER.format(name=name, doc=doc, forward=forward)

    return code


class Environment:
    """A fresh virtual environment that holds nnplug, pytest and what builds distributions, and sees nothing else."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder)
        self.folder = folder
        self.scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
        # hatchling and editables are there before, so that no distribution fetches them for a build of its own.
        self._pip("install", "--no-compile", "hatchling>=1.27", "editables", "pytest>=8.2")
        self.install(ROOT, dependencies=True)

    def install(self, *distributions: Path, editable: bool = False, dependencies: bool = False) -> None:
        """Install distributions from their sources."""
        words = [word for path in distributions for word in (["-e", path] if editable else [path])]
        options = [] if dependencies else ["--no-deps"]
        self._pip("install", "--no-compile", "--no-build-isolation", *options, *words)

    def wheel(self, source: Path, folder: Path) -> Path:
        """Build the wheel of a distribution into a folder."""
        self._pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, source)
        (wheel,) = folder.glob(f"{source.name.replace('-', '_')}-*.whl")
        return wheel

    def _pip(self, verb: str, *args: object) -> None:
        """Run the pip of these tests: one of the environment's own would take as long as everything else."""
        command = [sys.executable, "-m", "pip", "--python", self.folder, verb, "--quiet", *args]
        done = subprocess.run([str(word) for word in command], capture_output=True, encoding="utf-8", timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, program: str, *args: object, cwd: Path) -> Done:
        """Run one of the environment's programs in a folder."""
        settings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        settings |= {"NNPLUG_OFFLINE": "1", "PYTHONNOUSERSITE": "1", "PYTHONIOENCODING": "utf-8"}
        command = [str(self.scripts / program), *map(str, args)]
        done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, encoding="utf-8", timeout=120)
        return Done(done.returncode, done.stdout, done.stderr)


def packed(wheel: Path) -> set[str]:
    """The files of the package in a wheel."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def sources(package: Path) -> set[str]:
    """The files of a package, as its wheel should hold them."""
    files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(package.parent).as_posix() for path in files}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment for distributions to be installed into."""
    return Environment(tmp_path_factory.mktemp("environment"))
