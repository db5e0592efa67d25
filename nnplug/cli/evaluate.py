"""``nnplug evaluate``: loss and metrics of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, isfinite, isnan, nan
from pathlib import Path
from typing import Any, TypeAlias

import click

from nnplug import evaluation
from nnplug.agreement import check_agreement, renumbered
from nnplug.cli.inputs import model_file
from nnplug.cli.output import complain, results_only, say, say_json, table
from nnplug.cli.params import PATH, json_option, set_option
from nnplug.config import parse, read_toml, set_value
from nnplug.contracts import Metric
from nnplug.errors import DataError
from nnplug.loading import load, load_data
from nnplug.model import Model
from nnplug.naming import printable
from nnplug.records import read_results
from nnplug.registry import default_registry
from nnplug.runfolder import RESULT, config_of
from nnplug.specs import Dataset, Source
from nnplug.splits import open_for, open_splits

OTHER_DATA = "A run's folder stands for the data it learned from; evaluate on other data with --data NAME --set ..."
SPLITS = ("test", "validation", "train")  # in the order of preference


@click.command()
@click.argument("model", type=PATH)
@click.option("--data", metavar="NAME", help="The data loader, such as mnist.  [default: of a run, its own data]")
@set_option("an option of the data loader")
@click.option(
    "--split", type=click.Choice(SPLITS), help="What to evaluate on.  [default: test, else validation, else train]"
)
@json_option
def command(model: Path, data: str | None, changes: tuple[str, ...], split: str | None, as_json: bool) -> None:
    """Compute loss and metrics of a trained model.

    MODEL is a file that `nnplug train` wrote, model.safetensors in the run's folder. Nothing that it names is loaded
    but its layers and its loss; the data are yours to choose. Classes that both name are told apart by their names,
    however the loader numbers them.

    Or MODEL is the folder of a run: then its config says what the data are, and which rows were held out. --set tells
    where they lie now, if they have moved; data with other rows are refused.

    \b
      nnplug evaluate runs/my-1 --split validation
      nnplug evaluate runs/mnist-1/model.safetensors --data mnist
      nnplug evaluate model.safetensors --data csv --set path=flowers.csv --set task=classification
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    with results_only():
        trained = load(model_file(model))
        found = _of_loader(trained, data, changes, split) if data else _of_run(trained, model, changes, split)
        name, split, source, metrics = found
        results = evaluation.evaluate(trained.network, source, metrics)
        if not data:
            _compare(model, split, results["loss"])
        if not isfinite(results["loss"]):
            complain(f"the loss is {results['loss']}: the data or the model holds NaN or infinity", "warning")
    if as_json:
        say_json({"model": str(model), "data": name, "split": split, "rows": source.rows, "results": results})
        return
    rows = "" if source.rows is None else f", {source.rows:,} rows"
    say(f"{printable(name)}, {split} split{rows}")
    for line in table([list(results), [f"{value:#.4g}" for value in results.values()]], right=range(len(results))):
        say(line)


Found: TypeAlias = tuple[str, str, Source, dict[str, Metric]]  # what the data are called, the split, and its metrics


def _of_loader(model: Model, data: str, changes: tuple[str, ...], wanted: str | None) -> Found:
    """A split of what a data loader gives, and the metrics that fit the loss."""
    loader: dict[str, Any] = {"type": data}
    for change in changes:
        set_value(loader, change)
    dataset, metrics = _for_model(model, load_data(loader)), model.metrics()
    given = {name: getattr(dataset, name) for name in SPLITS if getattr(dataset, name) is not None}
    split = _choose(given, wanted)
    return data, split, open_for(model, given[split], split, metrics), metrics


def _of_run(model: Model, folder: Path, changes: tuple[str, ...], wanted: str | None) -> Found:
    """A split of what a run learned from, held out and tested on, and its own metrics."""
    if not folder.is_dir():
        raise click.UsageError("name the data to evaluate on, --data NAME; a run's folder in MODEL's place has its own")
    path = config_of(folder)
    raw = read_toml(path)
    for change in changes:
        set_value(raw, f"data.{change}")
    experiment, registry = parse(raw, default_registry(), str(path))
    dataset, metrics = load_data(experiment.data, registry=registry), model.metrics(experiment.train.metrics)
    try:
        splits = open_splits(model, _for_model(model, dataset), experiment.train, metrics)
    except DataError as error:
        raise DataError(f"{error}. {OTHER_DATA}") from error
    split = _choose(splits, wanted)
    return registry.name_of(experiment.data, "data"), split, splits[split], metrics


def _compare(folder: Path, split: str, loss: float) -> None:
    """Refuse rows that are not the run's own: what was learned from would be taken for what was held out.

    Raises:
        DataError: the loss is not the one that the run wrote down.
    """
    if not (folder / RESULT).is_file():
        return  # it has not ended
    was = read_results(folder).get(split, {}).get("loss", nan)
    if not (isclose(loss, was, rel_tol=1e-3, abs_tol=1e-6) or isnan(was)):
        told = f"the {split} split is not what it was in the run: its loss is {loss:.4g}, the run wrote down {was:.4g}"
        raise DataError(f"{told}. {OTHER_DATA}")


def _for_model(model: Model, data: Dataset) -> Dataset:
    """The data with its classes numbered as the model numbers them.

    Raises:
        DataError: it has classes or features that the model does not know, or is scaled otherwise.
    """
    check_agreement(data, model.scale, model.feature_names or data.feature_names)
    return renumbered(data, model.class_names)


def _choose(there: Mapping[str, object], wanted: str | None) -> str:
    """The split that is wanted, or the one that says most about new data."""
    split = wanted or next((name for name in SPLITS if name in there), "test")
    if split not in there:
        told = f"the data has no {split} split; it has {', '.join(there) or 'none'}"
        raise click.BadParameter(told, param_hint="--split")
    return split
