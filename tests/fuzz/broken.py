"""Valid configs in which one thing is broken, and the path that the error must name.

Exactly that path and no other: each place is broken in a way that has no consequences elsewhere. An unknown ``type`` is
one problem, since nobody knows its options. A list whose option is checked as a whole stands for its items, a table for
what is missing in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import inf, nan
from typing import Any

from attrs import frozen
from mutations import Rng, choose

from nnplug import ConfigError, NnplugError, ShapeError
from nnplug.naming import join

Table = dict[str, Any]

# Every section, and values of every sort: what the presets leave out.
FULL: Table = {
    "seed": 3,
    "dtype": "float64",
    "data": {"type": "csv", "path": "rows.csv", "task": "classification", "test": 0.25, "ignore": ["number"]},
    "model": {
        "input_shape": [2, 4],
        "input_dtype": "float64",
        "l2": 0.5,
        "loss": {"type": "svm", "margin": 2.0},
        "layers": [
            "flatten",
            {"type": "affine", "units": 4, "name": "first", "weight_init": {"type": "normal", "std": 0.1}},
            {"type": "leaky_relu", "slope": 0.2, "trainable": True},
            {
                "type": "chain",
                "layers": [
                    {"type": "dropout", "rate": 0.5},
                    {"type": "chain", "name": "inner", "layers": ["tanh", {"type": "affine", "units": 4}]},
                    {"type": "affine", "units": 3, "weight_init": {"type": "xavier", "mode": "fan_in"}},
                ],
            },
            {"type": "affine", "units": 3, "weight_init": {"type": "uniform", "low": -0.1, "high": 0.1}},
        ],
    },
    "update": {
        "type": "adamw",
        "learning_rate": 0.1,
        "beta1": 0.5,
        "weight_decay": 0.1,
        "clip_norm": 1.0,
        "schedule": {"type": "step", "milestones": [2, 4], "drop": 0.5, "warmup": 3},
    },
    "train": {
        "epochs": 3,
        "batch_size": 4,
        "validation": 0.2,
        "monitor": "loss",
        "metrics": ["accuracy", {"type": "top_k", "k": 2}],
        "evaluate": ["train", "validation"],
        "class_weights": [1.0, 2.0, 0.5],
        "callbacks": [{"type": "early_stopping", "patience": 2, "min_delta": 0.1}],
        "max_seconds": 9.5,
        "checkpoint_seconds": 1.0,
        "checkpoint_steps": 5,
        "keep_checkpoints": 1,
    },
    "plugins": {"disable": ["nnplug-nothing"], "autoload": True},
}

COMPONENTS = ("data", "loss", "update", "schedule", "weight_init", "layers", "metrics", "callbacks")  # they hold such
CHOICES = ("dtype", "input_dtype", "mode", "evaluate")  # texts of which there are few
NEEDED = ("type", "units", "milestones", "layers", "path", "task", "model", "data")  # what has no default
ANY_SIGN = ("low", "high", "value", "class_weights")  # numbers that may be negative, or are looked at with the data
WRONG: dict[type, tuple[Any, ...]] = {
    bool: ("true", 1, 0.0, [], {}),
    int: ("3", 1.5, 3.0, True, [], {}, nan, inf),
    float: ("0.5", "nan", True, [], {}),
    str: (3, 0.5, False, [], {}, nan),
    list: (3, 0.5, True, {}, nan),
    dict: (3, 0.5, True, [], nan),
}


@frozen
class Broken:
    """A config with one mistake.

    Args:
        sort: which.
        raw: the config.
        path: what the error must name.
        key: where a value was put instead of another, as ``--set`` has it, or "".
        value: that value.
    """

    sort: str
    raw: Table
    path: str
    key: str = ""
    value: Any = None


@frozen
class Place:
    """A value in a config: ``parent[key]``.

    Args:
        parent: the table or list that holds it.
        key: its name or position.
        path: where it stands.
        option: the name of the option that it is or belongs to.
        whole: where that option stands.
    """

    parent: Any
    key: Any
    path: str
    option: str
    whole: str

    @property
    def value(self) -> Any:
        """What stands there."""
        return self.parent[self.key]


def places(table: Any, path: str = "", option: str = "") -> Iterator[Place]:
    """Every value of a config, at any depth."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        inside = isinstance(table, list)
        here = f"{path}[{key}]" if inside else f"{path}.{key}" if path else key
        place = Place(table, key, here, option if inside else key, path if inside else here)
        yield place
        if isinstance(value, dict | list):
            yield from places(value, here, place.option)


