"""Train every preset with several seeds and print the table of docs/reference/figures.md.

    python tests/bench/figures.py [PRESET...] [--seeds 5] [--write docs/reference/figures.md]

Needs the MNIST files (NNPLUG_DATA_DIR, or downloaded before) and ``pip install -e ".[bench]"``; uses no network.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from attrs import frozen

import nnplug

# What each preset stands beside, as published: accuracy on the test images, and the time where it was told.
PUBLISHED = {
    "digits": "",
    "mnist": "",
    "scratch-two-layer": "96.87 %, 91.3 s",
    "scratch-two-layer-sigmoid": "",
    "cs231n-two-layer": "",
    "cs231n-deep": "",
    "dnn-784-128-64-10": "0 to 95 %",
    "dnn-784-128-64-10-adam": "0 to 95 %",
}
PLACE = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)


@frozen
class Run:
    """One training run: test accuracy, seconds in training steps, seconds for everything from config to saved model."""

    accuracy: float
    train_seconds: float
    total_seconds: float


def measure(preset: str, seed: int) -> Run:
    """Train a preset as the command line does, into a folder that is thrown away."""
    with TemporaryDirectory() as folder:
        started = perf_counter()
        result = nnplug.train(preset, changes=[f"seed={seed}"], out=folder)
        total = perf_counter() - started
    return Run(result.results["test"]["accuracy"], result.history.train_seconds, total)


def row(preset: str, runs: Sequence[Run]) -> str:
    """A preset's line of the table."""
    accuracies = [run.accuracy for run in runs]
    cells = [
        f"`{preset}`",
        PUBLISHED.get(preset, ""),
        ", ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies),
        f"{100 * median(accuracies):.2f} %",
        f"{median(run.train_seconds for run in runs):.1f} s",
        f"{median(run.total_seconds for run in runs):.1f} s",
    ]
    return f"| {' | '.join(cells)} |"


def header() -> str:
    """The table's first two lines."""
    cells = ["preset", "published", "test accuracy in %, seeds 0, 1, ...", "median", "training", "whole run"]
    return f"| {' | '.join(cells)} |\n|{' --- |' * 3}{' ---: |' * 3}"


def machine() -> str:
    """What the times belong to: processor, cores, versions, BLAS and its threads."""
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    pools = [f"{pool['internal_api']} {pool['version']} (threads: {pool['num_threads']})" for pool in blas]
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {', '.join(pools) or 'a BLAS that does not say its name'}; "
        f"nnplug {nnplug_version()}."
    )


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.+)", cpuinfo.read_text(encoding="utf-8"))
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def nnplug_version() -> str:
    """The installed version."""
    from importlib.metadata import version

    return version("nnplug")


def write(page: Path, table: str) -> None:
    """Put the table into a page, between its two marks."""
    text, count = PLACE.subn(rf"\g<1>{table}\n\g<2>", page.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"{page} has no place for the table: <!-- figures --> and <!-- end of figures -->")
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Read the command line, train, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("presets", nargs="*", metavar="PRESET", help="default: all")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on (default: 5)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page; for all presets only")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds: at least 1")
    if options.presets and options.write:
        parser.error("--write: a page holds all presets; leave their names out")
    os.environ["NNPLUG_OFFLINE"] = "1"

    lines = [header()]
    print(lines[0], flush=True)
    for preset in options.presets or PUBLISHED:
        lines.append(row(preset, [measure(preset, seed) for seed in range(options.seeds)]))
        print(lines[-1], flush=True)
    lines += ["", machine()]
    print(*lines[-2:], sep="\n")
    if options.write:
        write(options.write, "\n".join(lines))


if __name__ == "__main__":
    main()
