"""What a training step spends its time on, and the proof that no plugin machinery runs inside it.

    python tests/bench/profile_step.py [STEPS]

trains a 784-128-64-10 network with Adam on random data under cProfile and prints, for every function called inside a
step, calls and microseconds a step. The profiler makes Python functions look dearer than they are; compare, do not add
up. The exit code is 1 if a registry, plugin, option, config, pluggy or logging function was called inside a step.
"""

from __future__ import annotations

import cProfile
import logging
import pstats
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pluggy
from attrs import define, field

import nnplug
import nnplug.config
import nnplug.filling
import nnplug.options
import nnplug.plugins
import nnplug.registry
import nnplug.store
from nnplug import Callback, Run

STEPS = 2000
IN_EPOCH = 100  # profiled steps in an epoch; one more begins it
SIZES = (784, 128, 64, 10)
BATCH = 128

# What resolves names, reads options or calls hooks belongs before training.
FORBIDDEN = {
    module.__name__: module
    for module in (
        nnplug.registry,
        nnplug.store,
        nnplug.plugins,
        nnplug.options,
        nnplug.filling,
        nnplug.config,
        pluggy,
        logging,
    )
}

Function = tuple[str, int, str]  # file, line and name, as pstats has it


@define
class Window(Callback):
    """Profiles the steps of every epoch but the first; what lies between epochs stays outside.

    Args:
        in_epoch: how many steps there are in an epoch.
        profile: is switched on and off.
    """

    in_epoch: int
    profile: cProfile.Profile = field(factory=cProfile.Profile)

    def step(self, run: Run) -> None:
        """Open the window after an epoch's first step, close it with its last."""
        if run.epoch > 0 and run.step % self.in_epoch == 1:
            self.profile.enable()
        elif run.step % self.in_epoch == 0:
            self.profile.disable()


def profile(steps: int = STEPS, callbacks: Iterable[Any] = ()) -> pstats.Stats:
    """Profile so many steps, after an epoch to warm up.

    Args:
        steps: how many; of more than IN_EPOCH, a multiple of it.
        callbacks: more callbacks, which run inside the window.
    """
    layers: list[Any] = []
    for units in SIZES[1:-1]:
        layers += [{"type": "affine", "units": units}, "relu"]
    layers.append({"type": "affine", "units": SIZES[-1]})
    model = nnplug.build({"layers": layers, "l2": 1e-4}, input_shape=SIZES[0], seed=0)

    in_epoch = min(steps, IN_EPOCH)
    rng = np.random.default_rng(0)
    x = rng.random(((in_epoch + 1) * BATCH, SIZES[0]), np.float32)
    y = rng.integers(0, SIZES[-1], len(x))

    window = Window(in_epoch + 1)
    update = {"type": "adam", "schedule": {"type": "cosine", "warmup": 10}, "clip_norm": 10.0}
    options: dict[str, Any] = {"epochs": 1 + steps // in_epoch, "batch_size": BATCH, "evaluate": ()}
    history = nnplug.Solver(model, (x, y), update=update, callbacks=[*callbacks, window], **options).fit()
    if history.signal:
        sys.exit(128 + history.signal)  # part of the steps would look like cheaper steps
    return pstats.Stats(window.profile)


def calls(stats: pstats.Stats) -> dict[Function, tuple[int, float, float]]:
    """Function -> calls, seconds in it alone, seconds in it and in what it calls."""
    entries: dict[Function, tuple[int, int, float, float, Any]] = stats.stats  # type: ignore[attr-defined]
    return {function: (entry[1], entry[2], entry[3]) for function, entry in entries.items()}


def offenders(stats: pstats.Stats) -> list[str]:
    """The functions that have no business inside a step, as ``module: function (calls)``."""
    found = []
    for (file, line, name), (number, _, _) in calls(stats).items():
        for module, loaded in FORBIDDEN.items():
            source = Path(str(loaded.__file__))
            inside = source.parent in Path(file).parents if source.name == "__init__.py" else source == Path(file)
            if inside:
                found.append(f"{module}: {name} (line {line}) was called {number} times")
    return sorted(found)


def table(stats: pstats.Stats, steps: int) -> str:
    """A line for each function, the dearest first."""
    rows = sorted(calls(stats).items(), key=lambda row: row[1][1], reverse=True)
    lines = [f"{'calls':>8} {'us alone':>9} {'us in all':>9}  function (a step)"]
    for (file, line, name), (number, alone, total) in rows:
        place = "" if file == "~" else f"  {Path(file).parent.name}/{Path(file).name}:{line}"
        lines.append(f"{number / steps:8.2f} {1e6 * alone / steps:9.2f} {1e6 * total / steps:9.2f}  {name}{place}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table; name who does not belong there."""
    steps = int(arguments[0]) if arguments else STEPS
    stats = profile(steps)
    print(table(stats, steps))
    wrong = offenders(stats)
    for offender in wrong:
        print(f"inside a step, {offender}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
