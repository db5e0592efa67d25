"""The JSON Schema of the config: what nnplug accepts fulfils it, what nnplug refuses does not."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft7Validator

from nnplug import ConfigError, Registry
from nnplug.config import parse
from nnplug.files import json_text
from nnplug.hookspecs import KINDS
from nnplug.presets import preset_entries, read_preset
from nnplug.schema import config_schema
from tests.core.conftest import HOOK, LAYER

REGISTRY = Registry(only=["nnplug"])
SCHEMA = json.loads(json_text(config_schema(REGISTRY)))  # as the command prints it
VALIDATOR = Draft7Validator(SCHEMA)
SMALLEST = {"data": "digits", "model": {"layers": ["relu"]}}
PRESETS = [entry.qualified for entry in preset_entries()]


def test_it_is_a_schema():
    """By the draft that it names."""
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fulfils_it(name):
    """Those of other installed distributions too, by a schema that knows their plugins."""
    schema = SCHEMA if name.startswith("nnplug:") else config_schema(Registry())
    errors = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(read_preset(name))]
    assert errors == []


GOOD = {
    "the smallest": {},
    "every table": {"update": {"type": "adam"}, "train": {}, "plugins": {}, "seed": 3, "dtype": "float64"},
    "a qualified name": {"model": {"layers": ["nnplug:relu", {"type": "nnplug:affine", "units": 3}]}},
    "a whole number for a fraction": {"model": {"layers": ["relu"], "l2": 1}},
    "components in components": {
        "model": {"layers": [{"type": "affine", "units": 3, "weight_init": {"type": "normal", "std": 0.01}}]},
        "update": {"type": "sgd", "schedule": {"type": "cosine", "warmup": 5}},
    },
    "layers in layers": {"model": {"layers": [{"type": "chain", "layers": ["relu", {"type": "chain", "layers": []}]}]}},
    "one of several types": {"train": {"class_weights": "balanced"}},
    "another of several types": {"train": {"class_weights": [1, 2.5]}},
    "a name that is allowed": {"model": {"layers": [{"type": "relu", "name": "my-relu_1"}]}},
}


@pytest.mark.parametrize("case", GOOD)
def test_what_nnplug_accepts_fulfils_it(case):
    """Both agree that it is valid."""
    raw = {**SMALLEST, **GOOD[case]}
    parse(raw, REGISTRY)
    assert [error.message for error in VALIDATOR.iter_errors(raw)] == []


BAD = {
    "no layers": {"model": {}},
    "an empty list": {"model": {"layers": []}},
    "no list": {"model": {"layers": "relu"}},
    "no table": {"model": ["relu"]},
    "a number for a table": {"train": 3},
    "an unknown key": {"sed": 1},
    "an unknown option": {"data": {"type": "digits", "flaten": True}},
    "an unknown option of a layer": {"model": {"layers": [{"type": "affine", "unit": 3}]}},
    "an option that is needed": {"model": {"layers": [{"type": "affine"}]}},
    "too small": {"model": {"layers": [{"type": "affine", "units": 0}]}},
    "too small, and optional": {"train": {"epochs": 0}},
    "a list of limits": {"update": {"type": "momentum", "momentum": 1}},
    "two limits": {"train": {"validation": 1.5}},
    "negative": {"model": {"layers": ["relu"], "l2": -1}},
    "none of the choices": {"dtype": "float16"},
    "none of the choices of a validator": {"model": {"layers": ["relu"], "input_dtype": "int16"}},
    "none of the choices in a list": {"train": {"evaluate": ["train", "tset"]}},
    "no such layer": {"model": {"layers": ["afine"]}},
    "no such type": {"model": {"layers": [{"type": "afine"}]}},
    "no type": {"model": {"layers": [{"units": 3}]}},
    "no component": {"model": {"layers": [5]}},
    "a name that is not allowed": {"model": {"layers": [{"type": "relu", "name": "a.b"}]}},
    "another kind": {"update": "relu"},
    "another kind in a component": {"update": {"type": "sgd", "schedule": "adam"}},
    "true for a number": {"seed": True},
    "a text for a number": {"train": {"batch_size": "x"}},
    "a fraction for an integer": {"train": {"batch_size": 1.5}},
    "a text for a list": {"plugins": {"prefer": "nnplug-numba"}},
    "a text in a list of numbers": {"train": {"class_weights": [1, "x"]}},
    "a text that is not the one": {"train": {"class_weights": "equal"}},
    "in a callback": {"train": {"callbacks": [{"type": "early_stopping", "patience": 0}]}},
    "deep inside": {"model": {"layers": [{"type": "chain", "layers": [{"type": "chain", "layers": [{"type": "x"}]}]}]}},
}


@pytest.mark.parametrize("case", BAD)
def test_what_nnplug_refuses_does_not(case):
    """Both agree that it is wrong."""
    raw = {**SMALLEST, **BAD[case]}
    with pytest.raises(ConfigError):
        parse(raw, REGISTRY)
    assert not VALIDATOR.is_valid(raw)


@pytest.mark.parametrize("key", SMALLEST)
def test_what_a_config_needs(key):
    """Data and model."""
    raw = {other: value for other, value in SMALLEST.items() if other != key}
    with pytest.raises(ConfigError):
        parse(raw, REGISTRY)
    assert not VALIDATOR.is_valid(raw)


@pytest.mark.parametrize("kind", KINDS)
def test_it_names_all_built_ins_of_a_kind(kind):
    """Bare and with the distribution's name; options carry their help."""
    names = SCHEMA["definitions"][kind]["anyOf"][0]["enum"]
    assert set(REGISTRY.names(kind)) <= set(names)
    assert {f"nnplug:{name}" for name in REGISTRY.names(kind)} <= set(names)


def test_options_are_described():
    """An editor shows what they mean."""
    units = SCHEMA["definitions"]["layer.affine"]["properties"]["units"]
    assert (units["type"], units["minimum"]) == ("integer", 1)
    assert len(units["description"]) > 5


def test_strangers_are_in_it_and_broken_ones_are_not(install):
    """A plugin that cannot be imported neither spoils the schema nor is offered by it."""
    install()
    install("bad", groups={"nnplug.layers": {"ruin": "bad_ruin"}}, modules={"bad_ruin": "1 / 0"})
    validator = Draft7Validator(config_schema(Registry()))

    def valid(layer):
        return validator.is_valid({**SMALLEST, "model": {"layers": [layer]}})

    assert valid("twice")
    assert valid({"type": "acme:twice", "times": 3})
    assert not valid({"type": "twice", "time": 3})
    assert not valid("ruin")


def test_names_that_conflict_are_in_it_qualified(install):
    """The bare one means nothing."""
    install()
    install("rival", modules={"acme_twice": LAYER + HOOK})
    names = config_schema(Registry())["definitions"]["layer"]["anyOf"][0]["enum"]
    assert {"acme:twice", "rival:twice"} <= set(names)
    assert "twice" not in names


def test_the_command_prints_it(run_python):
    """On stdout, as JSON, whatever a plugin prints."""
    printed = run_python("from nnplug.cli.main import main; main(['schema'])")
    assert json.loads(printed)["title"] == "nnplug config"
