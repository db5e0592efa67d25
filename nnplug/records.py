"""The records of a run that has ended: its history and its result, believed no further than they can be checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import nan
from pathlib import Path
from typing import Any

from nnplug.errors import NnplugError
from nnplug.files import open_to_read, parse_json
from nnplug.history import History, Row
from nnplug.naming import join
from nnplug.options import show
from nnplug.runfolder import HISTORY, MODEL, RESULT

RECORD_BYTES = 2**30  # the history of forty million steps takes less

_PLAIN: dict[str, Any] = {  # what stands in a history beside its lists
    "monitor": str | None,
    "higher_is_better": bool,
    "best_epoch": int | None,
    "stopped": str,
    "unfinished": bool,
    "signal": int,
    "train_seconds": float,
}
_WORDS: dict[Any, str] = {
    dict: "a table",
    list: "a list",
    bool: "true or false",
    int: "an integer",
    int | None: "an integer or null",
    float: "a number",
    str: "a text",
    str | None: "a text or null",
}


def read_history(folder: Path) -> History:
    """The history of a run that has ended.

    Raises:
        NnplugError: the file is missing or damaged.
    """
    with _reading(folder / HISTORY) as content:
        losses = [_number(loss, "losses") for loss in _get(content, "losses", list)]
        epochs = [_row(row, "epochs") for row in _get(content, "epochs", list)]
        plain = {key: _get(content, key, kind) for key, kind in _PLAIN.items()}
        return History(losses=losses, epochs=epochs, **plain)


def read_results(folder: Path) -> dict[str, Row]:
    """Loss and metrics of each split of a run that has ended.

    Raises:
        NnplugError: the file is missing or damaged.
    """
    with _reading(folder / RESULT) as content:
        splits = ["train", *(split for split in ("validation", "test") if content.get(split) is not None)]
        results = {split: _row(_get(content, split, dict), split) for split in splits}
        for split, row in results.items():
            if "loss" not in row or row.keys() != results["train"].keys():
                raise ValueError(f"has in {split} {show(list(row))}, expected a loss, and the same metrics as in train")
        return results


@contextmanager
def _reading(path: Path) -> Iterator[dict[str, Any]]:
    """The table in a file; whatever is wrong with it is told with what to do."""
    try:
        yield _table(path)
    except (OSError, ValueError, RecursionError) as error:
        raise NnplugError(
            f"{path} {_fault(error)}; put it back from a copy, or train anew in another folder; "
            f"the model that the run led to is in {path.with_name(MODEL)}"
        ) from error


def _table(path: Path) -> dict[str, Any]:
    with open_to_read(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > RECORD_BYTES:
            raise ValueError(f"has {size:,} bytes, {RECORD_BYTES:,} is the most that nnplug reads")
        content = parse_json(file.read().decode())
    if not isinstance(content, dict):
        raise ValueError("is no table")  # noqa: TRY004  (of a file's content, not a programmer's mistake)
    return content


def _fault(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return "is damaged: it is no text in UTF-8"
    return f"is damaged: it {'is nested too deeply' if isinstance(error, RecursionError) else error}"


def _get(content: dict[str, Any], key: str, kind: Any) -> Any:
    if key not in content:
        raise ValueError(f"has no {key!r}")
    return _check(key, content[key], kind)


def _check(where: str, value: Any, kind: Any) -> Any:
    """A value of a kind; true is no number, though Python says so."""
    right = isinstance(value, int | float if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if not right:
        raise ValueError(f"has in {where} {show(value)}, expected {_WORDS[kind]}")
    return value


def _row(values: Any, where: str) -> Row:
    return {name: _number(value, join(where, name)) for name, value in _check(where, values, dict).items()}


def _number(value: Any, where: str) -> float:
    """JSON has no NaN; null stands for it."""
    return nan if value is None else _check(where, value, float)
