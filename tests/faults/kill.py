"""Kill training runs with SIGKILL at random moments, resume them, and compare with runs that nobody disturbed.

    python tests/faults/kill.py [--runs 300] [--seed 0] [--keep DIR]

Every run is killed one to three times: after a random time, from before Python has started to after the result is
written, or the moment that a checkpoint is being written. Then it is resumed to its end. Its folder must be, byte for
byte, that of the undisturbed run, wall-clock times apart; so must the last parameters, the slots and the random
streams, which child.py notes. The configs have dropout, batch normalisation, early stopping, plateau, step and cosine
schedules, class weights, a stream as data, and callbacks that keep numbers and arrays. Exits with 1 if a run differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).parent / "child.py"

CONFIGS = {
    "early": """
data = "digits"
[model]
l2 = 1e-4
layers = [{ type = "affine", units = 48 }, "relu", { type = "dropout", rate = 0.3 }, { type = "affine", units = 10 }]
[update]
type = "adam"
learning_rate = 0.02
clip_norm = 1.0
schedule = { type = "plateau", patience = 2, drop = 0.5, warmup = 20 }
[train]
epochs = 40
batch_size = 37
validation = 0.1
class_weights = "balanced"
callbacks = [{ type = "early_stopping", patience = 8 }, "csv_log", { type = "mean", path = "mean.npy" }]
checkpoint_steps = 9
""",
    "norm": """
seed = 7
dtype = "float64"
data = "digits"
[model]
layers = [{ type = "affine", units = 32 }, "batch_norm", "relu", "dropout", { type = "affine", units = 10 }]
[update]
type = "momentum"
schedule = { type = "cosine", warmup = 30 }
[train]
iterations = 600
batch_size = 100
validation = 0.2
monitor = "loss"
callbacks = [{ type = "mean", path = "mean.npy" }]
checkpoint_steps = 7
keep_checkpoints = 1
""",
    "stream": """
