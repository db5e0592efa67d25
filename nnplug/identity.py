"""Identity: what tells a training from others, so that none goes on from another's checkpoint."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.config import CARRIED_OUT
from nnplug.errors import CheckpointError, DataError
from nnplug.naming import cut, join, printable
from nnplug.options import show
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
    model, registry = solver.model, solver.model.registry
    train = registry.describe(solver.config, strict=False)
    table = {
        "seed": model.seed,
        "dtype": str(model.dtype),
        "input_shape": model.input_spec.shape,
        "model": registry.describe(model.config, strict=False),
        "update": registry.describe(solver.rule, strict=False),
        "train": {key: value for key, value in train.items() if key not in ("callbacks", *CARRIED_OUT)},
    }
    return json.loads(json.dumps(table, default=lambda value: type(value).__qualname__))


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


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Hold what `identify` gave against what it gives now; another version of a plugin is only warned of.

    Raises:
        CheckpointError: another config.
        DataError: the data is not what it was.
    """
    for path, was, now in differences(old["config"], new["config"]):
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
