"""Training on a file that is larger than it should have to be held: memory and speed of the real ``nnplug train``.

    python tests/bench/larger_than_memory.py [--rows N] [--steps N] [--rounds N] [--folder DIR]

First, one epoch of a 784-128-64-10 network, batches of 128, on uint8 rows in a sparse .npy file (20 GB by default; it
takes no space on the disk, but is read like any other) with a tenth held out; the process's anonymous memory (RssAnon:
mapped pages are the system's to take back) is looked at from outside, twenty times a second. Then the seconds of
training a step, as ``--json`` tells them: of a million rows mapped and shuffled by blocks, and of the same rows in
memory, in turn, with the file's pages in the system's cache. The exit code is 1 if it took 400 MB or the mapped rows
were more than a tenth slower. Linux only; some 0.8 GB of space in DIR.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

COLUMNS, BATCH = 784, 128
ROWS = 1_000_000  # of the second part: 784 MB, three windows of blocks
LIMIT_MB, LIMIT_RATIO = 400, 0.9
CONFIG = """
[data]
type = "arrays"
path = "{x}"
targets = "{y}"
scale = [0.0, 0.00392156862745098]
classes = 10
memory_map = {mapped}

[model]
layers = [
  {{ type = "affine", units = 128 }},
  "relu",
  {{ type = "affine", units = 64 }},
  "relu",
  {{ type = "affine", units = 10 }},
]

[update]
type = "adam"

[train]
batch_size = {batch}
"""


def write_rows(folder: Path, name: str, rows: int, sparse: bool) -> tuple[Path, Path]:
    """Files of x and y; a sparse x is all holes, and reads as zeros."""
    x, y = folder / f"{name}-x.npy", folder / f"{name}-y.npy"
    rng = np.random.default_rng(0)
    mapped = np.lib.format.open_memmap(x, "w+", np.uint8, (rows, COLUMNS))
    if not sparse:
        for start in range(0, rows, 50_000):
            mapped[start : start + 50_000] = rng.integers(0, 256, (min(50_000, rows - start), COLUMNS), np.uint8)
    labels = np.lib.format.open_memmap(y, "w+", np.int64, (rows,))
    for start in range(0, rows, 10**6):
        labels[start : start + 10**6] = rng.integers(0, 10, min(10**6, rows - start))
    return x, y


def train(folder: Path, files: tuple[Path, Path], mapped: bool, changes: list[str]) -> tuple[dict[str, Any], float]:
    """Run the command in a new folder; its result, and the most anonymous memory that it had, in MB."""
    out = Path(tempfile.mkdtemp(dir=folder))
    config = out / "config.toml"
    config.write_text(CONFIG.format(x=files[0], y=files[1], mapped=str(mapped).lower(), batch=BATCH), encoding="utf-8")
    command = [sys.executable, "-m", "nnplug", "train", str(config), "--out", str(out / "run"), "--json", "--quiet"]
    with subprocess.Popen([*command, *(f"--set={c}" for c in changes)], stdout=subprocess.PIPE, text=True) as process:
        most = 0.0
        while process.poll() is None:
            most = max(most, anonymous_memory(process.pid))
            time.sleep(0.05)
        assert process.stdout is not None
        result: dict[str, Any] = json.loads(process.stdout.read() or "{}")
    if process.returncode:
        sys.exit(process.returncode)
    return result, most


def anonymous_memory(pid: int) -> float:
    """RssAnon of a process, in MB; 0 once it has ended."""
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def measure_memory(folder: Path, rows: int) -> bool:
    """One epoch on a file of so many rows; whether it stayed below the limit."""
    files = write_rows(folder, "sparse", rows, sparse=True)
    started = time.perf_counter()
    result, most = train(folder, files, True, ["train.epochs=1", "train.validation=0.1"])
    seconds = time.perf_counter() - started
    size = rows * COLUMNS / 1e9
    print(f"{rows:,} rows, {size:.1f} GB mapped: {result['steps']:,} steps in {result['train_seconds']:.0f} s")
    print(f"whole run {seconds:.0f} s, at most {most:.0f} MB of anonymous memory (limit {LIMIT_MB})")
    return most < LIMIT_MB


def measure_speed(folder: Path, steps: int, rounds: int) -> bool:
    """Steps a second, mapped and in memory in turn; whether mapped rows are fast enough."""
    files = write_rows(folder, "real", ROWS, sparse=False)
    rates: dict[str, list[float]] = {"mapped": [], "in memory": []}
    for number in range(rounds + 1):
        for name, found in rates.items():
            changes = [f"train.iterations={steps}", "train.evaluate=[]"]
            result, _ = train(folder, files, name == "mapped", changes)
            if number:  # the first round fills the system's cache
                found.append(result["steps"] / result["train_seconds"])
    ratios = [mapped / memory for mapped, memory in zip(rates["mapped"], rates["in memory"], strict=True)]
    for name, found in rates.items():
        print(f"{name:9}  {median(found):6.0f} steps a second, median of {rounds} runs of {steps:,} steps")
    print(f"mapped / in memory: {median(ratios):.3f} (median of pairs, {min(ratios):.3f} to {max(ratios):.3f})")
    return median(ratios) >= LIMIT_RATIO


def main() -> int:
    """Measure both; 1 if a limit is not kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=25_500_000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        fine = [measure_memory(Path(folder), options.rows)] if options.rows else []
        fine += [measure_speed(Path(folder), options.steps, options.rounds)] if options.rounds else []
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
