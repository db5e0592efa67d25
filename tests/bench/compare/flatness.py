"""Whether a long run stays as it begins: a million steps, or ten minutes of them; time and memory by windows.

After every window the products alone have a turn: where the machine itself becomes slower, they do too.
"""

from __future__ import annotations

from statistics import median
from time import monotonic

from results import Settings, table
from turns import workers
from workloads import WORKLOADS

WORK = WORKLOADS["W1"]
WINDOW, WINDOWS = 10_000, 100
MINUTES = 10


def measure(settings: Settings) -> dict[str, list[float]]:
    """Steps done, microseconds a step of both, and nnplug's anonymous memory in bytes, after every window."""
    found: dict[str, list[float]] = {"steps": [], "nnplug": [], "products": [], "memory": []}
    window = 20 if settings.quick else WINDOW
    with workers(["nnplug", "products"], WORK, settings.folder) as running:
        until = monotonic() + MINUTES * 60
        for number in range(1, (3 if settings.quick else WINDOWS) + 1):
            found["steps"].append(number * window)
            found["nnplug"].append(running["nnplug"].run(window))
            found["memory"].append(running["nnplug"].ask("memory")["anonymous"])
            found["products"].append(running["products"].run(window // 10))
            if monotonic() > until:
                break
    return found


def markdown(found: dict[str, list[float]]) -> str:
    """The last tenth of the windows beside the first."""
    ratios = [ours / theirs for ours, theirs in zip(found["nnplug"], found["products"], strict=True)]
    megabytes = [size / 10**6 for size in found["memory"]]
    rows = [
        _row("a step, us", found["nnplug"], 0),
        _row("a step, times the products alone", ratios, 2),
        _row("memory, MB", megabytes, 1),
    ]
    header = [f"{WORK.words}: {found['steps'][-1]:,.0f} steps", "first tenth", "last tenth", "change"]
    return table(header, rows)


def _row(title: str, values: list[float], digits: int) -> list[str]:
    tenth = max(1, len(values) // 10)
    first, last = median(values[:tenth]), median(values[-tenth:])
    return [title, f"{first:,.{digits}f}", f"{last:,.{digits}f}", f"{(last / first - 1) * 100:+.1f} %"]
