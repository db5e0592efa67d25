"""The CSV log: what it writes, when, where, and what it will not overwrite."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnplug import History, NnplugError, Run
from nnplug_builtins.csv_log import CsvLog

FIRST = {"epoch": 1, "step": 10, "train_loss": 0.1 + 0.2}
SECOND = {"epoch": 2, "step": 20, "train_loss": 1e-9}
HEADER = "epoch,step,train_loss\n"
LINES = ["1,10,0.30000000000000004\n", "2,20,1e-09\n"]


def new_run(folder: Path | None = None) -> Run:
    """A run that has not begun."""
    return Run(None, History(), total_steps=20, total_epochs=2, folder=folder)


def end_epoch(log: CsvLog, run: Run, row: dict[str, float]) -> None:
    """One epoch ends, and the log hears of it."""
    run.history.epochs.append(row)
    run.epoch += 1
    run.step += 10
    log.epoch(run)


def text(path: Path) -> str:
    """What a spreadsheet would read; csv ends its lines with CR LF."""
    return path.read_bytes().decode().replace("\r\n", "\n")


def test_writes_each_epoch_as_it_happens(tmp_path: Path) -> None:
    """A header and a line are there while the run goes on; numbers keep every digit."""
    log, run = CsvLog(tmp_path / "log.csv"), new_run()
    log.start(run)
    end_epoch(log, run, FIRST)
    assert text(tmp_path / "log.csv") == HEADER + LINES[0]
    end_epoch(log, run, SECOND)
    assert text(tmp_path / "log.csv") == HEADER + LINES[0] + LINES[1]


def test_columns_are_those_of_the_first_epoch(tmp_path: Path) -> None:
    """A value that comes late has no column, one that is missing leaves its cell empty: the table stays a table."""
    log, run = CsvLog(tmp_path / "log.csv"), new_run()
    log.start(run)
    end_epoch(log, run, FIRST)
    end_epoch(log, run, {"epoch": 2, "train_loss": 0.5, "test_loss": 0.7})
    assert text(tmp_path / "log.csv") == HEADER + LINES[0] + "2,,0.5\n"


def test_relative_path_is_in_the_run_folder(tmp_path: Path) -> None:
    """With a run folder, ``history.csv`` stands beside the run's other files; subfolders are made."""
    for path in ("history.csv", "logs/mine.csv"):
        log, run = CsvLog(path), new_run(tmp_path / "run")
        log.start(run)
        end_epoch(log, run, FIRST)
        assert text(tmp_path / "run" / path) == HEADER + LINES[0]


def test_relative_path_without_a_run_folder_is_in_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that keeps no files logs into the current folder."""
    monkeypatch.chdir(tmp_path)
    log, run = CsvLog(), new_run()
    log.start(run)
    end_epoch(log, run, FIRST)
    assert text(tmp_path / "history.csv") == HEADER + LINES[0]


def test_somebody_elses_file_is_not_overwritten(tmp_path: Path) -> None:
    """A new run does not touch a file outside its folder that holds something; the error names it."""
    path = tmp_path / "precious.csv"
    path.write_text("years of work\n", encoding="utf-8")
    for run in (new_run(), new_run(tmp_path / "run")):
        with pytest.raises(NnplugError) as caught:
            CsvLog(path).start(run)
        assert str(caught.value) == (
            f"csv_log: {path} holds something already; remove it, or name another file (option 'path')"
        )
        assert text(path) == "years of work\n"


def test_the_runs_own_file_is_written_anew(tmp_path: Path) -> None:
    """In the run's folder, what a run left behind that died before its first checkpoint is replaced."""
    (tmp_path / "history.csv").write_text(HEADER + "1,10,0.9\n", encoding="utf-8")
    log, run = CsvLog(), new_run(tmp_path)
    log.start(run)
    end_epoch(log, run, FIRST)
    assert text(tmp_path / "history.csv") == HEADER + LINES[0]


def test_resumed_run_goes_on_in_its_file(tmp_path: Path) -> None:
    """Resumed after the first epoch, the file holds each epoch once, though the second had been written before."""
    path = tmp_path / "log.csv"
    path.write_text(HEADER + LINES[0] + "2,20,0.123\n", encoding="utf-8")
    log, run = CsvLog(path), new_run()
    run.step, run.epoch = 10, 1
    run.history.epochs.append(FIRST)
    log.start(run)
    assert text(path) == HEADER + LINES[0]
    end_epoch(log, run, SECOND)
    assert text(path) == HEADER + LINES[0] + LINES[1]


def test_folder_that_cannot_be_written_to_is_found_before_training(tmp_path: Path) -> None:
    """A path below a file fails at the start, not after the first epoch."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        CsvLog(tmp_path / "file" / "log.csv").start(new_run())
