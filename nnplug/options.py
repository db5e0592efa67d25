"""Options: the fields of an attrs class, and how messages speak of them."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import attrs

from nnplug.hookspecs import KINDS
from nnplug.naming import cut


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

    @property
    def derived(self) -> bool:
        """True if the default follows from other options, so that only the class itself can make it."""
        return isinstance(self.default, attrs.Factory) and self.default.takes_self  # type: ignore[arg-type]

    def default_value(self) -> Any:
        """The default, made anew where the class makes it anew."""
        if isinstance(self.default, attrs.Factory):  # type: ignore[arg-type]
            return self.default.factory()
        return self.default


def options_of(cls: Any) -> dict[str, Option]:
    """The options of an attrs class by name, in the order of its fields.

    Raises:
        TypeError: an annotation cannot be read, or a config could not hold the option; with what to do about it.
    """
    return _options_of(cls)


@cache
def _options_of(cls: Any) -> dict[str, Option]:
    try:
        hints = typing.get_type_hints(cls)
    except Exception as error:  # annotations are code, which may fail in any way
        raise TypeError(
            f"the annotations of {cls.__name__} cannot be read ({error}); import what they name at run time, "
            "not under TYPE_CHECKING"
        ) from error
    helps = _docstring_args(cls)
    options = {
        a.alias: Option(a.alias, hints.get(a.name, Any), a.default, helps.get(a.alias, ""), a.validator, a)
        for a in attrs.fields(cls)
        if a.init and a.alias is not None
    }
    for option in options.values():
        if type(None) in members(option.hint) and option.default is not None:
            raise TypeError(
                f"the option {option.name!r} of {cls.__name__} admits None, so None must be its default: "
                "a config says None by leaving the option out"
            )
    return options


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
    hint = _meant(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(member for arg in typing.get_args(hint) for member in members(arg))
    return (hint,)


_ALIAS: Any = getattr(typing, "TypeAliasType", ())  # ``type Name = ...``, since Python 3.12; NumPy 2.5 has such ones


def _meant(hint: Any) -> Any:
    """The type that a name for a type stands for."""
    alias, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if not isinstance(alias, _ALIAS):
        return hint
    return _meant(alias.__value__[args] if args else alias.__value__)


@cache
def contract_kind(hint: Any) -> str | None:
    """The kind of component a hint such as ``Initializer | str`` asks for, or None."""
    for member in members(hint):
        for kind in KINDS.values():
            if isinstance(member, type) and issubclass(member, kind.contract):
                return kind.name
    return None


def mentions_component(hint: Any) -> bool:
    """True if a value of this type is or holds components, so that names in it are to be resolved."""
    return contract_kind(hint) is not None or any(mentions_component(arg) for arg in _args(hint))


def _args(hint: Any) -> list[Any]:
    """The types that a type is made of; those of a function's parameters stand in a list."""
    args = typing.get_args(_meant(hint))
    return [inner for arg in args for inner in (arg if isinstance(arg, list) else [arg])]


def parts_of(hint: Any) -> set[Any]:
    """A type and all that it mentions, down to the options of tables: what a value of it may consist of."""
    found: set[Any] = set()
    waiting = [hint]
    while waiting:
        part = _meant(waiting.pop())
        if part not in found:
            found.add(part)
            waiting += _args(part)
            if isinstance(part, type) and attrs.has(part) and contract_kind(part) is None:
                waiting += [option.hint for option in options_of(part).values()]
    return found


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
        nothing = " or nothing" if type(None) in members(hint) else ""
        return f"the name or table of {article(kind)}{nothing}"
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


def words(kind: str) -> str:
    """A kind in words: ``update rule``."""
    return kind.replace("_", " ")


def article(kind: str) -> str:
    """A kind in words with its article: ``an update rule``."""
    return f"an {words(kind)}" if kind[0] in "aeiou" else f"a {words(kind)}"


def show(value: Any) -> str:
    """A value as an error message quotes it: short, on one line, and without control characters."""
    if isinstance(value, type):
        return f"the class {value.__name__} itself, where an object {value.__name__}(...) was meant"
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))
    except ValueError:  # an integer of more than 4300 digits
        text = f"a huge {type(value).__name__}"
    return cut(text)
