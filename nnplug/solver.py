"""The Solver: the one training loop."""

from __future__ import annotations

import math
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nnplug import evaluation
from nnplug.arena import Arena
from nnplug.best import Best
from nnplug.config import TrainConfig, build_section
from nnplug.contracts import Callback, Metric, Schedule, UpdateRule
from nnplug.errors import ConfigError, DataError, DivergedError, NnplugError, Problem
from nnplug.history import History, Row, Run
from nnplug.interrupts import Interrupts
from nnplug.model import Model
from nnplug.specs import Batch, Dataset, Source
from nnplug.splits import class_weights, measured, open_splits
from nnplug.threads import BlasThreads, threads_for
from nnplug.updater import Updater

DEFAULT_EPOCHS = 10


class Solver:
    """Trains a model: an update rule, batches, a schedule, a history, the best parameters kept.

    Args:
        model: is trained in place; takes over the data's scale and class names if it has none.
        data: a `Dataset`, or ``(x, y)``, ``(x, y, weight)`` or a `Source` to train on.
        update: the name, table or component of an update rule.
        folder: where callbacks put files, if anywhere.
        options: ``epochs``, ``iterations``, ``batch_size``, ``validation``, ``monitor``, ``metrics``, ``evaluate``,
            ``class_weights``, ``callbacks``, ``max_seconds``: what the ``[train]`` table of a config holds.

    Raises:
        ConfigError: with everything that is wrong with the options.
        DataError: the data cannot be learned from; found before training.

    Attributes:
        history: what happened so far.
        splits: the sources that are trained on and evaluated, by name.
    """

    def __init__(
        self,
        model: Model,
        data: Dataset | Source | tuple[Any, ...],
        *,
        update: UpdateRule | Mapping[str, Any] | str = "sgd",
        folder: Path | None = None,
        **options: Any,
    ) -> None:
        registry = model.registry
        self.model = model
        self.rule: UpdateRule = registry.create("update_rule", update)
        self._schedule: Schedule = registry.create("schedule", self.rule.schedule)
        self.config: TrainConfig = build_section(TrainConfig, options, registry, "train")
        self.metrics: dict[str, Metric] = model.metrics(self.config.metrics)
        self.history = History()
        dataset = data if isinstance(data, Dataset) else Dataset(train=data)
        model.adopt(dataset)
        self.splits = open_splits(model, dataset, self.config, self.metrics)
        self._measured = measured(self.splits, model)
        self._class_weights = class_weights(self.config.class_weights, self.splits["train"])
        monitor, higher = self._choose_monitor()
        self.history.monitor, self.history.higher_is_better = monitor, higher
        epochs, steps = self._length()
        self.run = Run(model, self.history, total_steps=steps, total_epochs=epochs, folder=folder)
        self.updater = Updater(self.rule, model.network.buffers)
        self._threads = BlasThreads(threads_for(model.network.plan, self.config.batch_size))
        self._arena = Arena()
        self._context = model.network.context(model.streams, training=True, arena=self._arena)
        self._best = Best(higher)
        self._callbacks: list[Any] = list(self.config.callbacks)
        self._watchers = [c.step for c in self._callbacks if hasattr(c, "step")]

    # Before training

    def _choose_monitor(self) -> tuple[str | None, bool]:
        """The column of the history that decides what is best, and whether more is better."""
        evaluated = "validation" in self.splits and "validation" in self.config.evaluate
        wanted = self.config.monitor
        if wanted is None:
            wanted = next(iter(self.metrics), "loss")
        elif not evaluated:
            raise ConfigError([Problem("train.monitor", "there is no validation split; set train.validation = 0.1")])
        if wanted not in ("loss", *self.metrics):
            known = ", ".join(("loss", *self.metrics))
            raise ConfigError([Problem("train.monitor", f"{wanted!r} is not evaluated; there are {known}")])
        if not evaluated:
            return None, True
        return f"validation_{wanted}", wanted != "loss" and self.metrics[wanted].higher_is_better

    def _length(self) -> tuple[int, int]:
        """How many epochs and how many steps there will be."""
        epochs, iterations = self.config.epochs, self.config.iterations
        rows = self.splits["train"].rows
        if rows is None:
            if iterations is None:
                raise ConfigError([Problem("train", "the data does not say how many rows it has; give 'iterations'")])
            return 1, iterations
        in_epoch = max(1, math.ceil(rows / self.config.batch_size))
        if iterations is not None:
            return math.ceil(iterations / in_epoch), iterations
        epochs = epochs if epochs is not None else DEFAULT_EPOCHS
        return epochs, epochs * in_epoch

    # Training

    def fit(self) -> History:
        """Train to the end, to an interrupt, or until a callback stops it; the model then holds the best parameters.

        Ctrl-C finishes the step and returns as if training had ended (a second one raises KeyboardInterrupt at once).

        Raises:
            DivergedError: the loss or the parameters are not finite any more.
            NnplugError: this Solver has trained already.
        """
        if self.history.stopped:
            raise NnplugError("this Solver has done its work; make a new one to train the model further")
        started: list[Callback] = []
        stopped = "failed"
        try:
            for callback in self._callbacks:
                callback.start(self.run)
                started.append(callback)
            with Interrupts() as interrupts:
                while not self.run.stop_reason:
                    self._epoch(interrupts)
            stopped = self.run.stop_reason
        except DivergedError:
            stopped = self.run.stop_reason
            raise
        finally:
            self._best.put_back(self.model.network.buffers)
            self.history.stopped = stopped
            with ExitStack() as stack:  # every one is stopped, whatever the others do
                for callback in reversed(started):
                    stack.callback(callback.stop, self.run)
        return self.history

    def _epoch(self, interrupts: Interrupts) -> None:
        """All batches of one epoch, or what is left to do of it, and its row of the history."""
        rng = self.model.streams.get("shuffle")
        before = self.run.step
        started = perf_counter()
        with self._threads.bounded():
            for batch in self.splits["train"].batches(self.config.batch_size, rng):
                self._step(batch)
                self._look_at_limits(interrupts, started)
                if self.run.stop_reason:
                    break
        self.history.train_seconds += perf_counter() - started
        if self.run.step == before:
            raise DataError("the train split yielded no batch")
        if not np.isfinite(self.model.network.buffers.vector).all():  # the next loss would tell, but may not come
            told = "the parameters hold NaN or infinity"
            raise self._diverged(f"after step {self.run.step} {told}", told)
        self.run.epoch += 1
        self.history.epochs.append(self._row())
        monitor = self.history.monitor
        if monitor is not None and self._best.offer(self.history.epochs[-1][monitor], self.model.network.buffers):
            self.history.best_epoch = self.run.epoch
        for callback in self._callbacks:
            callback.epoch(self.run)

    def _look_at_limits(self, interrupts: Interrupts, started: float) -> None:
        limit = self.config.max_seconds
        if interrupts.received:
            self.history.signal = interrupts.received
            self.run.stop(f"interrupted by {signal.Signals(interrupts.received).name}")
        elif self.run.step >= self.run.total_steps:
            self.run.stop("finished")
        elif limit is not None and self.history.train_seconds + perf_counter() - started >= limit:
            self.run.stop(f"max_seconds = {limit} reached")

    def _step(self, batch: Batch) -> None:
        x, y, weight = batch
        if self._class_weights is not None:
            chosen = self._class_weights.take(y)
            weight = chosen if weight is None else weight * chosen
        self._arena.start(len(x))
        loss = self.model.network.backpropagate(x, y, weight, self._context)
        if not math.isfinite(loss):
            raise self._diverged(f"the loss of step {self.run.step + 1} is {loss}", f"the loss became {loss}")
        self.history.losses.append(loss)
        self.updater.update(self._learning_rate())
        self.run.step += 1
        for watch in self._watchers:
            watch(self.run)

    def _learning_rate(self) -> float:
        """The learning rate of the step to come: a linear warm-up, then what the schedule says."""
        schedule, step = self._schedule, self.run.step
        if step < schedule.warmup:
            return self.rule.learning_rate * (step + 1) / schedule.warmup
        total = self.run.total_steps - schedule.warmup
        return self.rule.learning_rate * float(schedule.factor(step - schedule.warmup, total, self.history))

    def _diverged(self, what: str, reason: str) -> DivergedError:
        last = ", ".join(f"{value:.4g}" for value in self.history.losses[-5:]) or "none"
        self.run.stop_reason = reason
        return DivergedError(
            f"training diverged: {what}; the last finite losses: {last}. "
            "Usual causes: a learning rate that is too large, inputs that are not scaled, or a schedule that rises"
        )

    # After an epoch

    def _row(self) -> Row:
        row: Row = {
            "epoch": self.run.epoch,
            "step": self.run.step,
            "learning_rate": self._learning_rate_used(),
            "train_seconds": self.history.train_seconds,
        }
        for split in self.config.evaluate:
            if split in self.splits:
                row |= {f"{split}_{name}": value for name, value in self.evaluate(split).items()}
        return row

    def _learning_rate_used(self) -> float:
        self.run.step -= 1
        rate = self._learning_rate()
        self.run.step += 1
        return rate

    def evaluate(self, split: str) -> dict[str, float]:
        """Loss and metrics of a split of the data, with the parameters as they are now.

        Of more than a million training rows (2**20), so many are evaluated, always the same ones.
        """
        return evaluation.evaluate(self.model.network, self._measured[split], self.metrics)
