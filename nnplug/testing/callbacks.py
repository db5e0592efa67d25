"""What is checked of a callback: that it lives through a real run, and one that fails."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from attrs import define, frozen

from nnplug.builder import build
from nnplug.contracts import Callback
from nnplug.errors import DivergedError, NnplugError
from nnplug.history import Run
from nnplug.packing import pack, unpack
from nnplug.registry import Registry
from nnplug.solver import Solver
from nnplug.specs import Array
from nnplug.testing.arrays import no_global_random
from nnplug.testing.outcome import Failure, sentence
from nnplug.testing.wording import brief

EPOCHS = 3
MIDDLE = 4  # steps; an epoch has three


@frozen(eq=False)
class CallbackCase:
    """A callback, as it was before any run."""

    callback: Callback

    def __str__(self) -> str:
        return brief(self.callback)

    def fresh(self) -> Callback:
        """A callback that has seen nothing."""
        return copy.deepcopy(self.callback)


def cases(callback: Callback, inputs: Sequence[Any], registry: Registry) -> list[CallbackCase]:
    """The callback itself.

    Raises:
        Failure: inputs were given.
    """
    if inputs:
        raise Failure("callbacks watch a run of the kit's own; leave inputs= out")
    return [CallbackCase(callback)]


def train(callback: Callback, folder: Path, *others: Callback, learning_rate: float = 0.1) -> Solver:
    """A real run of a few epochs on a few rows, with a validation split, in a folder of its own.

    With a learning rate of 1e30 the second loss is infinite, long before the first epoch ends.
    """
    return _carry_out(_solver(callback, folder, *others, learning_rate=learning_rate), folder)


def _solver(
    callback: Callback, folder: Path | None, *others: Callback, learning_rate: float = 0.1, validation: float = 0.25
) -> Solver:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((24, 3))
    model = build({"layers": [{"type": "affine", "units": 1}], "loss": "mse"}, input_shape=3, seed=0)
    return Solver(
        model,
        (x, x[:, 0] - x[:, 1]),
        update={"type": "sgd", "learning_rate": learning_rate},
        folder=folder,
        epochs=EPOCHS,
        batch_size=8,
        validation=validation,
        callbacks=[callback, *others],
    )


def _carry_out(solver: Solver, folder: Path) -> Solver:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), chdir(folder), np.errstate(all="ignore"):
        solver.fit()
    return solver


def runs(case: CallbackCase) -> str:
    """It lives through a run, and through another one with the same object; `start` begins afresh."""
    callback = case.fresh()
    with no_global_random(), TemporaryDirectory(ignore_cleanup_errors=True) as one:
        history = train(callback, Path(one)).history
        before = copy.deepcopy(callback.state())
    with TemporaryDirectory(ignore_cleanup_errors=True) as two:
        again = train(callback, Path(two)).history
    if (history.losses.tobytes(), history.stopped) != (again.losses.tobytes(), again.stopped):
        raise Failure(
            "a second run with the same object takes another course: what it noted in the first is still there; "
            "set it back in start()"
        )
    if not _equal(callback.state(), before) and _depends_on_the_run_alone(case, before):
        raise Failure("after a second run with the same object its state() is another; set it back in start()")
    return f"{len(history.epochs)} epochs, {history.stopped}"


def _depends_on_the_run_alone(case: CallbackCase, state: Any) -> bool:
    """Whether another run ends with the same state: not so where it holds a time."""
    other = case.fresh()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        train(other, Path(folder))
    return _equal(other.state(), state)


def failed_run(case: CallbackCase) -> None:
    """A run that diverges before its first epoch ends is told as what it is: stop() copes with an empty history."""
    callback = case.fresh()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            train(callback, Path(folder), learning_rate=1e30)
        except DivergedError:
            return
    raise Failure(
        "a run whose loss became infinite did not end with DivergedError; let stop() return, and raise nothing"
    )


@frozen(eq=False)
class _Stopper(Callback):
    """Ends a run after its first step."""

    def step(self, run: Run) -> None:
        run.stop("enough")


def stopped_run(case: CallbackCase) -> None:
    """A run that somebody else stops after one step is no trouble."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        train(case.fresh(), Path(folder), _Stopper())


def bare_run(case: CallbackCase) -> str:
    """A run without a folder and without a validation split is no trouble, or is refused in words before it begins."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as here:
        solver = _solver(case.fresh(), None, validation=0.0)
        try:
            _carry_out(solver, Path(here))
        except Exception as error:
            if isinstance(error, NnplugError) and solver.run.step == 0:
                return f"refused: {error}"
            raise Failure(
                f"{sentence(error)}; here run.folder and run.monitor are None: do without, or raise nnplug.NnplugError "
                "in start()"
            ) from error
    return "carried out"


def state(case: CallbackCase) -> str:
    """The state can be written to a file, and a new callback that takes it up with restore() has the same."""
    callback = case.fresh()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        train(callback, Path(folder))
    before = callback.state()
    if not isinstance(before, dict):
        raise Failure(f"state() must return a dict, it returned {type(before).__name__}")
    arrays: dict[str, Array] = {}
    try:
        packed = pack(before, arrays, "state()")
    except TypeError as error:
        raise Failure(
            f"{error} cannot be written to a file; keep numbers, texts, lists, dicts, arrays and None"
        ) from error
    other = case.fresh()
    other.restore(unpack(packed, {path: array.copy() for path, array in arrays.items()}))
    if not _equal(other.state(), before):
        raise Failure("after restore(state()) on a new callback, its state() is another; restore everything in it")
    return f"{len(before)} entries" if before else "keeps nothing"


@define(eq=False)
class _Saver(Callback):
    """Writes a checkpoint in the middle of a run."""

    path: Path
    solver: Solver | None = None

    def step(self, run: Run) -> None:
        if self.solver is not None and run.step == MIDDLE:
            self.solver.save_checkpoint(self.path)


def resumed(case: CallbackCase) -> str:
    """A run that a new object takes up from a checkpoint goes on as if it had not stopped, and ends with its state."""
    first, second = case.fresh(), case.fresh()
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        saver = _Saver(folder / "middle.safetensors")
        saver.solver = _solver(first, folder, saver)
        whole = _carry_out(saver.solver, folder).history
        if not saver.path.is_file():
            return f"ends before step {MIDDLE}"
        solver = _solver(second, folder)
        solver.resume(saver.path)
        again = _carry_out(solver, folder).history
    ends = [f"after {len(history.losses)} steps ({history.stopped})" for history in (whole, again)]
    if ends[0] != ends[1] or whole.losses.tobytes() != again.losses.tobytes():
        raise Failure(
            f"a run that went on from a checkpoint took another course: it ended {ends[1]}, without the checkpoint "
            f"{ends[0]}; what decides that must be in state() and come back in restore()"
        )
    if not _equal(second.state(), first.state()) and _depends_on_the_run_alone(case, first.state()):
        raise Failure(
            "after a run that went on from a checkpoint its state() is another than after one in a piece; return "
            "everything that later values follow from, such as a count"
        )
    return f"from step {MIDDLE}"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b or (a != a and b != b))


CHECKS = (runs, failed_run, stopped_run, bare_run, state, resumed)
ONE_OF = ("runs",)
