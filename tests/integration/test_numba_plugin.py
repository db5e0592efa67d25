"""nnplug-numba as its users get it: a distribution of its own, installed with pip beside nnplug."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from tests.integration.conftest import packed, sources

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "plugins" / "nnplug-numba"

pytestmark = [
    pytest.mark.install,
    pytest.mark.skipif(
        importlib.util.find_spec("numba") is None, reason="numba is not installed (pip install ./plugins/nnplug-numba)"
    ),
]


@pytest.fixture(scope="module")
def installed(environment, tmp_path_factory):
    """The environment with nnplug-numba and numba installed, and the wheel."""
    wheel = environment.wheel(SOURCE, tmp_path_factory.mktemp("wheel"))
    environment.install(wheel, dependencies=True)
    return wheel


def test_the_wheel_holds_the_package_and_nothing_else(installed):
    """Every module and the typing marker; no tests, and no code that was compiled here."""
    names = packed(installed)
    assert names == sources(SOURCE / "nnplug_numba")
    assert {"nnplug_numba/py.typed", "nnplug_numba/_kernels/rules.py"} <= names


def test_it_changes_nothing_until_it_is_preferred(environment, installed, tmp_path, monkeypatch):
    """Every bare name means the built-in, then every one of its own means it."""
    for prefer, expected in (("", "nnplug"), ("nnplug-numba", "nnplug-numba")):
        monkeypatch.setenv("NNPLUG_PREFER", prefer)
        listed = json.loads(environment.run("nnplug", "plugins", "--json", cwd=tmp_path).out)
        ours = {(p["kind"], p["name"]) for p in listed if p["distribution"] == "nnplug-numba"}
        assert len(ours) == 11
        chosen = {p["distribution"] for p in listed if (p["kind"], p["name"]) in ours and p["status"] == "available"}
        assert chosen == {expected}


def test_its_own_tests_pass(environment, installed, tmp_path):
    """Run from its folder on what was installed, not on the sources beside them."""
    code = "import nnplug_numba; print(nnplug_numba.__file__)"
    assert str(ROOT) not in environment.run("python", "-c", code, cwd=tmp_path).out
    done = environment.run("pytest", "-q", "-p", "no:cacheprovider", cwd=SOURCE)
    assert done.code == 0, done.out
    assert re.search(r"^\d{3,} passed", done.out, re.MULTILINE)