seed = 3
data = "cards"
[model]
input_shape = [6]
layers = [{ type = "affine", units = 20 }, "batch_norm", "tanh", { type = "affine", units = 3 }]
[update]
type = "rmsprop"
learning_rate = 0.005
schedule = { type = "step", milestones = [150, 300] }
[train]
iterations = 800
batch_size = 16
callbacks = ["csv_log"]
checkpoint_steps = 11
""",
}

# A stranger's package: a stream that draws its order batch by batch, and a callback that keeps an array.
PLUGIN = '''
import json
import os
from pathlib import Path

import numpy as np
from attrs import define, field, frozen
from nnplug import Callback, DataLoader, Dataset, hookimpl


class Stream:
    """Three classes, in an order of which nobody knows more than the next batch; 900 rows an epoch, if asked."""

    rows = None

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.y = rng.integers(0, 3, 900)
        self.x = rng.normal(size=(900, 6)) + np.eye(6)[self.y]

    def batches(self, batch_size, rng, start=0):
        for number, i in enumerate(range(0, 900, batch_size)):
            rows = np.arange(i, min(i + batch_size, 900)) if rng is None else rng.integers(0, 900, batch_size)
            if number >= start:
                yield self.x[rows], self.y[rows], None


@frozen
class Cards(DataLoader):
    """Streams."""

    def load(self):
        return Dataset(Stream(1), validation=Stream(2), test=Stream(3), classes=3)


@define
class Mean(Callback):
    """Writes the mean of the parameters over all steps to a file at the end.

    Args:
        path: the file, in the run's folder.
    """

    path: str = "mean.npy"
    _mean: object = field(init=False, default=None, eq=False)
    _steps: int = field(init=False, default=0, eq=False)

    def start(self, run):
        self._mean, self._steps = np.zeros_like(run.model.network.buffers.vector), 0

    def step(self, run):
        self._steps += 1
        self._mean += (run.model.network.buffers.vector - self._mean) / self._steps

    def stop(self, run):
        np.save(run.folder / self.path, self._mean)

    def state(self):
        return {"mean": self._mean, "steps": self._steps}

    def restore(self, state):
        self._mean, self._steps = state["mean"].copy(), state["steps"]


@hookimpl
def nnplug_data_loaders():
    return {"cards": Cards}


@hookimpl
def nnplug_callbacks():
    return {"mean": Mean}
'''
POINTS = {
    "strangers": {"nnplug.data_loaders": {"cards": "strangers"}, "nnplug.callbacks": {"mean": "strangers"}},
    "nnplug_conv": {"nnplug.layers": {"batch_norm": "nnplug_conv.batch_norm"}},
}


def prepare(folder: Path) -> dict[str, str]:
    """Write configs and plugins; the environment in which they are found."""
    for name, text in CONFIGS.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    site = folder / "site"
    for distribution, groups in POINTS.items():
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", "utf-8")
        lines = [f"[{g}]\n" + "".join(f"{n} = {m}\n" for n, m in points.items()) for g, points in groups.items()]
        (info / "entry_points.txt").write_text("".join(lines), "utf-8")
    (site / "strangers.py").write_text(PLUGIN, "utf-8")
    paths = [str(site), str(ROOT / "plugins" / "nnplug-conv"), os.environ.get("PYTHONPATH", "")]
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP")}
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


class Trial:
    """One run in a folder of its own, of one config."""

    def __init__(self, folder: Path, name: str, place: str, env: dict[str, str]) -> None:
        self.out, self.notes, self.env = folder / place / "run", folder / place / "notes.json", env
        self.out.parent.mkdir()
        config = str(folder / f"{name}.toml")
        self.command = [sys.executable, str(CHILD), str(self.notes), "train", config, "--out", str(self.out)]

    def start(self) -> subprocess.Popen[bytes]:
        """Begin it, or go on with it."""
        with (self.out.parent / "log").open("ab") as log:
            return subprocess.Popen([*self.command, "--resume", "--quiet"], env=self.env, stdout=log, stderr=log)

    def finish(self) -> float:
        """Let it run to its end; the seconds it took."""
        started = monotonic()
        if self.start().wait() != 0:
            raise RuntimeError((self.out.parent / "log").read_text(encoding="utf-8"))
        return monotonic() - started

    def kill_after(self, seconds: float) -> str:
        """Kill it after so many seconds."""
        process = self.start()
        sleep(seconds)
        return self._kill(process)

    def kill_in_a_checkpoint(self, number: int) -> str:
        """Kill it while it writes its n-th checkpoint, as far as one sees that in time."""
        process, seen = self.start(), ""
        while process.poll() is None:
            writing = next((name for name in _names(self.out / "checkpoints") if name.startswith(".")), "")
            if writing and writing != seen:
                seen, number = writing, number - 1
            if writing and number <= 0:
                break
        return self._kill(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> str:
        """Kill a process and tell at what."""
        process.kill()
        process.wait()
        names = _names(self.out)
        if "result.json" in names:
            return "while it ended or later"
        if any(name.startswith(".") for name in _names(self.out / "checkpoints")):
            return "in a checkpoint"
        if "checkpoints" in names:
            return "between checkpoints"
        return "before the first checkpoint"

    def left(self) -> dict[str, object]:
        """What it left, without times: every file of its folder, and the notes."""
        files = sorted(path for path in self.out.rglob("*") if path.is_file())
        content = {str(path.relative_to(self.out)): _without_times(path) for path in files}
        return {**content, "notes": self.notes.read_bytes()}


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _without_times(path: Path) -> object:
    if path.name == "history.json":
        content = json.loads(path.read_text(encoding="utf-8"))
        for row in (content, *content["epochs"]):
            del row["train_seconds"]
        return content
    if path.name == "result.json":
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: value for key, value in content.items() if key not in ("train_seconds", "model", "run")}
    if path.suffix == ".csv":
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        times = rows[0].index("train_seconds")
        return [row[:times] + row[times + 1 :] for row in rows]
    return path.read_bytes()


def differing(expected: dict[str, object], found: dict[str, object]) -> list[str]:
    """The files in which two runs differ."""
    return [name for name in {**expected, **found} if expected.get(name) != found.get(name)]


def trials(folder: Path, runs: int, seed: int) -> Iterator[tuple[str, list[str], list[str]]]:
    """Run, kill, resume: the name of each trial, what it was killed at, and the files that differ."""
    chance, env = random.Random(seed), prepare(folder)  # noqa: S311  (no secret)
    whole = {name: Trial(folder, name, name, env) for name in CONFIGS}
    seconds = {name: trial.finish() for name, trial in whole.items()}
    expected = {name: trial.left() for name, trial in whole.items()}
    for number in range(runs):
        name = list(CONFIGS)[number % len(CONFIGS)]
        trial, killed = Trial(folder, name, f"trial-{number}", env), []
        for _ in range(chance.choice((1, 1, 2, 3))):
            if chance.random() < 0.4:
                killed.append(trial.kill_in_a_checkpoint(chance.randrange(1, 9)))
            else:
                killed.append(trial.kill_after(seconds[name] * chance.uniform(0, 0.95)))
        trial.finish()
        yield f"trial-{number} ({name})", killed, differing(expected[name], trial.left())


def main() -> int:
    """Read the command line, run, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which runs are killed")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave everything in this new folder")
    options = parser.parse_args()
    moments: Counter[str] = Counter()
    bad = 0
    with TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        for name, killed, differ in trials(folder, options.runs, options.seed):
            moments.update(killed)
            if differ:
                bad += 1
                print(f"{name}, killed {', '.join(killed)}: differs in {', '.join(differ)}", flush=True)
    for moment, times in moments.most_common():
        print(f"killed {times} times {moment}")
    print(f"{options.runs} runs, seed {options.seed}: {options.runs - bad} end as if nobody had killed them")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
