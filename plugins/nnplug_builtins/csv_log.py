"""Writes the history of a run to a file, epoch by epoch."""

from __future__ import annotations

import csv
from pathlib import Path

from attrs import define, field

from nnplug import Callback, NnplugError, Run, hookimpl


@define
class CsvLog(Callback):
    """Writes one line an epoch to a CSV file, as it happens; the columns are those of the first epoch.

    A run that is resumed goes on in the same file. Elsewhere than in the run's own folder, a file that is already
    there is not overwritten.

    Args:
        path: the file; if relative, it is placed in the run's folder, or in the current one where the run has none.
    """

    path: Path | str = "history.csv"

    _file: Path = field(init=False, default=Path(), repr=False, eq=False)

    def start(self, run: Run) -> None:
        """Make the file, with the epochs that a resumed run has behind it.

        Raises:
            NnplugError: the file belongs to somebody else.
        """
        self._file = (run.folder or Path()) / self.path
        self._file.parent.mkdir(parents=True, exist_ok=True)
        ours = run.step > 0 or (run.folder is not None and not Path(self.path).is_absolute())
        with self._file.open("a", encoding="utf-8") as file:
            if file.tell() > 0 and not ours:
                raise NnplugError(
                    f"csv_log: {self._file} holds something already; remove it, or name another file (option 'path')"
                )
            file.truncate(0)
        self._write(run, 0)

    def epoch(self, run: Run) -> None:
        """Append the epoch that just ended."""
        self._write(run, len(run.history.epochs) - 1)

    def _write(self, run: Run, first: int) -> None:
        """Append the epochs from index ``first`` on, below a header if there is none yet."""
        rows = run.history.epochs
        with self._file.open("a", encoding="utf-8", newline="") as file:
            if rows:
                writer = csv.DictWriter(file, list(rows[0]), extrasaction="ignore")
                if first == 0:
                    writer.writeheader()
                writer.writerows(rows[first:])


@hookimpl
def nnplug_callbacks() -> dict[str, type[Callback]]:
    """Register ``csv_log``."""
    return {"csv_log": CsvLog}
