"""Components in words: what a class says about itself in its docstring and its options."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import attrs

from nnplug.errors import RegistryError
from nnplug.options import Option, describe_type, options_of
from nnplug.registry import Registry

SECTIONS = "Args|Attributes|Returns|Raises|Yields|Example|Examples|Note|Notes"


def summary(cls: type) -> str:
    """The first line of a class's docstring."""
    return text(cls).partition("\n")[0]


def text(cls: type) -> str:
    """A class's docstring as plain text, without the section that describes the options."""
    doc = inspect.cleandoc(cls.__doc__ or "")
    doc = re.sub(rf"^Args:\n.*?(?=^(?:{SECTIONS}):$|\Z)", "", doc, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"::$", ":", doc.replace("`", ""), flags=re.MULTILINE).strip()


def option_tables(cls: type, registry: Registry) -> list[dict[str, Any]]:
    """What there is to say about each option, a class's own before the inherited ones.

    Returns:
        tables with ``name``, ``type`` in words, ``required``, ``default`` as a config would hold it, and ``help``.
    """
    options = sorted(options_of(cls).values(), key=_inherited)
    return [
        {
            "name": option.name,
            "type": describe_type(option.hint),
            "required": option.required,
            "default": _default(option, registry),
            "help": option.help.replace("`", ""),
        }
        for option in options
    ]


def _inherited(option: Option) -> bool:
    inherited: bool = option.attribute.inherited  # type: ignore[attr-defined]  # attrs has it, its stub has not
    return inherited


def _default(option: Option, registry: Registry) -> Any:
    if option.required:
        return None
    if isinstance(option.default, attrs.Factory) and option.default.takes_self:  # type: ignore[arg-type]
        return "from the other options"
    value = option.default_value()
    try:
        return registry.describe(value)
    except RegistryError:  # a component without a name can be a default, if hardly a good one
        return repr(value)


def toml(value: Any) -> str:
    """A value as one writes it in a config."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
