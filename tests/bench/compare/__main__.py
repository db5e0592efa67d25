"""Microseconds a training step takes: nnplug, a loop by hand, the products alone, and every peer that is installed.

    NNPLUG_DATA_DIR=... python tests/bench/compare [W1 W2 W3 W4] [--rounds 7] [--json FILE] [--markdown FILE]

Needs the MNIST files and ``pip install -e ".[bench]"``. Each contestant has a process of its own; they take turns,
round by round, so that a machine whose speed drifts is unfair to nobody. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from workloads import WORKLOADS, Workload

HERE = Path(__file__).parent
NAMES = ("nnplug", "floor", "products", "jax", "torch", "sklearn", "thinc")
TITLES = {"floor": "NumPy by hand", "products": "products alone", "sklearn": "scikit-learn", "torch": "PyTorch"}
PEERS = ("jax", "torch", "sklearn", "thinc")


class Worker:
    """A contestant's process."""

    def __init__(self, name: str, workload: str) -> None:
        command = [sys.executable, str(HERE / "worker.py"), name, workload]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._answer()["version"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, question: str) -> float:
        """Send a command and wait for its number."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(work: Workload, names: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Time every contestant on one workload, in turns."""
    workers = {name: Worker(name, work.name) for name in names}
    part = max(10, work.steps // rounds)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for worker in workers.values():
        worker.ask(f"run {max(10, work.steps // 10)}")
    for _ in range(rounds):
        for name, worker in workers.items():
            seconds[name].append(worker.ask(f"run {part}") / part)
    results = {
        name: {
            "version": worker.version,
            "microseconds": median(seconds[name]) * 1e6,
            "all": [s * 1e6 for s in seconds[name]],
            "accuracy": worker.ask("accuracy"),
        }
        for name, worker in workers.items()
    }
    for worker in workers.values():
        worker.stop()
    return results


def ratio(results: dict[str, dict[str, Any]], a: str, b: str) -> float:
    """The median of a's time over b's, round by round."""
    pairs = zip(results[a]["all"], results[b]["all"], strict=True)
    return median(x / y for x, y in pairs)


def markdown(results: dict[str, dict[str, dict[str, Any]]], names: list[str]) -> str:
    """The table for people."""
    lines = ["| us a step | " + " | ".join(TITLES.get(n, n) for n in names) + " | to the floor | to the fastest peer |"]
    lines.append("| --- |" + " ---: |" * (len(names) + 2))
    for workload, found in results.items():
        cells = [f"{found[n]['microseconds']:.0f}" for n in names]
        peers = [n for n in PEERS if n in found]
        fastest = min(peers, key=lambda n: found[n]["microseconds"]) if peers else None
        to_peer = f"{ratio(found, 'nnplug', fastest):.2f} ({fastest})" if fastest else ""
        title = f"{workload} {WORKLOADS[workload].words}"
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {ratio(found, 'nnplug', 'floor'):.2f} | {to_peer} |")
    lines += ["", "Accuracy on the test images after these steps:", ""]
    learners = [n for n in names if n != "products"]
    lines.append("| | " + " | ".join(TITLES.get(n, n) for n in learners) + " |")
    lines.append("| --- |" + " ---: |" * len(learners))
    for workload, found in results.items():
        lines.append(f"| {workload} | " + " | ".join(f"{found[n]['accuracy']:.2%}" for n in learners) + " |")
    versions = sorted({found["version"] for entry in results.values() for found in entry.values()})
    return "\n".join([*lines, "", machine(), "", "Versions: " + ", ".join(versions) + "."])


def machine() -> str:
    """Where it was measured."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    python = f"{platform.system()}; Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores; {python}; NumPy {np.__version__} with {blas['name']} {blas['version']}."


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=list(NAMES), metavar="NAME", help="contestants to run")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    names = [n for n in options.only if n in ("floor", "products") or find_spec(n) is not None]
    results = {name: measure(WORKLOADS[name], names, options.rounds) for name in options.workloads}
    text = markdown(results, names)
    print(text)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    if options.markdown:
        options.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
