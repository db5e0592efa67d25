"""How the cost of a step grows with width, depth, batch size and the number of rows.

nnplug, the loop by hand and the products alone, in turns, on networks that differ in one thing from one another. The
rows of the last of these are memory-mapped: a file of random numbers, written first, and in the system's cache then.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from results import Settings, figure, table
from turns import generations, ratio, spread, take_turns
from workloads import Workload, write_random

CONTESTANTS = ("nnplug", "floor", "products")
SECONDS = 0.25  # what a turn should take, more or less
ROUNDS = 25

Point = dict[str, Any]  # "at", and the spread of each contestant


def _adam(sizes: tuple[int, ...], batch_size: int = 128) -> Workload:
    return Workload("growth", sizes, "relu", "adam", 1e-4, batch_size)


# What changes -> what it is changed to -> the workload.
SWEEPS = {
    "width": {n: _adam((784, n, n, 10)) for n in (64, 128, 256, 512, 1024, 2048, 4096)},
    "depth": {n: _adam((784, *[128] * n, 10)) for n in (1, 2, 4, 8, 16, 32)},
    "batch": {n: _adam((784, 128, 64, 10), n) for n in (1, 4, 16, 64, 256, 1024, 4096)},
    "rows": {n: _adam((64, 128, 64, 10)) for n in (10**4, 10**5, 10**6, 10**7)},
}
TITLES = {
    "width": "Width: 784-n-n-10, batches of 128 rows",
    "depth": "Depth: 784 numbers, n hidden layers of 128 units, 10 classes, batches of 128 rows",
    "batch": "Batch: 784-128-64-10, batches of n rows",
    "rows": "Rows: 64-128-64-10, batches of 128 out of n rows in a mapped file",
}


def measure(settings: Settings) -> dict[str, list[Point]]:
    """Every sweep, from small to large."""
    found: dict[str, list[Point]] = {}
    for sweep, works in SWEEPS.items():
        for at, work in list(works.items())[: 1 if settings.quick else None]:
            if sweep == "rows":
                folder = settings.folder / "rows"
                folder.mkdir()
                write_random(folder, at, work.sizes[0])
                point = _measure(work, folder, settings.quick, mapped=True)
                shutil.rmtree(folder)
            else:
                point = _measure(work, settings.folder, settings.quick)
            found.setdefault(sweep, []).append({"at": at} | point)
    return found


def _measure(work: Workload, folder: Path, quick: bool, mapped: bool = False) -> Point:
    steps = 2 if quick else 0
    times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for running, rounds, first in generations(CONTESTANTS, work, folder, 1 if quick else ROUNDS, mapped):
        for worker in running.values():
            worker.run(2)
        steps = steps or max(3, min(2000, round(SECONDS * 1e6 / running["nnplug"].run(3))))
        for name, measured in take_turns(running, steps, rounds, seed=first).items():
            times[name] += measured
    return {name: spread(values) for name, values in times.items()}


def markdown(found: dict[str, list[Point]]) -> str:
    """A table for each sweep."""
    return "\n\n".join(f"{TITLES[sweep]}; microseconds a step:\n\n{_table(points)}" for sweep, points in found.items())


def _table(points: list[Point]) -> str:
    rows = [
        [
            f"{point['at']:,}",
            *[figure(point[name]["median"]) for name in CONTESTANTS],
            *[f"{ratio(point['nnplug']['rounds'], point[name]['rounds']):.2f}" for name in CONTESTANTS[1:]],
        ]
        for point in points
    ]
    return table(["n", "nnplug", "NumPy by hand", "products alone", "nnplug / by hand", "nnplug / products"], rows)
