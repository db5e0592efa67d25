"""Contestants in processes of their own that take turns, so that a machine whose speed drifts is unfair to nobody.

Who is not on turn is stopped (SIGSTOP): the threads of a BLAS, of OpenMP and of XLA go on spinning for a while after a
call, on cores that the next one needs. Where the system puts a process's memory makes it faster or slower for as long
as it lives: a measurement takes several.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from attrs import asdict

from workloads import Workload

HERE = Path(__file__).parent
EACH = 5  # rounds in one process: a dozen processes tell more than one process in a dozen times as many rounds


class Missing(Exception):  # noqa: N818  (nothing went wrong)
    """A contestant whose library is not installed."""


class Worker:
    """A contestant's process; it stands still until it is asked something."""

    def __init__(self, name: str, work: Workload, folder: Path, mapped: bool = False) -> None:
        self.name = name
        task = {"name": name, "work": asdict(work), "folder": str(folder), "mapped": mapped}
        command = [sys.executable, str(HERE / "worker.py"), json.dumps(task)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hello = self._answer()
        if "missing" in hello:
            self.stop()
            raise Missing(f"{name}: {hello['missing']} is not installed")
        self.version: str = hello["version"]
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, question: str) -> Any:
        """Let it run, send a question, wait for the answer, stop it again."""
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def run(self, steps: int) -> float:
        """Train so many steps; microseconds a step."""
        return self.ask(f"run {steps}") / steps * 1e6

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with exit code {self._process.wait()}")
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def workers(names: Sequence[str], work: Workload, folder: Path, mapped: bool = False) -> Iterator[dict[str, Worker]]:
    """Start every contestant whose library is installed, by name; end them all."""
    started: dict[str, Worker] = {}
    try:
        for name in names:
            try:
                started[name] = Worker(name, work, folder, mapped)
            except Missing as missing:
                print(f"left out, {missing}", file=sys.stderr)
        yield started
    finally:
        for worker in started.values():
            worker.stop()


def generations(
    names: Sequence[str], work: Workload, folder: Path, rounds: int, mapped: bool = False
) -> Iterator[tuple[dict[str, Worker], int, int]]:
    """So many rounds in new processes after every `EACH`: the workers, their rounds, and the number of the first."""
    for first in range(0, rounds, EACH):
        with workers(names, work, folder, mapped) as running:
            yield running, min(EACH, rounds - first), first


def take_turns(workers: Mapping[str, Worker], steps: int, rounds: int, seed: int = 0) -> dict[str, list[float]]:
    """Microseconds a step of every contestant in every round; each round has an order of its own."""
    rng = np.random.default_rng(seed)
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name in rng.permutation(list(workers)):
            times[name].append(workers[name].run(steps))
    return times


def spread(values: list[float]) -> dict[str, Any]:
    """Median, quartiles and range of the rounds, and every one of them."""
    low, middle, high = quantiles(values, method="inclusive") if len(values) > 1 else values * 3
    return {"median": middle, "quartiles": [low, high], "range": [min(values), max(values)], "rounds": values}


def ratio(a: list[float], b: list[float]) -> float:
    """The median of a's time over b's, round by round."""
    return median(x / y for x, y in zip(a, b, strict=True))
