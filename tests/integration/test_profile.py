"""Inside a training step there are arrays and arithmetic: no registry, no hook, no option, no log."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import define

from nnplug import Callback, Run, default_registry

SCRIPT = Path(__file__).parents[1] / "bench" / "profile_step.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("profile_step", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["profile_step"] = module
    spec.loader.exec_module(module)
    return module


def test_no_machinery_runs_inside_a_step(script: ModuleType) -> None:
    """Of all functions called in 50 steps none belongs to what resolves names, and the window did see the steps."""
    stats = script.profile(50)
    assert script.offenders(stats) == []
    names = {name: number for (_, _, name), (number, _, _) in script.calls(stats).items()}
    assert names["backpropagate"] == names["apply"] == 50  # weights and biases are one block
    assert not any("evaluat" in name for name in names)


def test_the_script_prints_calls_and_time_a_step() -> None:
    """Run as a command it prints the table and exits with 0."""
    done = subprocess.run([sys.executable, str(SCRIPT), "30"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["calls", "us", "alone", "us", "in", "all", "function", "(a", "step)"]
    assert any(row.split()[0] == "1.00" and "_step  nnplug/solver.py:" in row for row in rows)


@define
class Chatty(Callback):
    """Looks up a name, and logs, in every step.

    Args:
        how: what it does.
    """

    how: str = "registry"

    def step(self, run: Run) -> None:
        """Do what has no place here."""
        if self.how == "registry":
            default_registry().get("layer", "relu")
        else:
            import logging

            logging.getLogger("chatty").debug("step %d", run.step)


@pytest.mark.parametrize(("how", "module"), [("registry", "nnplug.registry: get"), ("logging", "logging: debug")])
def test_who_does_it_all_the_same_is_named(
    script: ModuleType, how: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A callback that resolves a name or logs in every step is found, and the exit code is 1."""
    found = script.offenders(script.profile(20, [Chatty(how)]))
    assert any(line.startswith(module) and line.endswith("was called 20 times") for line in found)
    whole: Any = script.profile
    monkeypatch.setattr(script, "profile", lambda steps: whole(steps, [Chatty(how)]))
    assert script.main(["20"]) == 1
    assert f"inside a step, {module}" in capsys.readouterr().err
