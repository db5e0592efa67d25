"""Writes a checkpoint of the current format for the tests to keep, with what came of the training in the end.

Run once for a new format, with the release that introduces it: ``python tests/data/checkpoints/write.py``. What is
there already stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from attrs import define

import nnplug
from nnplug import Callback, Run, Solver
from nnplug.checkpoint import FORMAT

HERE = Path(__file__).parent
STEP = 17  # in the middle of the third epoch


@define
class SaveAt(Callback):
    """Saves a checkpoint after a step.

    Args:
        path: where to.
        solver: whose.
    """

    path: Path
    solver: Any = None

    def step(self, run: Run) -> None:
        """Save it now."""
        if run.step == STEP:
            self.solver.save_checkpoint(self.path)


def solver(*callbacks: Any) -> Solver:
    """A training with dropout, a schedule, early stopping, a validation split, weights and parameters that decay."""
    rng = np.random.default_rng(5)
    x, y, weight = rng.random((60, 4)), rng.integers(0, 3, 60), rng.random(60)
    layers = [{"type": "affine", "units": 6}, "relu", {"type": "dropout", "rate": 0.3}, {"type": "affine", "units": 3}]
    model = nnplug.build({"layers": layers, "l2": 0.01}, input_shape=4, seed=3, dtype="float64")
    update = {"type": "adamw", "learning_rate": 0.01, "schedule": {"type": "cosine", "warmup": 3}}
    return Solver(
        model,
        (x, y, weight),
        update=update,
        epochs=6,
        batch_size=7,
        validation=0.2,
        callbacks=[{"type": "early_stopping", "patience": 3}, *callbacks],
    )


if __name__ == "__main__":
    path = HERE / f"format-{FORMAT}.safetensors"
    if not path.exists():
        save = SaveAt(path)
        training = save.solver = solver(save)
        training.fit()
        np.savez(path.with_suffix(".npz"), losses=training.history.losses, **training.model.params)
