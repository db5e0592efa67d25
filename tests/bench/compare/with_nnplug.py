"""nnplug itself: its Solver, as users run it."""

from __future__ import annotations

import os
import traceback
from threading import Semaphore, Thread
from time import perf_counter
from typing import Any

from attrs import define, field

import nnplug
from workloads import Workload

VERSION = "nnplug"


@define(eq=False)
class Turns(nnplug.Callback):
    """Lets training go on for so many steps and no more.

    Args:
        until: the step to stop at.
        stopped: when it was reached.
        go: is released for a turn.
        done: is released after it.
    """

    until: int = 0
    stopped: float = 0.0
    go: Any = field(factory=lambda: Semaphore(0))
    done: Any = field(factory=lambda: Semaphore(0))

    def step(self, run: nnplug.Run) -> None:
        """Stop the clock and wait for the next turn, where this one ends."""
        if run.step == self.until:
            self.stopped = perf_counter()
            self.done.release()
            self.go.acquire()


class Contestant:
    """One `fit` without an end, in a thread of its own, that waits where a turn is over.

    Attributes:
        registry: where names are looked up; another one, with other plugins preferred, makes another contestant.
    """

    registry: nnplug.Registry | None = None

    def __init__(self, work: Workload, data: dict[str, Any]) -> None:
        layers: list[Any] = []
        for units in work.sizes[1:-1]:
            layers += [{"type": "affine", "units": units}, work.activation]
        layers.append({"type": "affine", "units": work.sizes[-1]})
        config = {"layers": layers, "loss": "softmax"}
        self._model = nnplug.build(config, input_shape=work.sizes[0], seed=0, registry=self.registry)
        self._turns = Turns()
        self._solver = nnplug.Solver(
            self._model,
            (data["x"], data["y"]),
            update={"type": work.rule, "learning_rate": work.learning_rate},
            iterations=10**9,
            batch_size=work.batch_size,
            evaluate=[],
            callbacks=[self._turns],
        )
        Thread(target=self._fit, daemon=True).start()

    def _fit(self) -> None:
        self._turns.go.acquire()
        try:
            self._solver.fit()
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # else the main thread would wait for ever

    def run(self, steps: int) -> float:
        """Train and return the seconds that the steps took."""
        self._turns.until += steps
        started = perf_counter()
        self._turns.go.release()
        self._turns.done.acquire()
        return self._turns.stopped - started

    def predict(self, x: Any) -> Any:
        """Class indices."""
        return self._model.predict(x)
