"""What tests of the core share: fake installed distributions, and a Python process of one's own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

MakeDistribution = Callable[..., Path]
RunPython = Callable[..., str]

LAYER = """
from attrs import frozen
from nnplug import Layer, Plan, hookimpl

@frozen
class Twice(Layer):
    '''Twice x.

    Args:
        times: how often.
    '''
    times: int = 1

    def plan(self, x):
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return 2 * x, None

    def backward(self, params, grads, cache, dout, ctx):
        return 2 * dout
"""

HOOK = """
@hookimpl
def nnplug_layers():
    return {"twice": Twice}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on sys.path, where distributions can be put."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def install(site: Path) -> Iterator[MakeDistribution]:
    """Put a distribution into ``site`` as pip would: its metadata, its entry points, its modules."""
    written: list[str] = []

    def make(
        name: str = "acme",
        version: str = "1.0",
        *,
        groups: Mapping[str, Mapping[str, str]] | None = None,
        modules: Mapping[str, str] | None = None,
    ) -> Path:
        groups = {"nnplug.layers": {"twice": "acme_twice"}} if groups is None else groups
        modules = {"acme_twice": LAYER + HOOK} if modules is None else modules
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        lines = []
        for group, points in groups.items():
            lines += [f"[{group}]", *(f"{point} = {module}" for point, module in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for module, source in modules.items():
            path = site.joinpath(*module.split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source), encoding="utf-8")
            written.append(module)
        importlib.invalidate_caches()
        return info

    yield make
    for module in list(sys.modules):
        if any(module == w or module.startswith(f"{w}.") or w.startswith(f"{module}.") for w in written):
            del sys.modules[module]


@pytest.fixture
def run_python(site: Path, tmp_path: Path) -> RunPython:
    """Run code in a fresh Python that sees ``site``, and return what it printed."""

    def run(code: str, **environment: str) -> str:
        paths = [str(site), os.environ.get("PYTHONPATH", "")]
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", dedent(code)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
