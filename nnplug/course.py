"""The course of a training: how long it takes, how fast it goes, and what decides what is best."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Container, Mapping
from math import ceil, inf
from typing import Any

import numpy as np

from nnplug.config import TrainConfig
from nnplug.contracts import Metric, Schedule, UpdateRule
from nnplug.errors import ConfigError, NnplugError, Problem
from nnplug.history import Run
from nnplug.options import show
from nnplug.rows import Rows
from nnplug.specs import Source

DEFAULT_EPOCHS = 10
REAL = (float, int, np.floating, np.integer)


def choose_monitor(
    config: TrainConfig, splits: Container[str], metrics: Mapping[str, Metric]
) -> tuple[str | None, bool]:
    """The column of the history that decides what is best, and whether more is better.

    Raises:
        ConfigError: what is to be monitored is not evaluated.
    """
    evaluated = "validation" in splits and "validation" in config.evaluate
    wanted = config.monitor
    if wanted is None:
        wanted = next(iter(metrics), "loss")
    elif not evaluated:
        raise ConfigError([Problem("train.monitor", "there is no validation split; set train.validation = 0.1")])
    if wanted not in ("loss", *metrics):
        known = ", ".join(("loss", *metrics))
        split = "; without 'validation_', no other split is monitored" if wanted.startswith("validation_") else ""
        raise ConfigError([Problem("train.monitor", f"{wanted!r} is not evaluated; there are {known}{split}")])
    if not evaluated:
        return None, True
    return f"validation_{wanted}", wanted != "loss" and metrics[wanted].higher_is_better


def length(config: TrainConfig, rows: int | None) -> tuple[int, int]:
    """How many epochs and how many steps there will be.

    Raises:
        ConfigError: nobody knows.
    """
    epochs, iterations = config.epochs, config.iterations
    if rows is None:
        if iterations is None:
            raise ConfigError([Problem("train", "the data does not say how many rows it has; give 'iterations'")])
        return 1, iterations
    in_epoch = max(1, ceil(rows / config.batch_size))
    if iterations is not None:
        return ceil(iterations / in_epoch), iterations
    epochs = epochs if epochs is not None else DEFAULT_EPOCHS
    return epochs, epochs * in_epoch


def look_at_rows(source: Source, batch_size: int, steps: int) -> None:
    """Warn of a stream that had another number of rows in an epoch than it says: epochs are not as many as planned."""
    rows = None if isinstance(source, Rows) else source.rows  # arrays have as many as they have
    if rows is not None and steps != ceil(rows / batch_size):
        warnings.warn(
            f"the train split says that it has {rows} rows, {ceil(rows / batch_size)} batches, and yielded {steps} "
            "batches in an epoch; what is planned by epochs takes more or fewer of them",
            stacklevel=2,
        )


def learning_rate(rule: UpdateRule, step: int, run: Run) -> float:
    """The learning rate of a step, counted from 0: a linear warm-up, then what the schedule says.

    Raises:
        NnplugError: the schedule's factor is none.
    """
    schedule: Schedule = rule.schedule  # type: ignore[assignment]  # the registry resolved it
    warmup = schedule.warmup
    if step < warmup:
        return rule.learning_rate * (step + 1) / warmup
    factor: Any = schedule.factor(step - warmup, run.total_steps - warmup, run.history)
    if not isinstance(factor, REAL) or not 0.0 <= factor < inf:
        name = type(schedule).__name__
        raise NnplugError(
            f"the schedule {name} gave the factor {show(factor)} for step {step + 1}; it must be finite, not negative"
        )
    return rule.learning_rate * float(factor)


def look_at_limits(run: Run, max_seconds: float | None) -> bool:
    """End a run that is at its end or its limits; whether it is one that could go on later."""
    signal_number = run.history.signal
    if run.step >= run.total_steps:
        run.stop("finished")
    if run.stop_reason:
        return False
    if signal_number:
        run.stop(f"interrupted by {signal.Signals(signal_number).name}")
    elif max_seconds is not None and run.history.train_seconds >= max_seconds:
        run.stop(f"max_seconds = {max_seconds} reached")
    return bool(run.stop_reason)
