"""What happened in training, and the view of it that callbacks get."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from attrs import asdict, define, field, setters
from attrs.filters import exclude
from numpy.typing import ArrayLike

from nnplug.errors import NnplugError
from nnplug.naming import suggest
from nnplug.specs import Array

Row = dict[str, float]
FAILED = "failed"  # how a run ended that an error ended
ROOM = 2**20  # losses whose memory is taken at once: what a run lacks shows at its start, not in its tenth hour


def _doubles(values: ArrayLike) -> Array:
    return np.array(values, dtype=float)


@define(eq=False, on_setattr=setters.NO_OP)  # a step assigns to it: no converter may run each time
class History:
    """The record of one training run.

    Attributes:
        epochs: one row an epoch: ``epoch``, ``step``, ``learning_rate``, ``train_seconds``, then ``train_loss``,
            ``validation_accuracy`` and so on for each split that was evaluated.
        monitor: the column that decided which parameters are best, such as ``validation_accuracy``; or None.
        higher_is_better: whether more of what is monitored is better.
        best_epoch: the epoch whose parameters the model holds; None where nothing was monitored, or only NaN.
        stopped: why training ended: ``finished``, ``interrupted by SIGINT``, what a callback said, or ``failed``.
        unfinished: whether that was an interrupt or ``max_seconds``, so that training could go on later.
        signal: the number of the signal that interrupted training, or 0.
        train_seconds: time spent in steps alone: no loading, no evaluation.
    """

    _room: Array = field(factory=list, converter=_doubles, alias="losses")
    _steps: int = field(init=False)
    epochs: list[Row] = field(factory=list)
    monitor: str | None = None
    higher_is_better: bool = True
    best_epoch: int | None = None
    stopped: str = ""
    unfinished: bool = False
    signal: int = 0
    train_seconds: float = 0.0

    @_steps.default
    def _count(self) -> int:
        return len(self._room)

    @property
    def losses(self) -> Array:
        """The loss of every batch before its update, one number (float64) an iteration."""
        return self._room[: self._steps]

    @losses.setter
    def losses(self, losses: Array) -> None:
        self._room, self._steps = _doubles(losses), len(losses)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        epochs, steps = len(self.epochs), self._steps
        done = f"{epochs:,} epoch{'s' * (epochs != 1)}, {steps:,} step{'s' * (steps != 1)}"
        best = f", best epoch {self.best_epoch} by {self.monitor}" if self.best_epoch else ""
        return f"<History {done}{best}: {self.stopped or ('not ended' if steps else 'not begun')}>"

    def reserve(self, steps: int) -> None:
        """Take the memory for the losses of so many steps in all, but for no more than a million (2**20) to come."""
        more = min(steps, self._steps + ROOM) - len(self._room)
        if more > 0:
            self._room = np.concatenate([self._room, np.full(more, nan)])  # NaN is written, so the memory is there

    def record(self, loss: float) -> None:
        """Note the loss of one more step."""
        step = self._steps
        if step == len(self._room):
            self.reserve(step + ROOM)
        self._room[step] = loss
        self._steps = step + 1

    def as_dict(self) -> dict[str, Any]:
        """The history as plain numbers, texts and lists."""
        return {"losses": self.losses.tolist(), **asdict(self, filter=exclude("_room", "_steps"))}

    def column(self, name: str) -> list[float]:
        """One column of ``epochs``; NaN where an epoch has no such value.

        Raises:
            NnplugError: there are epochs, and none has one.
        """
        if self.epochs and not any(name in row for row in self.epochs):  # a schedule may ask in every step
            known = {column: None for row in self.epochs for column in row}
            raise NnplugError(
                f"the history has no column {name!r}{suggest(str(name), known)}; there are {', '.join(known)}"
            )
        return [row.get(name, nan) for row in self.epochs]


@define
class Run:
    """The state of a run as callbacks see it.

    Attributes:
        model: the `nnplug.Model` in training.
        history: what happened so far.
        total_steps: how many updates are planned.
        total_epochs: how many epochs are planned; the last may be cut short.
        folder: where the run's files go; None in a run that keeps none.
        step: updates done so far.
        epoch: epochs done so far.
        stop_reason: set by `stop`.
    """

    model: Any
    history: History
    total_steps: int
    total_epochs: int
    folder: Path | None = None
    step: int = 0
    epoch: int = 0
    stop_reason: str = ""

    @property
    def monitor(self) -> str | None:
        """The column of the history that "best" refers to, or None."""
        return self.history.monitor

    @property
    def higher_is_better(self) -> bool:
        """Whether more of what is monitored is better."""
        return self.history.higher_is_better

    def stop(self, reason: str) -> None:
        """Ask for training to end after this step; ``reason`` is told to the user."""
        self.stop_reason = reason or "stopped"
