"""Read a table of numbers and texts: NumPy's fast parser, and Python's strict one to tell what it stumbled over."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, dropwhile, groupby
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
from attrs import frozen

from nnplug import Array, DataError

Role = Literal["x", "y", "class", "ignored"]
NUMBERS = ("x", "y")  # the roles whose cells must be numbers


@frozen
class Table:
    """A text file of rows and columns, not read yet.

    Args:
        path: the file, in UTF-8, with or without a byte order mark.
        delimiter: the character between cells; a cell that holds it is quoted with ``"``.
        header: whether the first line holds the columns' names.
    """

    path: Path
    delimiter: str
    header: bool

    def names(self) -> list[str]:
        """The columns' names; empty texts where there is no header.

        Raises:
            DataError: the file cannot be read, or its first line is empty.
        """
        with self._open() as file:
            _, first = next(self._rows(file), (1, []))
        if not first:
            raise DataError(f"{self.path}: the first line is empty")
        return [name.strip() if self.header else "" for name in first]

    def read(self, names: list[str], roles: Sequence[Role]) -> dict[Role, Array]:
        """Read all rows.

        Args:
            names: what `names` returned.
            roles: what each column is: x and y hold numbers, class and ignored texts.

        Returns:
            For each role an array (rows, columns), float64 or of texts.

        Raises:
            DataError: a cell that should hold a finite number does not, a row is too long or too short, or there is no
                row at all.
        """
        runs = [(role, len(list(run))) for role, run in groupby(roles)]  # side by side they are read as one field
        dtype = np.dtype([(str(i), float if role in NUMBERS else object, (n,)) for i, (role, n) in enumerate(runs)])
        try:
            with self._open() as file:
                table = np.loadtxt(
                    self._lines(file), dtype, delimiter=self.delimiter, quotechar='"', comments=None, ndmin=1
                )
        except ValueError as error:
            self._explain(names, roles)
            raise DataError(f"{self.path}: cannot be read: {error}") from error
        found: dict[Role, list[Array]] = {}
        for i, (role, _) in enumerate(runs):
            found.setdefault(role, []).append(table[str(i)])
        if not all(_plausible(field) for fields in found.values() for field in fields):
            self._explain(names, roles)
        return {role: np.concatenate(fields, axis=1) for role, fields in found.items()}

    def _lines(self, file: TextIO) -> Iterator[str]:
        """The lines after the header and the empty lines that may follow it."""
        if self.header:
            next(self._rows(file))
        lines = dropwhile(str.isspace, file)
        first = next(lines, None)
        if first is None:
            raise DataError(f"{self.path}: has no rows")
        return chain([first], lines)

    def _rows(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of the line that it ends on."""
        reader = csv.reader(file, delimiter=self.delimiter, strict=True)
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{self.path}: line {reader.line_num}: {error}") from error

    def _explain(self, names: list[str], roles: Sequence[Role]) -> None:
        """Raise a DataError for the first row that is not as it should be, if there is one."""
        with self._open() as file:
            rows = self._rows(file)
            if self.header:
                next(rows)
            for line, row in rows:
                if row and len(row) != len(names):
                    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                    raise DataError(f"{self.path}: line {line}: {cells}, expected {len(names)}")
                for i, (cell, role) in enumerate(zip(row, roles, strict=False)):
                    fault = _fault(cell, role)
                    if fault:
                        raise DataError(
                            f"{self.path}: line {line}, {column(names, i)}: {fault}; "
                            "correct it, remove the row, or leave out the column with the option ignore"
                        )

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield file
        except FileNotFoundError as error:
            raise DataError(f"{self.path}: no such file; the current folder is {Path.cwd()}") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: is not in UTF-8 ({error}); save it in UTF-8") from error
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error


def column(names: list[str], index: int) -> str:
    """How messages call a column: by its name, or where it has none by its place."""
    return f"column {names[index]!r}" if names[index] else f"column {index} (counted from 0)"


def is_number(cell: str) -> bool:
    """Whether a cell holds a number as NumPy reads it: Python's ``1_000`` and other scripts' digits are none."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def _fault(cell: str, role: Role) -> str:
    """What is wrong with a cell; nothing, if it may stay."""
    if role == "ignored":
        return ""
    if not cell.strip():
        return "the cell is empty"
    if role == "class":
        return ""
    if not is_number(cell):
        return f"{cell!r} is no number"
    return "" if isfinite(float(cell)) else f"{cell!r} is not finite"


def _plausible(field: Array) -> Any:
    """Numbers are finite; texts are not empty, and no quote that was left open ran on over the end of a line."""
    if field.dtype == object:
        return all(cell.strip() and "\n" not in cell and "\r" not in cell for cell in field.flat)
    return np.isfinite(field).all()
