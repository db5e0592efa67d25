"""Options: the fields of an attrs class, described for people and filled from a table with every error at once."""

from __future__ import annotations

import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs

from nnplug.errors import Problem
from nnplug.hookspecs import KINDS

INVALID: Any = object()  # stands for a value whose problem is already noted


class Builder(Protocol):
    """Builds components out of names and tables; the registry is one."""

    def build_component(self, kind: str, value: Any, path: str, problems: list[Problem]) -> Any:
        """One component, or INVALID."""
        ...

    def build_components(self, kind: str, values: Iterable[Any], path: str, problems: list[Problem]) -> Any:
        """A tuple of components, or INVALID."""
        ...


@attrs.frozen
class Option:
    """One option of a component or of a section of the config."""

    name: str
    hint: Any
    default: Any
    help: str
    validator: Callable[..., Any] | None
    attribute: attrs.Attribute[Any]

    @property
    def required(self) -> bool:
        """True if there is no default."""
        return self.default is attrs.NOTHING

    def default_value(self) -> Any:
        """The default, made anew where the class makes it anew."""
        if isinstance(self.default, attrs.Factory):  # type: ignore[arg-type]
            return self.default.factory()
        return self.default


def options_of(cls: Any) -> dict[str, Option]:
    """The options of an attrs class by name, in the order of its fields.

    Raises:
        TypeError: an annotation cannot be read, with what to do about it.
    """
    return _options_of(cls)


@cache
def _options_of(cls: Any) -> dict[str, Option]:
    try:
        hints = typing.get_type_hints(cls)
    except NameError as error:
        raise TypeError(
            f"the annotations of {cls.__name__} cannot be read ({error}); import what they name at run time, "
            "not under TYPE_CHECKING"
        ) from error
    helps = _docstring_args(cls)
    return {
        a.alias: Option(a.alias, hints.get(a.name, Any), a.default, helps.get(a.alias, ""), a.validator, a)
        for a in attrs.fields(cls)
        if a.init and a.alias is not None
    }


def fields_of(instance: Any) -> dict[str, Any]:
    """The options of an instance with their values."""
    return {name: getattr(instance, option.attribute.name) for name, option in options_of(type(instance)).items()}


def _docstring_args(cls: type) -> dict[str, str]:
    """The ``Args:`` sections of a class and its bases: option name -> text."""
    found: dict[str, str] = {}
    for base in cls.__mro__:
        section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", inspect.cleandoc(base.__doc__ or ""), re.MULTILINE)
        if section:
            for name, text in re.findall(r"^    (\w+): (.*(?:\n      .*)*)", section[1], re.MULTILINE):
                found.setdefault(name, re.sub(r"\s+", " ", text).strip())
    return found


def members(hint: Any) -> tuple[Any, ...]:
    """The members of a union; a hint that is none is its only member."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def contract_kind(hint: Any) -> str | None:
    """The kind of component a hint such as ``Initializer | str`` asks for, or None."""
    for member in members(hint):
        for kind in KINDS.values():
            if isinstance(member, type) and issubclass(member, kind.contract):
                return kind.name
    return None


def mentions_component(hint: Any) -> bool:
    """True if a value of this type is or holds components, so that names in it are to be resolved."""
    return contract_kind(hint) is not None or any(mentions_component(arg) for arg in typing.get_args(hint))


_PLAIN: dict[Any, str] = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    type(None): "nothing",
    Any: "any value",
}


def describe_type(hint: Any) -> str:
    """A type in words: ``a number or nothing``."""
    kind = contract_kind(hint)
    if kind:
        words = [f"the name or table of {_article(kind)}"]
        words += ["nothing"] if type(None) in members(hint) else []
        return " or ".join(words)
    return " or ".join(_describe_member(member) for member in members(hint))


def _describe_member(member: Any) -> str:
    origin, args = typing.get_origin(member), typing.get_args(member)
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return f"a list, each {describe_type(args[0])}"
    if origin is tuple:
        return "a list of " + ", ".join(describe_type(a) for a in args)
    if attrs.has(member):
        return "a table"
    return _PLAIN.get(member, getattr(member, "__name__", str(member)))


def _article(kind: str) -> str:
    words = kind.replace("_", " ")
    return f"an {words}" if words[0] in "aeio" else f"a {words}"


def suggest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'units'?`` or nothing, for the end of a sentence about an unknown name."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def show(value: Any) -> str:
    """A value as an error message quotes it: short, and without control characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def join(path: str, key: str) -> str:
    """The path of ``key`` inside ``path``."""
    return f"{path}.{key}" if path else key


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
    for key in table:
        if key not in known:
            hint = suggest(str(key), known) or f"; it has {', '.join(known) or 'none'}"
            problems.append(Problem(join(path, str(key)), f"{what} has no option {key!r}{hint}"))
    values = {}
    for name, option in known.items():
        if name in table:
            values[name] = convert(table[name], option.hint, join(path, name), builder, problems)
        elif option.required:
            problems.append(Problem(path, f"{what} needs option {name!r}, {describe_type(option.hint)}"))
        elif mentions_component(option.hint):
            values[name] = convert(option.default_value(), option.hint, join(path, name), builder, problems)
        if values.get(name, INVALID) is not INVALID:
            _validate(option, values[name], join(path, name), problems)
    if len(problems) > before:
        return INVALID
    try:
        return cls(**values)
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
    return text.removeprefix(f"'{name}' ") or type(error).__name__


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
    if attrs.has(member) and isinstance(value, Mapping):
        return fill(member, value, path, builder, problems, what=f"[{path}]")
    if attrs.has(member):
        return value if isinstance(value, member) else _NO_MATCH
    return _convert_plain(value, member)


def _convert_plain(value: Any, member: Any) -> Any:
    if member is Any:
        return value
    if isinstance(value, bool):
        return value if member is bool else _NO_MATCH
    if member is int and isinstance(value, Integral):
        return int(value)
    if member is float and isinstance(value, Real):
        return float(value)
    if member is str and isinstance(value, str):
        return value
    if member is Path and isinstance(value, str | Path):
        return Path(value)
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
