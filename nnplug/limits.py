"""Limits: how large and how deep a config may be. What lies beyond is an accident or an attack, and shall cost nothing.

They are far above what anybody writes: a network of a thousand layers, written out, holds about eight thousand values.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import isfinite
from typing import Any

from nnplug.errors import ConfigError, Problem
from nnplug.files import DIGITS
from nnplug.naming import join

VALUES = 25_000  # numbers, texts, tables and lists, together
DEPTH = 128  # tables and lists within one another
TEXT = 10_000  # characters of a single text

_BITS = int(DIGITS * 3.33)


def check_size(content: Any, path: str = "", source: str = "", *, finite: bool = False) -> None:
    """Refuse nested tables and lists that are too large, in a time that `VALUES` bounds.

    Args:
        content: is looked through as far as it consists of dicts, lists and tuples.
        path: where it stands.
        source: the file's name, for the message.
        finite: whether infinity and NaN are refused, too: JSON has no words for them.

    Raises:
        ConfigError: with the first thing that is too much.
    """
    count, waiting = 0, [(content, path, 1)]
    while waiting:
        value, path, depth = waiting.pop()
        if isinstance(value, dict):
            waiting += [(item, join(path, str(key)), depth + 1) for key, item in _some(value.items())]
        elif isinstance(value, list | tuple):
            waiting += [(item, f"{path}[{i}]", depth + 1) for i, item in _some(enumerate(value))]
        elif told := _excess(value, finite):
            raise ConfigError([Problem(path, told)], source)
        count += 1
        if count + len(waiting) > VALUES:
            raise ConfigError([Problem("", f"holds more than {VALUES:,} values, the most that nnplug reads")], source)
        if depth > DEPTH:
            where = path if len(path) <= 40 else path[:40] + "..."
            raise ConfigError([Problem(where, f"is nested more than {DEPTH} deep, the most that nnplug reads")], source)


def _some(values: Iterable[Any]) -> Iterable[Any]:
    """As many as are needed to know that there are too many."""
    return islice(values, VALUES + 1)


def _excess(value: Any, finite: bool) -> str:
    if isinstance(value, str):
        if len(value) > TEXT:
            return f"has {len(value):,} characters, {TEXT:,} is the most that nnplug reads"
        return "" if value.isascii() or _is_unicode(value) else "is half a character, which no file can hold"
    if isinstance(value, int):
        return (
            f"is an integer of more than {DIGITS} digits, the most that nnplug reads"
            if value.bit_length() > _BITS
            else ""
        )
    if finite and isinstance(value, float) and not isfinite(value):
        return f"must be a finite number, since a model file holds no other: {value}"
    return ""


def _is_unicode(text: str) -> bool:
    """False for half of a surrogate pair, which JSON can say and no file or terminal can show."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
