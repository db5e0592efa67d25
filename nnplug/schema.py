"""The JSON Schema of the config, composed from what is installed."""

from __future__ import annotations

import operator
import typing
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import attrs

from nnplug.config import Experiment
from nnplug.errors import PluginError, RegistryError
from nnplug.hookspecs import KINDS
from nnplug.options import Option, contract_kind, members, options_of
from nnplug.registry import Registry

DRAFT = "http://json-schema.org/draft-07/schema#"  # the one that editors' TOML extensions understand

Schema = dict[str, Any]


def config_schema(registry: Registry) -> Schema:
    """A schema that every valid config fulfils; plugins that cannot be imported are left out of it."""
    definitions: dict[str, Schema] = {}
    for kind in KINDS:
        listed = [line.entry for line in registry.listing() if line.entry.kind == kind]
        names = [*registry.names(kind), *(entry.qualified for entry in listed)]
        known: list[str] = []
        for name in sorted(set(names)):
            try:
                cls = registry.get(kind, name)
            except (PluginError, RegistryError):
                continue
            definitions[f"{kind}.{name}"] = _component(cls, name)
            known.append(name)
        tables = [{"$ref": f"#/definitions/{kind}.{name}"} for name in known]
        definitions[kind] = {"anyOf": [{"enum": known}, *tables]}
    return {"$schema": DRAFT, "title": "nnplug config", **_table(Experiment), "definitions": definitions}


def _component(cls: type, name: str) -> Schema:
    """The table of one component: its type and its options."""
    schema = _table(cls)
    schema["properties"] = {"type": {"const": name}, **schema["properties"]}
    schema["required"] = ["type", *schema.get("required", [])]
    return schema


def _table(cls: type) -> Schema:
    """An attrs class as an object without unknown keys."""
    options = options_of(cls)
    title = (cls.__doc__ or cls.__name__).strip().splitlines()[0]
    schema: Schema = {
        "type": "object",
        "description": title,
        "properties": {name: _option(option) for name, option in options.items()},
        "additionalProperties": False,
    }
    required = [name for name, option in options.items() if option.required]
    return {**schema, "required": required} if required else schema


def _option(option: Option) -> Schema:
    schema = _type(option.hint)
    for limit in _limits(option.validator):
        schema = {"allOf": [schema, limit]} if "anyOf" in schema or "$ref" in schema else {**schema, **limit}
    return {**schema, "description": option.help} if option.help and "$ref" not in schema else schema


_PLAIN: dict[Any, Schema] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    Path: {"type": "string"},
}


def _type(hint: Any) -> Schema:
    """The schema of a type; TOML knows no null, so None is left out."""
    kind = contract_kind(hint)
    if kind:
        return {"$ref": f"#/definitions/{kind}"}
    choices = [_member(member) for member in members(hint) if member is not type(None)]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _member(member: Any) -> Schema:
    origin, args = typing.get_origin(member), typing.get_args(member)
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _type(args[0])}
    if origin is tuple:
        return {"type": "array", "items": [_type(a) for a in args], "minItems": len(args), "maxItems": len(args)}
    if attrs.has(member):
        return _table(member)
    return dict(_PLAIN.get(member, {}))


_BOUNDS = {
    operator.ge: "minimum",
    operator.gt: "exclusiveMinimum",
    operator.le: "maximum",
    operator.lt: "exclusiveMaximum",
}


def _limits(validator: Any) -> Iterable[Schema]:
    """What attrs' own validators say, as far as JSON Schema can say it; any other validator says nothing here."""
    if isinstance(validator, list | tuple):
        parts: Iterable[Any] = validator
    else:
        parts = getattr(validator, "_validators", ())
    for part in parts:
        yield from _limits(part)
    if inner := getattr(validator, "validator", None):
        yield from _limits(inner)
    if (compare := getattr(validator, "compare_func", None)) in _BOUNDS and isfinite(validator.bound):
        yield {_BOUNDS[compare]: validator.bound}
    if choices := getattr(validator, "options", None):
        yield {"enum": list(choices)}
    if (length := getattr(validator, "min_length", None)) is not None:
        yield {"minItems": length}
    if pattern := getattr(validator, "pattern", None):
        yield {"pattern": f"^(?:{pattern.pattern})$"}
