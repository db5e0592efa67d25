"""Faults that are really caused: killed runs, hostile files. Each is a short form of a command that does more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
FUZZERS = ["models.py", "readers.py", "checkpoints.py"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="the fuzzers measure time and memory as POSIX does")


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a script of the tests, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", *map(str, words)], capture_output=True, text=True, cwd=ROOT, timeout=600
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kills processes")
def test_killed_runs_end_as_if_they_had_not_been() -> None:
    """Six runs, each killed at random moments and resumed: ``python tests/faults/kill.py`` does 300."""
    seed = int(np.random.default_rng().integers(10**6))
    done = command(ROOT / "faults" / "kill.py", "--runs", 6, "--seed", seed)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}{done.stderr}"
    assert "6 runs" in done.stdout


@posix
@pytest.mark.parametrize("script", FUZZERS)
def test_hostile_files_end_well_or_with_an_error_of_ours(script: str) -> None:
    """Some hundred of them: ``python tests/fuzz --runs 20000`` does more."""
    seed = int(np.random.default_rng().integers(10**6))
    done = command(ROOT / "fuzz" / script, "--runs", 400, "--seed", seed)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}{done.stderr}"
    assert re.search(rf"^seed {seed}, 400 runs in \d+ s, 0 failures$", done.stdout, re.MULTILINE), done.stdout


@posix
def test_one_command_runs_every_fuzzer() -> None:
    """Each script of the folder by its name, with the runs and the seed that were given."""
    scripts = [path.name for path in (ROOT / "fuzz").glob("[!_]*.py") if "__main__" in path.read_text("utf-8")]
    assert sorted(scripts) == sorted(FUZZERS)
    done = command(ROOT / "fuzz", "--runs", 5, "--seed", 7)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^== (.+)$", done.stdout, re.MULTILINE) == [*FUZZERS, "all well"]
    assert len(re.findall(r"^seed 7, 5 runs in \d+ s, 0 failures$", done.stdout, re.MULTILINE)) == len(FUZZERS)


@posix
def test_a_fuzzer_that_fails_stops_none_and_is_told() -> None:
    """A negative seed, which no generator takes, makes every run fail."""
    done = command(ROOT / "fuzz", "--runs", 1, "--seed", -1)
    assert done.returncode == 1, done.stdout + done.stderr
    told = ", ".join(FUZZERS)
    assert re.findall(r"^== (.+)$", done.stdout, re.MULTILINE) == [*FUZZERS, f"failed: {told}"]
    assert done.stdout.count("seed -1, 1 runs in") == len(FUZZERS)
