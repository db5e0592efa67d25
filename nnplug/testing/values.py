"""Values to try for an option, from its type alone."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np

from nnplug.options import Option, contract_kind, members, options_of

COMPONENTS: dict[str, tuple[Any, ...]] = {
    "layer": ({"type": "affine", "units": 3}, "tanh"),
    "loss": ("mse",),
    "update_rule": ("sgd",),
    "data_loader": ("digits",),
    "initializer": ("normal",),
    "schedule": ("constant",),
    "metric": ("mean_absolute_error",),
    "callback": ("early_stopping",),
}
INTEGERS = (3, 2, 4, 1, 5, 8, 16, 0)
NUMBERS = (0.5, 0.1, 1.0, 2.0, 10.0, 0.0)


def candidates(hint: Any, folder: Path) -> list[Any]:
    """Values of a type, as a config would hold them, the likeliest first; none where nobody could guess.

    Args:
        hint: the type of an option.
        folder: where sample files go, for options that are paths.
    """
    kind = contract_kind(hint)
    if kind:
        return list(COMPONENTS[kind])
    return [value for member in members(hint) for value in _of_member(member, folder)]


def _of_member(member: Any, folder: Path) -> list[Any]:
    origin, args = typing.get_origin(member), typing.get_args(member)
    if origin is Literal:
        return list(args)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        items = candidates(args[0], folder)
        return [items[:2], items[:1]] if items else []
    if origin is tuple:
        columns = [candidates(arg, folder) for arg in args]
        return [[column[0] for column in columns]] if all(columns) else []
    if member is Path:
        return [str(path) for path in sample_files(folder)]
    if attrs.has(member):
        return _of_section(member, folder)
    plain: dict[Any, tuple[Any, ...]] = {bool: (True, False), int: INTEGERS, float: NUMBERS}
    return list(plain.get(member, ()))


def _of_section(cls: Any, folder: Path) -> list[Any]:
    required = {name: option for name, option in options_of(cls).items() if option.required}
    values = {name: candidates(option.hint, folder) for name, option in required.items()}
    return [{name: found[0] for name, found in values.items()}] if all(values.values()) else []


def other_values(option: Option, *, numbers: bool) -> list[Any]:
    """Values that an option with a default may have as well: the other choices, and numbers near the default.

    Args:
        option: an option that is not required.
        numbers: False where another number would contradict something, such as the number of classes in a file.
    """
    default = option.default_value()
    found: list[Any] = []
    for member in members(option.hint):
        if typing.get_origin(member) is Literal:
            found += [choice for choice in typing.get_args(member) if choice != default]
        elif member is bool:
            found.append(not default)
        elif member is int and numbers:
            found.append(2 if default is None else default + 1)
        elif member is float and numbers:
            found.append(default / 2 if default else 0.5)
    return found


def sample_files(folder: Path) -> list[Path]:
    """Small files of the formats that data comes in, written on first use: a table and named arrays."""
    table, arrays = folder / "sample.csv", folder / "sample.npz"
    if not table.exists():
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(24, 3)).round(3), np.arange(24) % 3
        lines = ["a,b,c,class", *(",".join(map(str, (*row, label))) for row, label in zip(x.tolist(), y, strict=True))]
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
        np.savez(arrays, x=x, y=y)
    return [table, arrays]