def misspelt(rng: Rng, word: str) -> str:
    """A letter left out, doubled or put in."""
    at = int(rng.integers(len(word)))
    return word[:at] + choose(rng, ("", word[at] * 2, "q" + word[at], "-" + word[at])) + word[at + 1 :] + "z"


def break_one(rng: Rng, config: Table) -> Broken:
    """Break one thing of a copy of a valid config."""
    raw = json.loads(json.dumps(config))
    ways = [way for place in places(raw) for way in _ways(rng, place)]
    sort, place, value, path = choose(rng, ways)
    if sort == "missing":
        del place.parent[place.key]
        return Broken(sort, raw, path)
    if sort == "unknown option":
        place.value[value] = choose(rng, (1, "x", [], nan))
        return Broken(sort, raw, path)
    if sort == "same name":
        place.value.extend([{"type": "relu", "name": "twice"}, {"type": "tanh", "name": "twice"}])
        return Broken(sort, raw, path)
    if sort == "shape":
        place.parent.insert(place.key, value)
        return Broken(sort, raw, path)
    place.parent[place.key] = value
    return Broken(sort, raw, path, place.path, value)


Way = tuple[str, Place, Any, str]


def _ways(rng: Rng, place: Place) -> Iterator[Way]:
    """How a place may be broken: the sort, the place, a value, and the path that must be named."""
    value, path = place.value, place.path
    yield "wrong type", place, choose(rng, _of_another_type(place)), path
    if isinstance(value, str):
        yield from _texts(rng, place)
    elif isinstance(value, dict):
        known = choose(rng, list(value))
        key = choose(rng, (misspelt(rng, known), "unheard_of", "a b", "é", "", known.upper()))
        yield "unknown option", place, key, join(path, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if place.option not in ANY_SIGN:
            yield "out of range", place, -1 if isinstance(value, int) else -1.0, place.whole
        if isinstance(value, float) and place.option != "class_weights":
            yield "no number", place, nan, path
    if place.key in NEEDED:
        yield "missing", place, None, path.rpartition(".")[0]
    if place.key == "layers":
        yield "same name", place, None, path
    if place.option == "layers" and isinstance(place.key, int) and place.key > 1:  # by then samples are flat
        yield "shape", place, {"type": "conv2d", "filters": 2, "size": 3}, path


def _texts(rng: Rng, place: Place) -> Iterator[Way]:
    value, path = place.value, place.path
    if place.key == "type":  # nobody knows the options of what does not exist: the whole table is the problem
        yield "unknown name", place, misspelt(rng, value), path.rpartition(".")[0]
    elif place.option in COMPONENTS:
        yield "unknown name", place, choose(rng, (misspelt(rng, value), "", "a b", "\x1b[2J", f"nobody:{value}")), path
    elif place.option in CHOICES:
        yield "unknown choice", place, misspelt(rng, value), path
    elif place.key == "name":
        yield "no name", place, choose(rng, ("a.b", "", "9", "a b")), path


def _of_another_type(place: Place) -> tuple[Any, ...]:
    """Values of which none can stand here."""
    if place.key == "type":  # what has no text for a type is no component
        return WRONG[str]
    if place.option in COMPONENTS and not isinstance(place.value, list):  # a name or a table
        return (3, 0.5, False, [], {}, nan, ["relu"])
    if place.option == "ignore" and not isinstance(place.value, list):  # a column's name or its number
        return (0.5, False, [], {}, nan)
    return WRONG[type(place.value)]


def mistold(broken: Broken, error: NnplugError) -> bool:
    """Whether an error names anything but the place that is broken."""
    if isinstance(error, ConfigError):
        lines = str(error).split("\n")
        right = all(problem.path == broken.path for problem in error.problems)
        where = f"c.toml: {broken.path}: " if broken.path else "c.toml: "
        return not right or not all(line.startswith(where) for line in lines)
    planned = broken.sort == "shape" and isinstance(error, ShapeError)
    return not planned or not str(error).startswith(f"{broken.path}: ")
