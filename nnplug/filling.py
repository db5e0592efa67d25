"""Filling: a table -> a component or a section of the config, with every error at once."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs
import numpy as np

from nnplug.errors import Problem
from nnplug.naming import cut, join, printable, suggest
from nnplug.options import (
    Option,
    contract_kind,
    describe_type,
    fields_of,
    members,
    options_of,
    show,
)

INVALID: Any = object()  # stands for a value whose problem is already noted
MESSAGE = 500  # characters of what a class says about a value
UNKNOWN = 20  # how many unknown options of one table are told by name


class Builder(Protocol):
    """Builds components out of names and tables; the registry is one."""

    def build_component(self, kind: str, value: Any, path: str, problems: list[Problem]) -> Any:
        """One component, or INVALID."""
        ...

    def build_components(self, kind: str, values: Iterable[Any], path: str, problems: list[Problem]) -> Any:
        """A tuple of components, or INVALID."""
        ...


def fill(cls: Any, table: Mapping[str, Any], path: str, builder: Builder, problems: list[Problem], what: str) -> Any:
    """Make a ``cls`` out of a table, or note in ``problems`` everything that is wrong with it and return INVALID.

    Args:
        cls: an attrs class.
        table: option -> value; names and tables of components are built by ``builder``.
        path: where the table stands in the config.
        builder: builds components.
        problems: is added to.
        what: what the table describes, for messages: ``affine``.
    """
    known = options_of(cls)
    before = len(problems)
    unknown = [key for key in table if key not in known]
    for key in unknown[:UNKNOWN]:
        hint = suggest(str(key), known) or f"; it has {', '.join(known) or 'none'}"
        problems.append(Problem(join(path, str(key)), f"{what} has no option {show(key)}{hint}"))
    if more := len(unknown[UNKNOWN:]):
        problems.append(Problem(path, f"{what} has no option of {more:,} further names, either"))
    values = {}
    for name, option in known.items():
        if name in table:
            values[name] = convert(table[name], option.hint, join(path, name), builder, problems)
        elif option.required:
            problems.append(Problem(path, f"{what} needs option {name!r}, {describe_type(option.hint)}"))
        elif not option.derived:
            values[name] = convert(option.default_value(), option.hint, join(path, name), builder, problems)
        if values.get(name, INVALID) is not INVALID:
            _validate(option, values[name], join(path, name), problems)
    if len(problems) > before:
        return INVALID
    return attempt(lambda: cls(**values), path, problems)


def attempt(make: Callable[[], Any], path: str, problems: list[Problem]) -> Any:
    """What ``make()`` returns, or INVALID after noting the exception it raised."""
    try:
        return make()
    except Exception as error:
        problems.append(Problem(path, _message(error)))
        return INVALID


def _validate(option: Option, value: Any, path: str, problems: list[Problem]) -> None:
    """Run one field's validator by itself, so that each wrong value is told with its own path."""
    if option.validator is None:
        return
    try:
        option.validator(None, option.attribute, value)
    except AttributeError:
        pass  # it compares with other fields; it will run again when the component is made
    except Exception as error:
        problems.append(Problem(path, _message(error, option.name)))


def _message(error: Exception, name: str = "") -> str:
    text = str(error.args[0]) if error.args else str(error)
    lines = cut(text.removeprefix(f"'{name}' "), MESSAGE).splitlines()
    return "\n".join(printable(line) for line in lines) or type(error).__name__


def convert(value: Any, hint: Any, path: str, builder: Builder, problems: list[Problem]) -> Any:
    """Hold a value against a type, without coercion; components are built; INVALID after noting a problem."""
    kind = contract_kind(hint)
    if value is None and type(None) in members(hint):
        return None
    if kind:
        return builder.build_component(kind, value, path, problems)
    for member in members(hint):
        converted = _convert_member(value, member, path, builder, problems)
        if converted is not _NO_MATCH:
            return converted
    problems.append(Problem(path, f"expected {describe_type(hint)}, got {show(value)}"))
    return INVALID


_NO_MATCH: Any = object()


def _convert_member(value: Any, member: Any, path: str, builder: Builder, problems: list[Problem]) -> Any:
    origin = typing.get_origin(member)
    if origin is tuple and isinstance(value, list | tuple):
        return _convert_tuple(value, typing.get_args(member), path, builder, problems)
    if origin is Literal:
        same = [a for a in typing.get_args(member) if type(a) is type(value) and a == value]
        return same[0] if same else _NO_MATCH
    if attrs.has(member):
        table = fields_of(value) if isinstance(value, member) else value
        return fill(member, table, path, builder, problems, f"[{path}]") if isinstance(table, Mapping) else _NO_MATCH
    return _convert_plain(value, member)


def _convert_plain(value: Any, member: Any) -> Any:
    if member is Any:
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value) if member is bool else _NO_MATCH
    if member is int and isinstance(value, Integral):
        return int(value)
    if member is float and isinstance(value, Real):
        return _as_float(value)
    if member is Path and isinstance(value, str):
        return Path(value)
    wanted = typing.get_origin(member) or member  # what no config can hold, such as a function, passes as it is
    return value if isinstance(wanted, type) and isinstance(value, wanted) else _NO_MATCH


def _as_float(value: Real) -> Any:
    try:
        return float(value)
    except OverflowError:
        return _NO_MATCH


def _convert_tuple(
    value: list[Any] | tuple[Any, ...], args: tuple[Any, ...], path: str, builder: Builder, problems: list[Problem]
) -> Any:
    if len(args) == 2 and args[1] is Ellipsis:
        kind = contract_kind(args[0])
        if kind:
            return builder.build_components(kind, value, path, problems)
        hints = [args[0]] * len(value)
    elif len(args) == len(value):
        hints = list(args)
    else:
        return _NO_MATCH
    items = tuple(convert(v, h, f"{path}[{i}]", builder, problems) for i, (v, h) in enumerate(zip(value, hints)))  # noqa: B905
    return INVALID if any(item is INVALID for item in items) else items
