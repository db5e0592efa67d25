"""nnplug as its users get it: a wheel in an empty environment, used from another folder."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.install


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    return next(folder.glob("nnplug-*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of a fresh environment that holds the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    _run(scripts / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return scripts


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    """No `plugins` or `tests` package; typing markers, presets, data and licence are there."""
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"nnplug", "nnplug_builtins", f"nnplug-{PROJECT['version']}.dist-info"}
    for wanted in ("nnplug/py.typed", "nnplug_builtins/py.typed", "nnplug_builtins/presets/digits.toml"):
        assert wanted in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_site_packages_hold_no_stray_package(environment: Path) -> None:
    """Installing puts no top-level `plugins`, `tests` or `docs` into site-packages."""
    code = "import sysconfig, pathlib; print(*(p.name for p in pathlib.Path(sysconfig.get_path('purelib')).iterdir()))"
    names = _run(environment / "python", "-c", code, cwd=environment).split()
    assert "nnplug" in names
    assert not {"plugins", "tests", "docs"} & set(names)


def test_plugins_lists_every_built_in(environment: Path, tmp_path: Path) -> None:
    """What pyproject.toml declares is what `nnplug plugins` lists, all of it available."""
    declared = {
        (group, name)
        for group, points in PROJECT["entry-points"].items()
        for name in points
        if group != "nnplug.presets"
    }
    listed = json.loads(_run(environment / "nnplug", "plugins", "--json", cwd=tmp_path))
    plural = {"loss": "losses"}
    assert {(f"nnplug.{plural.get(p['kind'], p['kind'] + 's')}", p["name"]) for p in listed} == declared
    assert {p["status"] for p in listed} == {"available"}
    assert {p["version"] for p in listed} == {PROJECT["version"]}


def test_training_works_away_from_the_checkout(environment: Path, tmp_path: Path) -> None:
    """The default preset trains from an empty folder and leaves its run there."""
    result = json.loads(_run(environment / "nnplug", "train", "digits", "--json", cwd=tmp_path))
    assert result["test"]["accuracy"] > 0.9
    assert (tmp_path / result["model"]).is_file()
