"""What happened in training, and the view of it that callbacks get."""

from __future__ import annotations

from array import array
from math import nan
from pathlib import Path
from typing import Any

from attrs import define, field

Row = dict[str, float]


@define
class History:
    """The record of one training run.

    Attributes:
        losses: the loss of every batch before its update, one number an iteration.
        epochs: one row an epoch: ``epoch``, ``step``, ``learning_rate``, ``train_seconds``, then ``train_loss``,
            ``validation_accuracy`` and so on for each split that was evaluated.
        monitor: the column that decided which parameters are best, such as ``validation_accuracy``; or None.
        higher_is_better: whether more of what is monitored is better.
        best_epoch: the epoch whose parameters the model holds; None where nothing was monitored.
        stopped: why training ended: ``finished``, ``interrupted by SIGINT``, or what a callback said.
        signal: the number of the signal that interrupted training, or 0.
        train_seconds: time spent in steps alone: no loading, no evaluation.
    """

    losses: array[float] = field(factory=lambda: array("d"), repr=False)
    epochs: list[Row] = field(factory=list)
    monitor: str | None = None
    higher_is_better: bool = True
    best_epoch: int | None = None
    stopped: str = ""
    signal: int = 0
    train_seconds: float = 0.0

    def column(self, name: str) -> list[float]:
        """One column of ``epochs``; NaN where an epoch has no such value."""
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
