"""``nnplug predict``: what a trained model makes of samples in files."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from attrs import frozen

from nnplug.cli.inputs import model_file, read_batch
from nnplug.cli.output import complain, results_only, say, say_json
from nnplug.cli.params import PATH, json_option
from nnplug.errors import DataError
from nnplug.evaluation import BATCH, rows_without_meaning
from nnplug.files import write_atomically
from nnplug.loading import load
from nnplug.model import Model
from nnplug.naming import printable
from nnplug.specs import Array


def _character(ctx: click.Context, param: click.Parameter, value: str) -> str:
    value = value.replace("\\t", "\t")  # nobody can type a tab
    if len(value) != 1 or value in '"\r\n':
        raise click.BadParameter("must be one character, no quote and no line end")
    return value


SHOWN = 5  # rows in a warning


@click.command()
@click.argument("model", type=PATH)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH)
@click.option(
    "--delimiter", default=",", metavar="CHARACTER", callback=_character, help="What stands between a table's cells."
)
@click.option("--probabilities", is_flag=True, help="Print the probability of each class, too.")
@click.option("--out", type=PATH, metavar="FILE.npy", help="Write to a .npy file instead.")
@json_option
def command(
    model: Path, inputs: tuple[Path, ...], delimiter: str, probabilities: bool, out: Path | None, as_json: bool
) -> None:
    """Predict with a trained model.

    MODEL is its file, or the folder of the run that it is of.

    INPUT is a .npy file, or a .npz file with an array x, that holds a batch of samples or one sample; or a table
    (.csv, .tsv or .txt) with a sample in each row. It is raw, as the data loader delivered it: the model remembers how
    to scale it. A model that learned from a table finds its columns by their names, whatever stands beside them.

    A line is printed for each sample: the prediction, by the name of its class if the model knows that, and with
    --probabilities those of all classes, in their order, after tabs. --out writes an array for all inputs together:
    the predictions as numbers, or with --probabilities just those.
    """
    if out is not None and any(out.exists() and out.samefile(path) for path in (model, *inputs) if path.exists()):
        raise click.UsageError(f"--out {out} is the model or an input, which it would replace")
    if out is not None and out.suffix != ".npy":
        raise click.UsageError(f"--out {out} becomes a .npy file; give it such a name")
    with results_only():
        trained = load(model_file(model))
        batches = _read_all(inputs, trained, delimiter)
    results = [(path, _predict(trained, path, batch, probabilities)) for path, batch in batches]
    if out is None and not as_json:
        for path, chunks in results:
            prefix = f"{printable(str(path))}: " if len(results) > 1 else ""
            for chunk in chunks:
                say("\n".join(prefix + line for line in _lines(chunk, trained.class_names)))
        return
    collected = [(path, list(chunks)) for path, chunks in results]
    if out is not None:
        _write(out, np.concatenate([chunk.wanted for _, chunks in collected for chunk in chunks]))
    if as_json:
        entries = [_as_dict(path, chunks, trained.class_names) for path, chunks in collected]
        say_json({"model": str(model), "out": None if out is None else str(out), "inputs": entries})


def _read_all(inputs: tuple[Path, ...], model: Model, delimiter: str) -> list[tuple[Path, Array]]:
    """All batches, or an error about each file that is none."""
    batches, problems = [], []
    for path in inputs:
        try:
            batches.append((path, read_batch(path, model, delimiter)))
        except DataError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    if problems:
        raise DataError("\n".join(problems))
    return batches


@frozen
class Chunk:
    """What a model makes of some samples, a row each.

    Args:
        values: the predictions; NaN, or -1 in the place of a class, where there is none.
        probabilities: if they are wanted: one for each class, or of each of several labels.
        missing: the numbers of the rows whose scores are not finite, so that they mean nothing.
    """

    values: Array
    probabilities: Array | None
    missing: Array

    @property
    def wanted(self) -> Array:
        """What was asked for most."""
        return self.values if self.probabilities is None else self.probabilities


def _predict(model: Model, path: Path, batch: Array, wanted: bool) -> Iterator[Chunk]:
    """Predict some rows at a time, so that a file may be larger than the memory."""
    missing: list[int] = []
    for start in range(0, len(batch), BATCH):
        with results_only():
            scores = model.scores(batch[start : start + BATCH])
            loss = model.network.loss
            values, probabilities = loss.predict(scores), loss.probabilities(scores) if wanted else None
        bad = rows_without_meaning(scores)
        values = np.array(values)
        values[bad] = np.nan if values.dtype.kind == "f" else -1
        missing += [start + int(row) for row in bad]
        yield Chunk(values, None if probabilities is None else _of_both(values, probabilities), bad)
    if missing:
        shown = ", ".join(map(str, missing[:SHOWN])) + (", ..." if missing[SHOWN:] else "")
        told = f"the scores of {len(missing)} of {len(batch)} samples are not finite: rows {shown}, counted from 0"
        complain(f"{path}: {told}; there is no prediction for them", "warning")


def _of_both(values: Array, probabilities: Array) -> Array:
    """Of two classes that one score tells apart, the probability of each; others as they are."""
    if values.ndim == 1 and values.dtype.kind in "iu" and probabilities.ndim == 1:
        return np.stack([1 - probabilities, probabilities], axis=1)
    return probabilities


def _lines(chunk: Chunk, names: tuple[str, ...] | None) -> list[str]:
    shown = None if names is None else tuple(map(printable, names))
    labels = [_label(value, shown) for value in chunk.values]
    for row in chunk.missing:
        labels[row] = "nan"
    if chunk.probabilities is None:
        return labels
    columns = chunk.probabilities.reshape(len(labels), -1)
    return ["\t".join([label, *(f"{p:.4f}" for p in row)]) for label, row in zip(labels, columns, strict=True)]


def _label(value: Any, names: tuple[str, ...] | None) -> str:
    """A prediction in words: the name of the class, or the number or numbers, to their last digit."""
    if np.ndim(value):
        return "\t".join(_label(item, None) for item in value)
    if isinstance(value, np.integer):
        return names[value] if names and 0 <= value < len(names) else str(value)
    positional = value == 0 or 1e-4 <= abs(value) < 1e16  # as Python does; of float32 NumPy begins powers at 1e7
    return np.format_float_positional(value, trim="-") if positional else str(value)


def _as_dict(path: Path, chunks: list[Chunk], names: tuple[str, ...] | None) -> dict[str, Any]:
    predictions: list[Any] = []
    labels: list[str | None] = []
    for chunk in chunks:
        start = len(predictions)
        predictions += chunk.values.tolist()
        labels += [_label(value, names) for value in chunk.values]
        for row in chunk.missing:
            predictions[start + row] = labels[start + row] = None
    entry: dict[str, Any] = {"input": str(path), "predictions": predictions, "labels": labels if names else None}
    if chunks[0].probabilities is not None:
        entry["probabilities"] = [row for chunk in chunks for row in chunk.probabilities.tolist()]  # type: ignore[union-attr]
    return entry


def _write(path: Path, array: Array) -> None:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_atomically(path, buffer.getvalue())
