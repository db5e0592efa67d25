"""Writes the history of a run to a file, epoch by epoch."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from nnplug import Callback, NnplugError, Run, hookimpl


@define
class CsvLog(Callback):
    """Writes one line an epoch to a CSV file, as it happens; the columns are those of the first epoch.

    A run that is resumed goes on in the same file. Elsewhere than in the run's own folder, a file that is already
    there is not overwritten.

    Args:
        path: the file; if relative, it is placed in the run's folder, or in the current one where the run has none. In
            the run's folder it is a name that ends in .csv, so that it is none of the run's other files.
    """

    path: Path | str = "history.csv"

    _file: Path = field(init=False, default=Path(), repr=False, eq=False)

    def start(self, run: Run) -> None:
        """Make the file, with the epochs that a resumed run has behind it.

        Raises:
            NnplugError: the file belongs to somebody else, or cannot be written.
        """
        self._file = Path(self.path)  # for messages, until it is known where that is
        with self._telling():
            self._file = ((run.folder or Path()) / Path(self.path).expanduser()).resolve()
            self._claim(run)
        self._write(run, 0)

    def _claim(self, run: Run) -> None:
        """Empty the file, once it is sure that it is ours to empty."""
        folder = None if run.folder is None else run.folder.resolve()
        inside = folder is not None and self._file.is_relative_to(folder)
        if inside and (self._file.parent != folder or self._file.suffix != ".csv"):
            raise self._refusal("is refused: in the run's folder, expected a name that ends in .csv;")
        if self._file.exists() and not self._file.is_file():  # a pipe would be waited for
            raise self._refusal("is no file, but a folder, a pipe or a device;")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            if file.tell() > 0 and not inside and run.step == 0:
                raise self._refusal("holds something already; remove it, or")
            file.truncate(0)

    def epoch(self, run: Run) -> None:
        """Append the epoch that just ended."""
        self._write(run, len(run.history.epochs) - 1)

    def _write(self, run: Run, first: int) -> None:
        """Append the epochs from index ``first`` on, below a header if there is none yet."""
        rows = run.history.epochs
        with self._telling(), self._file.open("a", encoding="utf-8", newline="") as file:
            if rows:
                writer = csv.DictWriter(file, list(rows[0]), extrasaction="ignore")
                if first == 0:
                    writer.writeheader()
                writer.writerows(rows[first:])

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Make an error of ours, with the path, of what the system says; a full disk names none."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:  # a null byte; a home folder that nobody knows
            raise self._refusal(f"cannot be written: {getattr(error, 'strerror', None) or error};") from error

    def _refusal(self, told: str) -> NnplugError:
        return NnplugError(f"csv_log: {self._file} {told} name another file (option 'path')")


@hookimpl
def nnplug_callbacks() -> dict[str, type[Callback]]:
    """Register ``csv_log``."""
    return {"csv_log": CsvLog}
