"""Read a table of numbers and texts: NumPy's fast parser, and Python's strict one to tell what it stumbled over."""

from __future__ import annotations

import csv
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, dropwhile, groupby
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from attrs import frozen

from nnplug.errors import DataError
from nnplug.lines import Lines
from nnplug.specs import Array

Role = Literal["x", "y", "class", "ignored"]
NUMBERS = ("x", "y")  # the roles whose cells must be numbers
WIDEST = 1 << 20  # columns


@frozen
class Table:
    """A text file of rows and columns, read when it is asked for: CSV and its relatives, RFC 4180.

    Args:
        path: the file, which is there, in UTF-8, with or without a byte order mark.
        delimiter: the character between cells; a cell that holds it is quoted with ``"``.
        header: whether the first line holds the columns' names.

    Attributes:
        names: the columns' names; empty texts where there is no header. It is a `DataError` if the file cannot be read,
            or its first line is empty or has far too many cells.
    """

    path: Path
    delimiter: str = ","
    header: bool = True

    @cached_property
    def names(self) -> list[str]:
        """The columns' names."""
        with self._open() as lines:
            first = next(self._rows(lines), [])
        if not first:
            raise DataError(f"{self.path}: the first line is empty")
        if len(first) > WIDEST:
            raise DataError(f"{self.path}: has {len(first)} columns; more than {WIDEST} are not read")
        return [name.strip() if self.header else "" for name in first]

    def column(self, index: int) -> str:
        """How messages call a column: by its name, or where it has none by its place."""
        name = self.names[index]
        return f"column {reprlib.repr(name)}" if name else f"column {index} (counted from 0)"

    @staticmethod
    def is_number(cell: str) -> bool:
        """Whether a cell holds a number as NumPy reads it: Python's ``1_000`` and other scripts' digits are none."""
        try:
            float(cell)
        except ValueError:
            return False
        return cell.isascii() and "_" not in cell

    def read(self, roles: Sequence[Role]) -> dict[Role, Array]:
        """Read all rows.

        Args:
            roles: what each column is: ``"x"`` and ``"y"`` hold numbers, ``"class"`` and ``"ignored"`` texts.

        Returns:
            For each role an array (rows, columns), float64 or of texts.

        Raises:
            DataError: a cell that should hold a finite number does not, a row is too long or too short, or there is no
                row at all.
        """
        runs = [(role, len(list(run))) for role, run in groupby(roles)]  # side by side they are read as one field
        dtype = np.dtype([(str(i), float if role in NUMBERS else object, (n,)) for i, (role, n) in enumerate(runs)])
        try:
            with self._open() as lines:
                if self.header:
                    next(self._rows(lines))
                table = np.loadtxt(
                    self._not_empty(lines), dtype, delimiter=self.delimiter, quotechar='"', comments=None, ndmin=1
                )
        except ValueError as error:
            self._explain(roles)
            raise DataError(f"{self.path}: cannot be read: {error}") from error
        found: dict[Role, list[Array]] = {}
        for i, (role, _) in enumerate(runs):
            found.setdefault(role, []).append(table[str(i)])
        if not all(_plausible(field) for fields in found.values() for field in fields):
            self._explain(roles)
        return {role: np.concatenate(fields, axis=1) for role, fields in found.items()}

    def _not_empty(self, lines: Lines) -> Iterator[str]:
        """The lines of the table's body, without the empty ones that it may begin with."""
        body = dropwhile(_is_empty, self._whole_rows(lines))
        first = next(body, None)
        if first is None:
            raise DataError(f"{self.path}: has no rows")
        return chain([first], body)

    def _whole_rows(self, lines: Lines) -> Iterator[str]:
        """The lines; from the first quote on, which may join several to a row, after the strict parser has seen them.

        NumPy's would go on looking for a row's end, and hold in memory all that it passes.
        """
        lines.begin_row()  # the header is done with
        for line in lines:
            if '"' in line:
                break
            yield line
            lines.begin_row()
        else:
            return
        for _ in self._rows(lines, line):
            yield from lines.row

    def _rows(self, lines: Lines, *taken: str) -> Iterator[list[str]]:
        """The cells of each row; ``taken`` is the first line, if it has been read."""
        reader = csv.reader(chain(taken, lines), delimiter=self.delimiter, strict=True)
        try:
            for row in reader:
                yield row
                lines.begin_row()
        except csv.Error as error:
            told = str(error).replace(f"'{self.delimiter}'", repr(self.delimiter))  # which may be a tab
            if told == "unexpected end of data":
                told += f"; a quote is left open in the row that begins at line {lines.number + 1 - len(lines.row)}"
            raise DataError(f"{self.path}: line {lines.number}: {told}") from error

    def _explain(self, roles: Sequence[Role]) -> None:
        """Raise a DataError for the first row that is not as it should be, if there is one."""
        with self._open() as lines:
            rows = self._rows(lines)
            if self.header:
                next(rows)
            for row in rows:
                if row and len(row) != len(roles):
                    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                    raise DataError(f"{self.path}: line {lines.number}: {cells}, expected {len(roles)}")
                for i, (cell, role) in enumerate(zip(row, roles, strict=False)):
                    fault = _fault(cell, role)
                    if fault:
                        raise DataError(
                            f"{self.path}: line {lines.number}, {self.column(i)}: {fault}; "
                            "correct it, remove the row, or leave the column out of training (option ignore)"
                        )

    @contextmanager
    def _open(self) -> Iterator[Lines]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield Lines(file, self.path)
        except UnicodeDecodeError as error:
            fault = f"is not in UTF-8 (byte 0x{error.object[error.start]:02x} is out of place)"
            raise DataError(f"{self.path}: {fault}; save it in UTF-8") from error
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror}") from error


def _fault(cell: str, role: Role) -> str:
    """What is wrong with a cell; nothing, if it may stay."""
    if role == "ignored":
        return ""
    if not cell.strip():
        return "the cell is empty"
    if role == "class":
        return ""
    if not Table.is_number(cell):
        return f"{reprlib.repr(cell)} is no number"
    return "" if isfinite(float(cell)) else f"{reprlib.repr(cell)} is not finite"


def _is_empty(line: str) -> bool:
    """Whether a line holds nothing; one of blanks or tabs holds cells."""
    return not line.strip("\r\n")


def _plausible(field: Array) -> Any:
    """Numbers are finite, texts not empty."""
    if field.dtype == object:
        return all(cell.strip() for cell in field.flat)
    return np.isfinite(field).all()
