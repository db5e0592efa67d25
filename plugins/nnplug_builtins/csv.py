"""CSV: one's own table, from a text file."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from attrs import field, frozen
from attrs.validators import and_, ge, lt

from nnplug import Array, DataError, DataLoader, Dataset, Table, data_file, hookimpl
from nnplug_builtins._hold_out import hold_out

Role = Literal["x", "y", "class", "ignored"]
MANY = 10  # classes; more are doubted where there are hardly more rows
NAMES, CHARACTERS = 10_000, 80_000  # what a model file holds of names


def _one_character(instance: Any, attribute: Any, value: str) -> None:
    if len(value) != 1 or value in '"\r\n':
        raise ValueError(f"'delimiter' must be one character, no quote and no line end, not {value!r}")


@frozen
class Csv(DataLoader):
    """A table from a text file: one or more target columns, all others are features, float64.

    The file is UTF-8, with or without a byte order mark; cells may be quoted with ``"``; empty lines are skipped.
    Features are numbers, every one of them: nothing is guessed, no missing value is filled in.

    Args:
        path: the file; a relative path starts at the current folder.
        task: what the target is. classification: each different text in it is a class, in alphabetical order, or by
            value where all are numbers; targets are class indices, int64. regression: a number, float64.
        target: the target column: a name or, counted from 0, an index; -1 is the last. For regression it may be a list
            of them.
        ignore: columns to leave out, names or indices.
        header: whether the first line holds the columns' names.
        delimiter: the character between cells.
        test: the fraction of the rows to hold out as a test split; 0: none, and rows stay in their order. Otherwise
            they are shuffled by a fixed rule, and every class is divided alike.
        seed: another seed, another choice of the rows held out.
        scale: offset and factor for all features; the model sees ``(x - offset) * factor``.
    """

    path: Path | str
    task: Literal["classification", "regression"] = field(kw_only=True)
    target: str | int | tuple[str | int, ...] = field(default=-1, kw_only=True)
    ignore: tuple[str | int, ...] = field(default=(), kw_only=True)
    header: bool = field(default=True, kw_only=True)
    delimiter: str = field(default=",", kw_only=True, validator=_one_character)
    test: float = field(default=0.0, kw_only=True, validator=and_(ge(0), lt(1)))
    seed: int = field(default=0, kw_only=True, validator=ge(0))
    scale: tuple[float, float] | None = field(default=None, kw_only=True)

    def load(self) -> Dataset:
        """Read the table.

        Raises:
            DataError: the file is missing or cannot be read, a column does not exist, a row has too few or too many
                cells, a cell is empty or no number; the message says which line and column.
        """
        table = Table(data_file(self.path), self.delimiter, self.header)
        targets, roles = self._roles(table)
        features = [name for name, role in zip(table.names, roles, strict=True) if role == "x"]
        if _is_row(features):
            told = f"takes its first line for the columns' names, but they are numbers: {_listed(table.names)}"
            warnings.warn(f"{table.path}: {told}; if that line is a row, set header = false", stacklevel=2)
        columns = table.read(roles)
        class_names = None
        if self.task == "classification":
            y, class_names = _numbered([text.strip() for text in columns["class"].flat])
            where = f"{table.path}: {table.column(targets[0])}"
            if len(class_names) == 1:
                warnings.warn(f"{where}: all rows are of one class, {reprlib.repr(class_names[0])}", stacklevel=2)
            if len(class_names) > max(MANY, len(y) / 2) and all(map(Table.is_number, class_names)):
                told = f"{len(class_names)} different numbers in {len(y)} rows are no classes"
                raise DataError(f"{where}: {told}; for a number that is to be predicted set task = 'regression'")
        else:
            asked = np.unique(targets, return_inverse=True)[1]  # places in the order asked for, not the file's
            y = columns["y"][:, asked]
            y = y[:, 0] if isinstance(self.target, str | int) else y
        train, test = (columns["x"], y), None
        if self.test:
            chosen = hold_out(len(y), self.test, self.seed, y if class_names else None)
            train, test = ((columns["x"][rows], y[rows]) for rows in chosen)
        classes = len(class_names) if class_names else None
        return Dataset(
            train,
            test=test,
            classes=classes,
            scale=self.scale,
            class_names=class_names,
            feature_names=_usable(features),
        )

    def _roles(self, table: Table) -> tuple[list[int], list[Role]]:
        """The targets' indices, in the order asked for, and what each column is."""
        names, path = table.names, table.path
        if self.target == -1 and self.header and not names[-1]:
            told = "the last column, which is the target by default, has no name"
            raise DataError(f"{path}: {told}; name the target, and if each line ends with a delimiter, ignore = [-1]")
        wanted = (self.target,) if isinstance(self.target, str | int) else self.target
        targets = [_index(name, names, path) for name in wanted]
        ignored = {_index(name, names, path) for name in self.ignore}
        if self.task == "classification" and len(targets) != 1:
            raise DataError(f"{path}: classification has one target column, not {len(targets)}")
        if not targets:
            raise DataError(f"{path}: there is no target column")
        if ignored.intersection(targets):
            raise DataError(f"{path}: {table.column(min(ignored.intersection(targets)))} is both target and ignored")
        roles: list[Role] = ["ignored" if i in ignored else "x" for i in range(len(names))]
        for i in targets:
            roles[i] = "class" if self.task == "classification" else "y"
        if "x" not in roles:
            raise DataError(f"{path}: no column is left for the features; is {self.delimiter!r} its delimiter?")
        return targets, roles


def _index(wanted: str | int, names: list[str], path: Path) -> int:
    """The index of a column, from 0."""
    if isinstance(wanted, str):
        if names.count(wanted) != 1:
            how = "no column is" if wanted not in names else "several columns are"
            raise DataError(f"{path}: {how} called {wanted!r}; the columns are {_listed(names)}")
        return names.index(wanted)
    if not -len(names) <= wanted < len(names):
        raise DataError(f"{path}: there is no column {wanted}; the {len(names)} columns are counted from 0")
    return wanted % len(names)


def _is_row(names: list[str]) -> bool:
    """Whether all names are numbers, and do not just count the columns, as those of a table without names often do."""
    if not all(Table.is_number(name) for name in names):
        return False
    numbers = [float(name) for name in names]
    return numbers not in (list(range(len(names))), list(range(1, len(names) + 1)))


def _usable(names: list[str]) -> tuple[str, ...] | None:
    """The features' names, if each has one of its own by which other tables' columns can be found."""
    distinct = all(names) and len(set(names)) == len(names)
    return tuple(names) if distinct and len(names) <= NAMES and sum(map(len, names)) <= CHARACTERS else None


def _listed(names: list[str]) -> str:
    if not any(names):
        return f"{len(names)} without names, counted from 0"
    return ", ".join(map(reprlib.repr, names[:10])) + (", ..." if len(names) > 10 else "")


def _numbered(texts: list[str]) -> tuple[Array, tuple[str, ...]]:
    """Class indices and the classes' names; where all are numbers, by value, and 1 and 1.0 are one class, 1."""
    names = sorted(set(texts), key=lambda name: (len(name), name))
    key: Callable[[str], Any] = float if all(map(Table.is_number, names)) else str
    shortest: dict[Any, str] = {}
    for name in names:
        shortest.setdefault(key(name), name)
    index = {value: i for i, value in enumerate(sorted(shortest))}
    return np.array([index[key(text)] for text in texts], np.int64), tuple(shortest[value] for value in index)


@hookimpl
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Register ``csv``."""
    return {"csv": Csv}
