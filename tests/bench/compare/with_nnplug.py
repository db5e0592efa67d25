"""nnplug itself: its Solver, as users run it."""

from __future__ import annotations

from typing import Any

import nnplug
from workloads import Workload

VERSION = "nnplug"


class Contestant:
    """Trains through `nnplug.Solver`; each run goes on with the parameters of the one before."""

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        self._data, self._work = data, work
        layers: list[Any] = []
        for units in work.sizes[1:-1]:
            layers += [{"type": "affine", "units": units}, work.activation]
        layers.append({"type": "affine", "units": work.sizes[-1]})
        self._model = nnplug.build({"layers": layers, "loss": "softmax"}, input_shape=work.sizes[0], seed=0)
        self._seconds = 0.0

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        solver = nnplug.Solver(
            self._model,
            (self._data["x"], self._data["y"]),
            update={"type": self._work.rule, "learning_rate": self._work.learning_rate},
            iterations=steps,
            batch_size=self._work.batch_size,
            evaluate=[],
        )
        return solver.fit().train_seconds

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return self._model.predict(x)
