"""What checkpoints and the guard against divergence cost.

    python tests/bench/safety.py [--steps 10000]

trains two networks on MNIST, every second step with the guard, and tells the median of either; then writes checkpoints
and tells what one a minute takes. Needs the MNIST files (NNPLUG_DATA_DIR, or downloaded before).
"""

from __future__ import annotations

import argparse
from math import isfinite
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import nnplug
from nnplug.guard import Guard

NETWORKS: dict[str, tuple[list[int], dict[str, Any], int]] = {
    "784-50-10 sgd batch 100": ([50], {"type": "sgd", "learning_rate": 0.1}, 100),
    "784-128-64-10 adam batch 128": ([128, 64], {"type": "adam", "learning_rate": 1e-3}, 128),
}


class NoGuard(Guard):
    """Looks at the loss alone."""

    def accepts(self, loss: float) -> bool:
        """Whether the loss is finite."""
        return isfinite(loss)


def solver(name: str, data: Any, steps: int, **options: Any) -> nnplug.Solver:
    """A network of the list above, ready to be trained."""
    hidden, update, batch_size = NETWORKS[name]
    layers = [layer for units in hidden for layer in ({"type": "affine", "units": units}, "relu")]
    model = nnplug.build([*layers, {"type": "affine", "units": 10}], input_shape=784)
    options = {"iterations": steps, "batch_size": batch_size, "evaluate": (), **options}
    return nnplug.Solver(model, data, update=update, **options)


def guard(name: str, data: Any, steps: int) -> tuple[float, float]:
    """Microseconds a step without the guard, and with it: every second step has one, so that both see the same."""
    training = solver(name, data, steps)
    guards = training._guard, NoGuard(training.model.network.buffers.gradient)
    taken: tuple[list[float], list[float]] = [], []
    rng = training.model.streams.get("shuffle")
    while training.run.step < steps:
        for batch in training.splits["train"].batches(training.config.batch_size, rng):
            which = training.run.step % 2
            training._guard = guards[which]
            started = perf_counter()
            training._step(batch)
            taken[which].append(perf_counter() - started)
    return 1e6 * median(taken[1]), 1e6 * median(taken[0])


def checkpoint(name: str, data: Any, steps: int) -> tuple[float, int]:
    """Seconds that a checkpoint takes, and its bytes; half of training lies behind it, and a best epoch."""
    with TemporaryDirectory() as folder:
        training = solver(name, data, steps, validation=0.1, evaluate=("validation",))
        training.fit()
        training.history.stopped = ""  # as if it still trained
        taken = []
        for i in range(20):
            started = perf_counter()
            training.save_checkpoint(Path(folder, f"{i}.safetensors"))
            taken.append(perf_counter() - started)
        return median(taken), Path(folder, "0.safetensors").stat().st_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=10_000)
    options = parser.parse_args()
    data = nnplug.load_data("mnist")
    print("| network | a step without guard | with guard | more | a checkpoint | one a minute |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in NETWORKS:
        plain, guarded = guard(name, data, options.steps)
        seconds, size = checkpoint(name, data, options.steps)
        cells = f"{plain:.1f} us", f"{guarded:.1f} us", f"{100 * (guarded / plain - 1):.1f} %"
        told = f"{1e3 * seconds:.1f} ms, {size / 2**20:.1f} MiB", f"{100 * seconds / 60:.3f} %"
        print(f"| {name} | {' | '.join((*cells, *told))} |", flush=True)


if __name__ == "__main__":
    main()
