"""Trying a plugin in a process of its own, which may crash or hang without harm."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import frozen

CODE = """
import json, sys
from nnplug.store import Store
module, distribution, report = sys.argv[1:]
store = Store(installed=True)
outcome = store.try_module(module, distribution)
open(report, "w", encoding="utf-8").write(json.dumps(outcome))
"""


@frozen
class Outcome:
    """What became of a plugin's module.

    Args:
        error: why it cannot be used; empty if it can.
        seconds: how long its import and its hooks took; None if it did not come to an end.
    """

    error: str
    seconds: float | None = None


def probe(module: str, distribution: str, timeout: float) -> Outcome:
    """Import a plugin's module in a fresh interpreter and call its hooks.

    Args:
        module: what its entry points name.
        distribution: who declares it.
        timeout: how many seconds to wait for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-c", CODE, module, distribution, str(report)]
        try:
            done = subprocess.run(  # noqa: S603  (our own interpreter, our own code)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # not kept: it may be without end
                stderr=subprocess.DEVNULL,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(f"importing {module} did not end within {timeout:g} seconds")
        if not report.exists():
            return Outcome(f"importing {module} ended the interpreter{_how(done.returncode)}")
        error, seconds = json.loads(report.read_text(encoding="utf-8"))
    return Outcome(error, seconds)


def _how(code: int) -> str:
    """`` with SIGSEGV`` or `` with exit code 3``."""
    if code < 0:
        known = {number.value: number.name for number in signal.Signals}
        return f" with {known.get(-code, f'signal {-code}')}"
    return f" with exit code {code}"
