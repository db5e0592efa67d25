"""Snapshots: everything that training goes on from, between two steps.

A snapshot is a table of plain values and arrays. What happened so far is in it; what follows from the config is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.buffers import physical_memory
from nnplug.contracts import Callback
from nnplug.errors import CheckpointError, NnplugError
from nnplug.identity import compare, differences
from nnplug.options import show
from nnplug.packing import pack
from nnplug.registry import Registry
from nnplug.specs import Array
from nnplug.streams import Streams
from nnplug.tensorfile import Stored

if TYPE_CHECKING:
    from nnplug.solver import Solver

SHUFFLE = "shuffle:"  # the stream that decides the order of rows: kept as it stood when the epoch began


def take(solver: Solver) -> dict[str, Any]:
    """A snapshot of a training that is between two steps. Its arrays are views: write them down before the next one."""
    run, history, buffers = solver.run, solver.history, solver.model.network.buffers
    return {
        **solver.identity,
        **_arrays(solver),
        "step": run.step,
        "epoch": run.epoch,
        "epoch_start": solver.epoch_start,
        "updates": solver.updater.t,
        "streams": {**solver.model.streams.state(), SHUFFLE: solver.epoch_stream},
        "losses": history.losses,
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "train_seconds": history.train_seconds,
        "best": solver.best.state(buffers),
        "callbacks": callback_states(solver.callbacks, solver.model.registry) if run.step else [],  # not started yet
    }


def _arrays(solver: Solver) -> dict[str, Any]:
    """What training moves, by path, so that it does not matter where in the vector a parameter stands."""
    buffers, slots = solver.model.network.buffers, solver.updater.slots
    learning = [placed for placed in buffers.layout.params if placed.stop <= buffers.layout.trained]
    return {
        "params": buffers.named(buffers.vector),
        "state": dict(buffers.state),
        "slots": {name: {placed.path: placed.view(slot) for placed in learning} for name, slot in slots.items()},
    }


def check(solver: Solver, content: Mapping[str, Any], stored: Mapping[str, Stored]) -> None:
    """Refuse a snapshot that is none of this training, before its arrays are read.

    Args:
        solver: the training that is to go on.
        content: the snapshot without its arrays.
        stored: what arrays there are.

    Raises:
        CheckpointError: another config, or arrays that do not fit.
        DataError: the data is not what it was.
    """
    compare(content, solver.identity, solver.model.registry)
    step, epoch, start = content["step"], content["epoch"], content["epoch_start"]
    if content["updates"] != step:
        raise CheckpointError(f"{show(content['updates'])} updates in {show(step)} steps cannot be")
    if not (0 <= start <= step < solver.run.total_steps and len(content["epochs"]) == epoch):
        raise CheckpointError(f"step {show(step)} in epoch {show(epoch)} is no place to go on from")
    wanted = {**_arrays(solver), "losses": np.empty(step)}
    if content["best"] is not None:
        wanted["best"] = {**content["best"], "params": wanted["params"], "state": wanted["state"]}
    arrays: dict[str, Array] = {}
    packed = {key: pack(value, arrays, key) for key, value in wanted.items()}
    needed = {path: (values.shape, values.dtype.name) for path, values in arrays.items()}
    others = {path: array for path, array in stored.items() if path.startswith("callbacks/")}
    found = {path: (array.shape, array.dtype) for path, array in stored.items() if path not in others}
    for path, was, now in (*differences({key: content[key] for key in packed}, packed), *differences(found, needed)):
        raise CheckpointError(f"its {path} is {show(was)}, this run has {show(now)}")
    if sum(array.stop - array.start for array in others.values()) > physical_memory():
        raise CheckpointError("the states of its callbacks are larger than this computer's memory")


def put(solver: Solver, snapshot: Mapping[str, Any]) -> None:
    """Set a training to where a snapshot was taken; one that is refused has changed nothing.

    Raises:
        CheckpointError: something in it is not what it should be.
    """
    run, history, model = solver.run, solver.history, solver.model
    try:
        Streams(model.seed).restore(snapshot["streams"])
        stream = snapshot["streams"][SHUFFLE]
        updates, seconds = int(snapshot["updates"]), float(snapshot["train_seconds"])
        epochs = [{name: _number(value) for name, value in row.items()} for row in snapshot["epochs"]]
        best_epoch = None if snapshot["best_epoch"] is None else int(snapshot["best_epoch"])
        states = [(kind, dict(state)) for kind, state in snapshot["callbacks"]]
        solver.best.restore(snapshot["best"], model.network.buffers)
    except Exception as error:  # whatever a generator says of a state that is none
        raise CheckpointError("the checkpoint contradicts itself") from error
    _copy(snapshot, _arrays(solver))
    model.streams.restore(snapshot["streams"])
    run.step, run.epoch = snapshot["step"], snapshot["epoch"]
    solver.epoch_start, solver.epoch_stream = snapshot["epoch_start"], stream
    solver.updater.t, solver.callback_states = updates, states
    history.losses = snapshot["losses"]
    history.epochs, history.best_epoch, history.train_seconds = epochs, best_epoch, seconds


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{show(value)} is no number")
    return value


def _copy(source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    for name, values in target.items():
        if isinstance(values, Mapping):
            _copy(source[name], values)
        else:
            values[...] = source[name]


def callback_states(callbacks: Iterable[Callback], registry: Registry) -> list[tuple[str, dict[str, Any]]]:
    """The state of every callback, each with the callback's name.

    Raises:
        NnplugError: a state cannot be written to a file.
    """
    states = []
    for callback in callbacks:
        name = registry.name_of(callback, type(callback).__qualname__)
        try:
            state = callback.state()
        except Exception as error:  # a plugin's
            told = f"the callback {name!r} cannot give its state: {type(error).__name__}: {error}"
            raise NnplugError(told) from error
        try:
            pack(state, {}, "state()")
        except TypeError as error:
            raise NnplugError(
                f"the callback {name!r} fits into no checkpoint: {error} cannot be written to a file; it may keep "
                "numbers, texts, lists, dicts, arrays and None"
            ) from None
        states.append((name, state))
    return states


def restore_callback(callback: Callback, registry: Registry, states: list[tuple[str, dict[str, Any]]]) -> None:
    """Give a callback that has been started its state: the first of its name, which is taken off the list."""
    name = registry.name_of(callback, type(callback).__qualname__)
    for i, (kind, state) in enumerate(states):
        if kind == name:
            del states[i]
            try:
                callback.restore(state)
            except Exception as error:  # a plugin's, or of a state that somebody changed
                told = f"the callback {name!r} cannot take up its state: {type(error).__name__}: {error}"
                raise CheckpointError(told) from error
            return
