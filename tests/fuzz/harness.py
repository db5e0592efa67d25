"""A small fuzzer: what it is given must end well or with an error of ours, soon, in little memory, without a warning.

Every run has a random generator of its own, made of the seed and the run's number, so that one run can be repeated
alone: ``--seed 0 --first 1234 --runs 1``.
"""

from __future__ import annotations

import argparse
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from types import FrameType

import numpy as np
from attrs import field, frozen

from nnplug import NnplugError

SECONDS = 2.0
MEGABYTES = 500

Attempt = Callable[[np.random.Generator, Path], str]


class Hang(BaseException):
    """A run took far too long."""


@frozen
class Outcome:
    """What came of all runs.

    Args:
        counts: how many runs of each sort ended how.
        failures: what must not be, with the number of the run.
        slowest: seconds and number of the slowest run.
        megabytes: how much memory the most expensive run took beyond what had been taken before.
    """

    counts: Counter[str] = field(factory=Counter)
    failures: list[str] = field(factory=list)
    slowest: tuple[float, int] = (0.0, 0)
    megabytes: float = 0.0


def run(attempt: Attempt, runs: int, seed: int, first: int = 0) -> Outcome:
    """Run ``attempt(rng, folder)`` many times; it returns the sort of input that it made up, if nothing was raised."""
    counts: Counter[str] = Counter()
    failures: list[str] = []
    slowest, most = (0.0, 0), 0.0
    signal.signal(signal.SIGALRM, _stop)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(first, first + runs):
            taken, started = _peak(), perf_counter()
            signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)
            try:
                counts[attempt(np.random.default_rng([seed, i]), Path(name))] += 1
            except NnplugError as error:
                counts[f"refused: {type(error).__name__}"] += 1
                failures += [f"run {i}: {told}" for told in _badly_told(error)]
            except (Exception, Hang):
                failures.append(f"run {i}:\n{traceback.format_exc()}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            seconds, megabytes = perf_counter() - started, _peak() - taken
            slowest, most = max(slowest, (seconds, i)), max(most, megabytes)
            if seconds > SECONDS:
                failures.append(f"run {i} took {seconds:.1f} s")
            if megabytes > MEGABYTES:
                failures.append(f"run {i} took {megabytes:.0f} MB")
    return Outcome(counts, failures, slowest, most)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang


def _peak() -> float:
    """The most memory that this process ever had, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def unquoted(text: str) -> str:
    """A message without what it quotes, even if that is cut short: those are the words of a file."""
    return re.sub(r"'[^'\n]*'?|\"[^\"\n]*\"?", "", text)


def _badly_told(error: NnplugError) -> list[str]:
    """What is wrong with an error's message, whatever else is right."""
    text = str(error)
    told = [f"not printable: {text!r}"] if not all(line.isprintable() for line in text.split("\n")) else []
    if len(text) > 100_000 or not text.strip():
        told.append(f"a message of {len(text)} characters: {text[:200]!r}")
    ours = unquoted(text)
    for words in ("recursion depth", "object is not", "Traceback", "codec can't", "pip install"):
        if words in ours:
            told.append(f"the words of a library, {words!r}: {text[:300]!r}")
    return told


def main(attempt: Attempt) -> int:
    """Run from the command line; the exit code is 1 if anything went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    given = parser.parse_args()
    started = perf_counter()
    outcome = run(attempt, given.runs, given.seed, given.first)
    for failure in outcome.failures[:20]:
        print(failure)
    for sort, count in sorted(outcome.counts.items()):
        print(f"{count:7,}  {sort}")
    seconds, slowest = outcome.slowest
    print(
        f"seed {given.seed}, {given.runs:,} runs in {perf_counter() - started:.0f} s, {len(outcome.failures)} failures"
    )
    print(f"slowest {seconds:.2f} s (run {slowest}), most memory +{outcome.megabytes:.0f} MB")
    return 1 if outcome.failures else 0
