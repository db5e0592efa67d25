"""The most memory that training takes: a fresh process for each contestant, of which the data is taken off.

What is told is the peak of the resident memory from the start of Python to the end of a turn, Python and the library
itself included; Linux only.
"""

from __future__ import annotations

from typing import Any

from results import Settings, table
from steps import TITLES
from turns import workers
from workloads import WORKLOADS, read

MEGABYTE = 10**6


def measure(settings: Settings) -> dict[str, Any]:
    """Bytes by workload and contestant."""
    data = sum(array.nbytes for array in read(settings.folder).values())
    return {name: _measure(name, settings) | {"data": data} for name in settings.workloads}


def _measure(workload: str, settings: Settings) -> dict[str, Any]:
    work, found = WORKLOADS[workload], {}
    for name in settings.contestants:
        with workers([name], work, settings.folder) as running:
            for worker in running.values():
                worker.run(3 if settings.quick else work.turn)
                found[name] = worker.ask("memory")
    return found


def markdown(found: dict[str, Any]) -> str:
    """A column for each workload."""
    names = list(dict.fromkeys(name for entry in found.values() for name in entry if name != "data"))
    rows = [[TITLES.get(name, name), *[_cell(entry, name) for entry in found.values()]] for name in names]
    note = "Megabytes at the peak without the data, and how much of it came after the library and the data were loaded:"
    return f"{note}\n\n{table(['', *found], rows)}"


def _cell(entry: dict[str, Any], name: str) -> str:
    if name not in entry:
        return ""
    peak, before = entry[name]["peak"], entry[name]["before"]
    return f"{(peak - entry['data']) / MEGABYTE:.0f} ({(peak - before) / MEGABYTE:.0f})"
