"""The Solver: the one training loop."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property, partial
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any

from nnplug import evaluation
from nnplug.arena import Arena
from nnplug.best import Best
from nnplug.checkpoint import Keeper, newest_checkpoint, read_checkpoint, write_checkpoint
from nnplug.config import TrainConfig, build_section
from nnplug.contracts import Callback, Metric, UpdateRule
from nnplug.course import choose_monitor, learning_rate, length, look_at_limits, look_at_rows
from nnplug.errors import ConfigError, DataError, DivergedError, NnplugError, Problem
from nnplug.guard import Guard, refused_evaluation, refused_parameters, refused_update
from nnplug.history import FAILED, History, Row, Run
from nnplug.identity import identify
from nnplug.interrupts import Interrupts
from nnplug.model import Model
from nnplug.options import show
from nnplug.snapshot import callback_states, check, put, restore_callback, take
from nnplug.specs import Batch, Dataset, Source
from nnplug.splits import adopt, class_weights, measured
from nnplug.threads import BlasThreads, threads_for
from nnplug.updater import Updater


class Solver:
    """Trains a model: an update rule, batches, a schedule, a history, the best parameters kept.

    Args:
        model: is trained in place; takes over the data's scale and class names if it has none.
        data: a `Dataset`, or ``(x, y)``, ``(x, y, weight)`` or a `Source` to train on.
        update: the name, table or component of an update rule.
        folder: where checkpoints and callbacks' files go, if anywhere.
        options: ``epochs``, ``iterations``, ``batch_size``, ``validation``, ``monitor``, ``metrics``, ``evaluate``,
            ``class_weights``, ``callbacks``, ``max_seconds``, ``checkpoint_seconds`` and so on: what the ``[train]``
            table of a config holds.

    Raises:
        ConfigError: with everything that is wrong with the options.
        DataError: the data cannot be learned from; found before training.
        NnplugError: ``model`` is none.

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
        folder: str | Path | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(model, Model):
            raise NnplugError(f"a Solver trains a Model, as nnplug.build gives it, not {show(model)}")
        registry = model.registry
        self.model = model
        self.rule: UpdateRule = registry.create("update_rule", update)
        if isinstance(options.get("validation"), tuple | list):
            told = "expected a share of the rows; rows of their own: nnplug.Dataset(train=(x, y), validation=(xv, yv))"
            raise ConfigError([Problem("train.validation", told)])
        self.config: TrainConfig = build_section(TrainConfig, options, registry, "train")
        self.metrics: dict[str, Metric] = model.metrics(self.config.metrics)
        self.history = History()
        dataset = data if isinstance(data, Dataset) else Dataset(train=data)
        self.splits = adopt(model, dataset, self.config, self.metrics)
        self._measured = measured(self.splits, model)
        self._class_weights = class_weights(
            self.config.class_weights, self.splits["train"], model.network.plan.out.size
        )
        monitor, higher = choose_monitor(self.config, self.splits, self.metrics)
        self.history.monitor, self.history.higher_is_better = monitor, higher
        epochs, steps = length(self.config, self.splits["train"].rows)
        folder = None if folder is None else Path(folder)
        self.run = Run(model, self.history, total_steps=steps, total_epochs=epochs, folder=folder)
        self.updater = Updater(self.rule, model.network.buffers)
        self.best = Best(higher)
        self.callback_states: list[tuple[str, dict[str, Any]]] = []
        self._guard = Guard(model.network.buffers.gradient[: model.network.buffers.layout.trained])
        self._threads = BlasThreads(threads_for(model.network.plan, self.config.batch_size))
        self._arena = Arena()
        self._context = model.network.context(model.streams, training=True, arena=self._arena)
        self.callbacks: list[Any] = list(self.config.callbacks)
        self._watchers = [c.step for c in self.callbacks if hasattr(c, "step")]
        self._keeper: Keeper | None = None
        self._since = 0.0
        self._begin_epoch()

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What tells this training from others: config, fingerprints of the data, versions of plugins."""
        return identify(self)

    # Training

    def fit(self) -> History:
        """Train to the end, to an interrupt, or until a callback stops it; the model then holds the best parameters.

        Ctrl-C finishes the step and returns as if training had ended (a second one raises KeyboardInterrupt at once).
        With a folder, checkpoints are written to it on the way, and one when training is interrupted.

        Raises:
            DivergedError: the loss, of a step or of a split after an epoch, a gradient or the parameters are not finite
                any more.
            NnplugError: this Solver has trained already.
        """
        if self.history.stopped:
            raise NnplugError("this Solver has done its work; make a new one to train the model further")
        started: list[Callback] = []
        stopped = FAILED
        try:
            self._start(started)
            with Interrupts() as interrupts:
                while not self.run.stop_reason:
                    self._epoch(interrupts)
            stopped = self.run.stop_reason
            self._look_for_the_best()
        except DivergedError:
            stopped = self.run.stop_reason or stopped
            raise
        finally:
            self.best.put_back(self.model.network.buffers)
            self.history.stopped = stopped
            with ExitStack() as stack:  # every one is stopped, whatever the others do
                for callback in reversed(started):
                    stack.callback(callback.stop, self.run)
        return self.history

    def _start(self, started: list[Callback]) -> None:
        """Start the callbacks, and note which; those of a run that is resumed are given their states back."""
        self.history.reserve(self.run.total_steps)
        self._guard.arm()
        for callback in self.callbacks:
            callback.start(self.run)
            started.append(callback)
            restore_callback(callback, self.model.registry, self.callback_states)
        if self.run.folder is not None:
            callback_states(self.callbacks, self.model.registry)  # what cannot be kept is told now, not in an hour
            self._keeper = Keeper(self.run.folder, self.config)
        if self.run.step == 0:
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Note what the order of the epoch to come follows from."""
        self.epoch_start = self.run.step
        self.epoch_stream = self.model.streams.get("shuffle").bit_generator.state

    def _epoch(self, interrupts: Interrupts) -> None:
        """All batches of one epoch, or what is left to do of it, and its row of the history."""
        rng, done = self.model.streams.get("shuffle"), self.run.step - self.epoch_start
        self._since = perf_counter()
        with self._threads.bounded():
            for batch in self.splits["train"].batches(self.config.batch_size, rng, done):
                self._step(batch)
                self._between_steps(interrupts)
                if self.run.stop_reason:
                    break
            else:
                look_at_rows(self.splits["train"], self.config.batch_size, self.run.step - self.epoch_start)
        if self.run.step == self.epoch_start:
            raise DataError("the train split yielded no batch")
        self._check_parameters()  # the next loss would tell, but may not come
        self._begin_epoch()
        self.run.epoch += 1
        self.history.epochs.append(self._row())
        monitor = self.history.monitor
        if monitor is not None and self.best.offer(self.history.epochs[-1][monitor], self.model.network.buffers):
            self.history.best_epoch = self.run.epoch
        reason = self.run.stop_reason
        for callback in self.callbacks:
            callback.epoch(self.run)
        if self.history.unfinished:  # callbacks saw an epoch cut short: whether it ends here is told when it goes on
            self.run.stop_reason = reason

    def _step(self, batch: Batch) -> None:
        x, y, weight = batch
        if self._class_weights is not None:
            chosen = self._class_weights.take(y)
            weight = chosen if weight is None else weight * chosen
        self._arena.start(len(x))
        loss, _ = self.model.network.backpropagate(x, y, weight, self._context)
        if not self._guard.accepts(loss):
            raise refused_update(self, (x, y, weight), loss)
        self.history.record(loss)
        self.updater.update(learning_rate(self.rule, self.run.step, self.run))
        self.run.step += 1
        for watch in self._watchers:
            watch(self.run)

    def _between_steps(self, interrupts: Interrupts) -> None:
        """Look at the limits, and write a checkpoint if one is due or a limit ends what could go on later."""
        now, history, keeper = perf_counter(), self.history, self._keeper
        history.train_seconds += now - self._since
        self._since = now
        history.signal = interrupts.received
        history.unfinished = look_at_limits(self.run, self.config.max_seconds)
        if keeper and (history.unfinished or (not self.run.stop_reason and keeper.due(self.run.step, now))):
            self._check_parameters()
            keeper.keep(self.run.step, self.save_checkpoint)
            self._since = perf_counter()

    def _look_for_the_best(self) -> None:
        monitor, epochs = self.history.monitor, len(self.history.epochs)
        if monitor is not None and epochs and self.history.best_epoch is None:
            told = f"{monitor} was NaN after each of {epochs} epochs, so that none is the best"
            warnings.warn(f"{told}; the model holds the last parameters", stacklevel=3)

    def _check_parameters(self) -> None:
        error = refused_parameters(self)
        if error is not None:
            raise error

    # Going on later

    def save_checkpoint(self, path: str | Path) -> None:
        """Write everything that training goes on from to a file; between two steps, so not while one is computed.

        Callbacks are told of a step one after the other: one that saves has those after it miss that step.

        Raises:
            NnplugError: training has ended, and the model holds its best parameters, not the last.
            CheckpointError: the state of something cannot be written to a file.
            OSError: the file cannot be written.
        """
        if self.history.stopped:
            raise NnplugError("training has ended, there is nothing to go on from; save the model with model.save")
        write_checkpoint(Path(path), take(self))

    def resume(self, path: str | Path) -> None:
        """Take up a checkpoint, so that `fit` goes on as if training had not stopped; to the byte.

        Args:
            path: the file, or the folder of a run, whose newest good checkpoint is taken.

        Raises:
            CheckpointError: there is no checkpoint that can be used, or it is one of another training.
            DataError: the data is not what it was.
            ConfigError: it has used up ``max_seconds`` already.
            NnplugError: this Solver has trained already.
        """
        if self.history.stopped or self.run.step:
            raise NnplugError("this Solver has trained already; make a new one and resume before fit")
        path = Path(path)
        read = newest_checkpoint if path.is_dir() else read_checkpoint
        put(self, read(path, partial(check, self)))
        limit, used = self.config.max_seconds, self.history.train_seconds
        if limit is not None and used >= limit:
            raise ConfigError([Problem("train.max_seconds", f"{used:.1f} of {limit} seconds are used up; give more")])

    # After an epoch

    def _row(self) -> Row:
        row: Row = {
            "epoch": self.run.epoch,
            "step": self.run.step,
            "learning_rate": learning_rate(self.rule, self.run.step - 1, self.run),
            "train_seconds": self.history.train_seconds,
        }
        for split in self.config.evaluate:
            if split in self.splits:
                found = self.evaluate(split)
                if not isfinite(found["loss"]):
                    raise refused_evaluation(self, split, found["loss"])
                row |= {f"{split}_{name}": value for name, value in found.items()}
        return row

    def evaluate(self, split: str) -> dict[str, float]:
        """Loss and metrics of a split of the data, with the parameters as they are now.

        Of more than a million training rows (2**20), so many are evaluated, always the same ones.

        Raises:
            NnplugError: there is no such split.
        """
        if split not in self._measured:
            raise NnplugError(f"there is no {split!r} split; there are {', '.join(self._measured)}")
        return evaluation.evaluate(self.model.network, self._measured[split], self.metrics)

    def __repr__(self) -> str:
        return f"<Solver of {self.model!r}: {self.run.step:,} of {self.run.total_steps:,} steps done>"
