"""Mutations: of bytes, and of JSON that stays JSON, or nearly."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

Rng = np.random.Generator
LENGTHS = (0, 1, 7, 8, 100, 2**16, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)


class Raw(str):
    """A piece of JSON text, put in as it is: what `json.dumps` would never write."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """A table that says a key twice."""


def choose(rng: Rng, values: Any) -> Any:
    """One of the values."""
    return values[int(rng.integers(len(values)))]


# Bytes


def mutate_bytes(rng: Rng, content: bytes, other: bytes) -> bytes:
    """One to four changes: bits flipped, parts cut out, doubled, moved in from another file, numbers overwritten."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        kind = rng.integers(8)
        at = int(rng.integers(len(data) + 1)) if rng.random() < 0.5 else int(rng.integers(min(len(data), 400) + 1))
        size = int(2 ** rng.uniform(0, 8))
        if kind == 0 and at < len(data):
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + size] = rng.bytes(min(size, len(data) - at))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + size]
        elif kind == 4:
            data[at:at] = data[at : at + size]
        elif kind == 5:
            start = int(rng.integers(len(other) + 1))
            data[at : at + size] = other[start : start + size]
        elif kind == 6:
            data[:8] = (choose(rng, LENGTHS) + int(rng.integers(-1, 2)) & (2**64 - 1)).to_bytes(8, "little")
        else:
            data += rng.bytes(size)
    return bytes(data)


# JSON


def dumps(value: Any) -> str:
    """A value as JSON, with what JSON does not know."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def number(rng: Rng) -> Any:
    """A number that somebody forgot to think of."""
    kind = rng.integers(6)
    if kind == 0:
        return int(rng.integers(-2, 10))
    if kind == 1:
        return choose(rng, (2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**12, 10**30, 10**299, 10**305, -1))
    if kind == 2:
        return float(rng.normal() * 10.0 ** rng.integers(-320, 308))
    if kind == 3:
        return choose(rng, [Raw(text) for text in ("NaN", "Infinity", "-Infinity", "1e999", "-0", "-0.0", "1e-400")])
    if kind == 4:
        return Raw("9" * int(2 ** rng.uniform(0, 17)))
    return choose(rng, (0, 1, 0.5, 1e-300, 5e-324, 1e308, True, False))


def text(rng: Rng) -> Any:
    """A text that somebody wrote on purpose."""
    kind = rng.integers(6)
    if kind == 0:
        return choose(
            rng, ("", ".", "..", "../../x", "/etc/passwd", "a.b", "affine1", "hidden", "W", "b", "type", "name")
        )
    if kind == 1:
        names = (
            "affine",
            "relu",
            "chain",
            "softmax",
            "mse",
            "he",
            "normal",
            "csv",
            "csv_log",
            "adam",
            "tracker",
            "conv2d",
        )
        return choose(rng, names) + choose(rng, ("", "", "", "x", ":relu", " ", "\n"))
    if kind == 2:
        return choose(
            rng, ("\x1b[2J", "\x9b31m", "\u202eabc", "\x00", "a\nb\r", "\x1b]0;x\x07", "\u2066x", "\ufeff", "\x7f")
        )
    if kind == 3:
        return choose(
            rng, ("x; pip install evil", "$(sh)", "__import__('os')", "os.system", "c:\\x", "%s%n", "{0}", "'")
        )
    if kind == 4:
        return Raw(choose(rng, ('"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\x"', '"')))
    return choose(rng, ("x", "é", "😀", "\\")) * int(2 ** rng.uniform(0, 18))


def junk(rng: Rng) -> Any:
    """Any value."""
    kind = rng.integers(8)
    if kind < 3:
        return number(rng)
    if kind < 5:
        return text(rng)
    if kind == 5:
        return choose(rng, (None, [], {}, [[]], {"": {}}, [None], {"type": "relu"}, {"type": []}, {"layers": ["relu"]}))
    if kind == 6:
        depth = int(2 ** rng.uniform(0, 17))
        opening, closing = choose(rng, (("[", "]"), ('{"a":', "}"), ('{"type":"chain","layers":[', "]}")))
        return Raw(opening * depth + choose(rng, ("0", '"relu"', "{}")) + closing * depth)
    item = choose(rng, ("0", '"relu"', "[]", "{}", '{"type":"relu"}', '{"type":"affine","units":1}', '"x"'))
    return Raw("[" + ",".join([item] * int(2 ** rng.uniform(0, 17))) + "]")


def mutate_json(rng: Rng, value: Any) -> Any:
    """A copy with one to four changes."""
    value = json.loads(json.dumps(value))
    for _ in range(int(rng.integers(1, 5))):
        value = _mutate(rng, value)
    return value


def _mutate(rng: Rng, value: Any) -> Any:
    """Change something at this place, or further down."""
    if isinstance(value, Pairs):
        return value
    if not isinstance(value, dict | list) or not value or rng.random() < 0.15:
        return _near(rng, value) if rng.random() < 0.5 else junk(rng)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = choose(rng, keys)
    kind = rng.integers(14)
    if kind > 5:
        value[key] = _mutate(rng, value[key])
    elif kind == 0:
        del value[key]
    elif kind == 1 and isinstance(value, dict):
        new = text(rng)
        value["x" if isinstance(new, Raw) else new] = value.pop(key)
    elif kind == 2 and isinstance(value, dict):
        return Pairs([*value.items(), (key, choose(rng, (value[key], junk(rng))))])
    elif kind == 3:
        value[choose(rng, keys)] = value[key]
    elif kind == 4 and isinstance(value, list):
        value[key:key] = [value[key]] * int(2 ** rng.uniform(0, 12))
    elif isinstance(value, dict):
        new = text(rng)
        value["y" if isinstance(new, Raw) else new] = junk(rng)
    return value


def _near(rng: Rng, value: Any) -> Any:
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + int(rng.integers(-3, 4)) if rng.random() < 0.5 else number(rng)
    if isinstance(value, float):
        return number(rng)
    if isinstance(value, str):
        return text(rng)
    return junk(rng)
