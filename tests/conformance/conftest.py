"""What these tests share: a folder that looks like site-packages, for distributions that are installed without pip."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEAD = """
from attrs import field, frozen
from nnplug import Layer, Plan, ShapeError, hookimpl

class Same:
    def plan(self, x):
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return x, None

    def backward(self, params, grads, cache, dout, ctx):
        return dout
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put a distribution on sys.path, with one layer a module: its name is the registry name, its value the class."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def add(distribution: str, old_names: str = "", **layers: str) -> None:
        package = distribution.replace("-", "_")
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        points = old_names + "".join(f"{name} = {package}_{name}\n" for name in layers)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[nnplug.layers]\n{points}", "utf-8")
        for name, code in layers.items():
            hook = f'\n@hookimpl\ndef nnplug_layers():\n    return {{"{name}": {name.capitalize()}}}\n'
            code = HEAD + code + ("" if "def nnplug_layers" in code else hook)
            (site / f"{package}_{name}.py").write_text(code, "utf-8")
        importlib.invalidate_caches()

    yield add
    for module in set(sys.modules) - before:
        if str(site) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]
