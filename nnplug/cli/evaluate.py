"""``nnplug evaluate``: loss and metrics of a trained model."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import click

from nnplug import evaluation
from nnplug.agreement import check_agreement, renumbered
from nnplug.cli.output import complain, results_only, say, say_json, table
from nnplug.cli.params import PATH, json_option, set_option
from nnplug.config import set_value
from nnplug.loading import load, load_data
from nnplug.model import Model
from nnplug.naming import printable
from nnplug.specs import Dataset
from nnplug.splits import open_for

SPLITS = ("test", "validation", "train")  # in the order of preference


@click.command()
@click.argument("model", type=PATH)
@click.option("--data", required=True, metavar="NAME", help="The data loader, such as mnist.")
@set_option("an option of the data loader")
@click.option(
    "--split", type=click.Choice(SPLITS), help="What to evaluate on.  [default: test, else validation, else train]"
)
@json_option
def command(model: Path, data: str, changes: tuple[str, ...], split: str | None, as_json: bool) -> None:
    """Compute loss and metrics of a trained model.

    MODEL is a file that `nnplug train` wrote, model.safetensors in the run's folder. Nothing that it names is loaded
    but its layers and its loss; the data are yours to choose. Classes that both name are told apart by their names,
    however the loader numbers them.

    \b
      nnplug evaluate runs/mnist-1/model.safetensors --data mnist
      nnplug evaluate model.safetensors --data csv --set path=flowers.csv --set task=classification
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    with results_only():
        trained = load(model)
        loader: dict[str, Any] = {"type": data}
        for change in changes:
            set_value(loader, change)
        split, chosen = _choose(_for_model(trained, load_data(loader)), split)
        metrics = trained.metrics()
        source = open_for(trained, chosen, split, metrics)
        results = evaluation.evaluate(trained.network, source, metrics)
        if not isfinite(results["loss"]):
            complain(f"the loss is {results['loss']}: the data or the model holds NaN or infinity", "warning")
    if as_json:
        say_json({"model": str(model), "data": data, "split": split, "rows": source.rows, "results": results})
        return
    rows = "" if source.rows is None else f", {source.rows:,} rows"
    say(f"{printable(data)}, {split} split{rows}")
    for line in table([list(results), [f"{value:#.4g}" for value in results.values()]], right=range(len(results))):
        say(line)


def _for_model(model: Model, data: Dataset) -> Dataset:
    """The data with its classes numbered as the model numbers them.

    Raises:
        DataError: it has classes or features that the model does not know, or is scaled otherwise.
    """
    check_agreement(data, model.scale, model.feature_names or data.feature_names)
    return renumbered(data, model.class_names)


def _choose(data: Dataset, wanted: str | None) -> tuple[str, Any]:
    """The name of a split and the split: the wanted one, or the one that says most about new data."""
    there = {name: getattr(data, name) for name in SPLITS if getattr(data, name) is not None}
    wanted = wanted or next(iter(there), "test")
    if wanted not in there:
        told = f"the data has no {wanted} split; it has {', '.join(there) or 'none'}"
        raise click.BadParameter(told, param_hint="--split")
    return wanted, there[wanted]
