"""Read a text file line by line, but no row of a table without end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from nnplug.errors import DataError

LONGEST = 1 << 23  # characters of a row: with more, most likely the file is no table, or a quote is left open


class Lines:
    """The lines of a text file, and those of the row being read, which must not become too long."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self.number = 0
        self.begin_row()

    def begin_row(self) -> None:
        """Forget the lines so far."""
        self.row: list[str] = []
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LONGEST):
            self.number += 1
            self.row.append(line)
            self._length += len(line)
            if self._length >= LONGEST:
                raise DataError(
                    f"{self._path}: line {self.number}: the row has more than {LONGEST} characters; "
                    "is the file a table, and every quote closed?"
                )
            yield line
