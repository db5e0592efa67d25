"""Identity: what tells a training from others, so that none goes on from another's checkpoint."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.config import CARRIED_OUT, ModelConfig, TrainConfig, build_section
from nnplug.contracts import UpdateRule
from nnplug.errors import CheckpointError, DataError, NnplugError
from nnplug.naming import cut, join, printable
from nnplug.options import show
from nnplug.registry import Registry
from nnplug.rows import Rows
from nnplug.specs import Source

if TYPE_CHECKING:
    from nnplug.solver import Solver

SAMPLE = 64  # rows


def identify(solver: Solver) -> dict[str, Any]:
    """What decides the course of a training: ``config``, ``data`` and ``versions``, as JSON has them."""
    return {
        "config": _describe(solver),
        "data": {name: fingerprint(source) for name, source in solver.splits.items()},
        "versions": {**solver.model.registry.versions(), "numpy": np.__version__},
    }


def _describe(solver: Solver) -> Any:
    """The config without callbacks, which have states of their own, and without what may change on the way."""
    model = solver.model
    about = {"seed": model.seed, "dtype": str(model.dtype), "input_shape": list(model.input_spec.shape)}
    return {**about, **_sections(model.config, solver.rule, solver.config, model.registry)}


def _sections(model: ModelConfig, update: UpdateRule, train: TrainConfig, registry: Registry) -> dict[str, Any]:
    table = registry.describe(train, strict=False)
    sections = {
        "model": registry.describe(model, strict=False),
        "update": registry.describe(update, strict=False),
        "train": {key: value for key, value in table.items() if key not in ("callbacks", *CARRIED_OUT)},
    }
    plain: dict[str, Any] = json.loads(json.dumps(sections, default=lambda value: type(value).__qualname__))
    return plain


def _renewed(config: Any, registry: Registry) -> Any:
    """A config as the plugins that are installed now would write it: since then an option may have got another name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever wrote the config was told when it was read
            model = build_section(ModelConfig, config["model"], registry, "model")
            train = build_section(TrainConfig, config["train"], registry, "train")
            update = registry.create("update_rule", config["update"])
            return {**config, **_sections(model, update, train, registry)}
    except (NnplugError, KeyError, TypeError, RecursionError):
        return config  # and the differences are told


def fingerprint(source: Source) -> dict[str, Any]:
    """Enough of a split to notice that it is not what it was; a stream tells its number of rows."""
    import hashlib

    if not isinstance(source, Rows):
        return {"rows": source.rows}
    chosen = source.order.sample(SAMPLE)
    arrays = [values for values in (source.x, source.y, source.weight) if values is not None]
    digest = hashlib.blake2b(digest_size=16)
    for values in arrays:
        for i in chosen:
            digest.update(np.ascontiguousarray(values[i : i + 1]).tobytes())
    return {
        "rows": source.rows,
        "arrays": [f"{tuple(values.shape)} {values.dtype}" for values in arrays],
        "sample": digest.hexdigest(),
    }


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two tables differ: path, old value, new value; None where there is no value."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from differences(old.get(key), new.get(key), join(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{path}[{i}]")
    elif old != new:
        yield path, old, new


def compare(old: Mapping[str, Any], new: Mapping[str, Any], registry: Registry) -> None:
    """Hold what `identify` gave against what it gives now; another version of a plugin is only warned of.

    Raises:
        CheckpointError: another config.
        DataError: the data is not what it was.
    """
    config = old["config"] if old["config"] == new["config"] else _renewed(old["config"], registry)
    for path, was, now in differences(config, new["config"]):
        raise CheckpointError(f"it belongs to a run with {path} = {show(was)}, this run has {show(now)}")
    for path, was, now in differences(old["data"], new["data"]):
        raise DataError(
            f"the data is not what it was when the checkpoint was written: {path} was {show(was)} and is {show(now)}; "
            "a run can only go on with the data it began with"
        )
    for name, was, now in differences(dict(old["versions"]), new["versions"]):
        before, after = ("not in use" if version is None else cut(printable(str(version))) for version in (was, now))
        warnings.warn(
            f"{name} was {before} when the checkpoint was written and is {after} now; "
            "training may not go on exactly as it would have",
            stacklevel=2,
        )
