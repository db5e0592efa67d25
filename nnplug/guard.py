"""The guard: finds the first loss or gradient that is not finite, and says where it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from functools import partial
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.chain import outputs
from nnplug.errors import DivergedError
from nnplug.files import replacing
from nnplug.modelfile import KEY
from nnplug.rows import Rows
from nnplug.specs import Array, Batch
from nnplug.streams import Streams
from nnplug.tensorfile import write_tensors

if TYPE_CHECKING:
    from nnplug.solver import Solver

MANY = 2**19  # elements of a gradient from which threads pay for its sum
ROW = 2**12  # elements that are summed by themselves then
SHOWN = 5  # rows and losses in a message
FILE = "diverged.safetensors"  # in the run's folder
CAUSES = (
    "Usual causes: a learning rate that is too large, inputs or targets that are not scaled, "
    "NaN or infinity in the data, a logarithm of zero, or a schedule that rises"
)


class Guard:
    """Tells whether an update may be made.

    The sum of a gradient's squares, and its own sum, are finite only if the gradient is: one pass over it, by the
    fastest routine there is for so many numbers. Where a sum overflows, every element is looked at: what is finite is
    accepted, however large.

    Args:
        gradient: of everything that learns, flat.
    """

    def __init__(self, gradient: Array) -> None:
        self._gradient = gradient
        self._sum = partial(gradient.dot, gradient) if gradient.size < MANY else _sum_by_rows(gradient)
        quiet = copy_context()  # where NumPy does not warn of the overflow; np.errstate takes as long as the sum itself
        quiet.run(np.seterr, over="ignore", invalid="ignore")
        self._quietly = quiet.run

    def arm(self) -> None:
        """Fill the gradient with NaN: what no layer assigns in the first step is refused then."""
        self._gradient.fill(nan)

    def accepts(self, loss: float) -> bool:
        """Whether a loss, and the gradient as it is now, are finite."""
        return isfinite(loss) and (isfinite(self._quietly(self._sum)) or bool(np.isfinite(self._gradient).all()))


def _sum_by_rows(gradient: Array) -> Callable[[], Any]:
    """A function for the sum of a long gradient: of a matrix's rows the matrix library's threads each take some."""
    whole = gradient.size // ROW * ROW
    rows, rest = gradient[:whole].reshape(-1, ROW), gradient[whole:]
    ones, sums = np.ones(ROW, gradient.dtype), np.empty(len(rows), gradient.dtype)

    def total() -> Any:
        rows.dot(ones, sums)
        return np.add.reduce(sums) + np.add.reduce(rest)

    return total


def refused_update(solver: Solver, batch: Batch, loss: float) -> DivergedError:
    """What is to be told of an update that was not made."""
    step, rows = solver.run.step + 1, _rows(solver)
    with np.errstate(all="ignore"):
        if isfinite(loss):
            where = _last_gradient(solver)
            what = f"the gradient of {where} in step {step} holds NaN or infinity, while the loss is {loss:.4g}"
            buffers = solver.model.network.buffers
            if np.isnan(buffers.named(buffers.gradient)[where]).all():
                what += "; all of it is NaN, as where a layer's backward does not assign it"
            solver.run.stop(f"the gradient of {where} became NaN or infinite")
        else:
            where, cause = _first_output(solver, batch)
            what = f"the loss of step {step} is {loss}; {cause}"
            solver.run.stop(f"the loss became {loss}")
    whose = "came from a stream" if rows is None else f"was {_listed(rows)} of the train split"
    return _error(solver, f"{what}; the batch {whose}", where, rows, batch)


def refused_parameters(solver: Solver) -> DivergedError | None:
    """What is to be told where an update has made parameters infinite; None if they are finite."""
    buffers = solver.model.network.buffers
    if np.isfinite(buffers.vector).all():
        return None
    where = next(path for path, values in buffers.named(buffers.vector).items() if not np.isfinite(values).all())
    solver.run.stop("the parameters hold NaN or infinity")
    return _error(solver, f"after step {solver.run.step} {where} holds NaN or infinity", where, None, None)


def refused_evaluation(solver: Solver, split: str, loss: float) -> DivergedError:
    """What is to be told where finite parameters give a loss that is not: the next step would, but may not come."""
    solver.run.stop(f"the loss of the {split} split became {loss}")
    return _error(solver, f"after step {solver.run.step} the loss of the {split} split is {loss}", "", None, None)


def _error(solver: Solver, what: str, where: str, rows: Array | None, batch: Batch | None) -> DivergedError:
    buffers, run = solver.model.network.buffers, solver.run
    last = ", ".join(f"{value:.4g}" for value in solver.history.losses[-SHOWN:]) or "none"
    arrays = {f"params/{path}": values for path, values in buffers.named(buffers.vector).items()}
    if batch is not None:  # after an update the rule has written over them
        arrays |= {f"grads/{path}": values for path, values in buffers.named(buffers.gradient).items()}
    arrays |= {f"state/{path}": values for path, values in buffers.state.items()}
    arrays |= {f"batch/{name}": a for name, a in zip(("x", "y", "weight"), batch or (), strict=False) if a is not None}
    arrays |= {} if rows is None else {"batch/rows": rows}
    error = DivergedError(
        f"training diverged: {what}; the last finite losses: {last}. {CAUSES}",
        step=run.step + (batch is not None),
        where=where,
        rows=rows,
        arrays={name: np.array(values) for name, values in arrays.items()},
    )
    if run.folder is not None:
        error.add_note(_keep(error, run.folder / FILE))
    return error


def _keep(error: DivergedError, path: Path) -> str:
    """Write everything about a divergence to a file; what is to be said about that."""
    about = {"message": str(error), "step": error.step, "where": error.where}
    try:
        with replacing(path) as file:
            write_tensors(file, {KEY: json.dumps({"diverged": about})}, error.arrays)
    except (OSError, ValueError) as problem:
        return f"parameters, gradients and batch of that moment could not be kept: {problem}"
    return f"parameters, gradients and batch of that moment are kept in {path}"


def _first_output(solver: Solver, batch: Batch) -> tuple[str, str]:
    """The first parameter, else the first layer, that makes the loss of a batch what it is: its path, and words."""
    network, streams = solver.model.network, Streams(solver.model.seed)
    buffers = network.buffers.twin()
    for path, values in buffers.named(buffers.vector).items():
        if not np.isfinite(values).all():
            return path, f"{path} holds NaN or infinity"
    streams.restore(solver.model.streams.state())
    ctx = network.context(streams, training=True)
    for path, out in outputs(network.layer, buffers.params, batch[0], ctx):
        bad = np.logical_not(np.isfinite(out.reshape(len(out), -1)).all(axis=1, keepdims=True))
        if bad.any():
            return path, f"the output of {path} is the first to hold NaN or infinity, in {bad.sum()} of {len(bad)} rows"
    return "", "every layer's output is finite, the loss itself is not"


def _last_gradient(solver: Solver) -> str:
    """The path of the parameter nearest to the loss whose gradient is not finite: backwards, that is the first."""
    bad = [path for path, values in _walk(solver.model.network.buffers.grads) if not np.isfinite(values).all()]
    return bad[-1]


def _walk(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Array]]:
    """Gradients by path, in the order of the network."""
    for name, values in tree.items():
        if isinstance(values, Mapping):
            yield from _walk(values, f"{path}{name}.")
        else:
            yield f"{path}{name}", values


def _rows(solver: Solver) -> Array | None:
    """Which rows the batch in progress holds: the epoch's order is drawn once more."""
    source, streams = solver.splits["train"], Streams()
    if not isinstance(source, Rows):
        return None
    streams.restore({"shuffle:": solver.epoch_stream})
    number = solver.run.step - solver.epoch_start
    return source.rows_of_batch(number, solver.config.batch_size, streams.get("shuffle"))


def _listed(rows: Array) -> str:
    """``rows 3, 17, 20, 21, 40 and 27 more``."""
    shown, more = ", ".join(map(str, rows[:SHOWN])), len(rows) - SHOWN
    return f"rows {shown} and {more} more" if more > 0 else f"rows {shown}"
