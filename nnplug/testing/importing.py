"""How long a plugin takes to import, in a Python of its own, without what it shares with every other plugin."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache

from attrs import frozen

from nnplug.testing.outcome import Failure, Skipped

MEASUREMENTS = 3  # the shortest counts: a busy machine makes them longer, nothing makes them shorter
PATIENCE = 60.0  # seconds

# Everything that `from nnplug import ...` may load is loaded before the clock starts.
PROGRAM = """
import json, sys
module, sys.path[:] = sys.argv[1], json.loads(sys.argv[2])
import nnplug
for name in nnplug.__all__:
    getattr(nnplug, name)
from time import perf_counter
sys.stderr.write("from here on\\n")
started = perf_counter()
__import__(module)  # importlib.import_module would not be listed
print(perf_counter() - started)
"""


@frozen
class ImportCase:
    """A module and the seconds that its import may take."""

    module: str
    budget: float

    def __str__(self) -> str:
        return f"the module {self.module}"


def import_time(case: ImportCase) -> str:
    """Importing the plugin's module takes no longer than the budget, 0.5 seconds beyond NumPy and nnplug."""
    if not case.module:
        raise Skipped("no installed distribution declares it, so there is no plugin to import")
    path = tuple(sys.path)
    seconds, heavy = _measure(case.module, path, 0)
    for attempt in range(1, MEASUREMENTS):
        if seconds <= case.budget:
            break
        seconds, heavy = min((seconds, heavy), _measure(case.module, path, attempt))
    if seconds <= case.budget:
        return f"{seconds:.2f} s"
    raise Failure(
        f"importing it takes {seconds:.2f} s, the budget is {case.budget:g} s{heavy}; "
        "import what is heavy inside the function that needs it, and compute nothing at the top of a module"
    )


@cache
def _measure(module: str, path: tuple[str, ...], attempt: int) -> tuple[float, str]:
    command = [sys.executable, "-X", "importtime", "-c", PROGRAM, module, json.dumps(path)]
    try:
        done = subprocess.run(  # noqa: S603  (our own program, and the module that is being checked)
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"importing it takes more than {PATIENCE:g} s; does it wait for something?") from None
    messages = done.stderr.partition("from here on\n")[2]
    if done.returncode != 0:
        told = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        raise Failure(f"a fresh Python cannot import it (exit code {done.returncode}): {told[-1] if told else ''}")
    return float(done.stdout.splitlines()[-1]), _heaviest(messages, module)


def _heaviest(messages: str, module: str) -> str:
    """``, most of it in torch``: the package that took longest, if it is another than the plugin's own."""
    seconds: dict[str, float] = {}
    for own, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", messages, re.MULTILINE):
        package = name.partition(".")[0]
        seconds[package] = seconds.get(package, 0.0) + int(own) / 1e6
    longest = max(seconds, key=lambda package: seconds[package], default="")
    return "" if longest in ("", module.partition(".")[0]) else f", most of it in {longest} ({seconds[longest]:.2f} s)"
