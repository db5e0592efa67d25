"""The CSV log: what it writes, when, where, and what it will not overwrite."""

from __future__ import annotations

import os
import sys
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
    """With a run folder, ``history.csv`` stands beside the run's other files."""
    for path in ("history.csv", "../run/mine.csv", str(tmp_path / "run" / "absolute.csv")):
        log, run = CsvLog(path), new_run(tmp_path / "run")
        for _ in range(2):  # a file that is there is the run's own
            log.start(run)
        end_epoch(log, run, FIRST)
        assert text(tmp_path / "run" / Path(path).name) == HEADER + LINES[0]


def test_folders_are_made(tmp_path: Path) -> None:
    """Outside the run's folder, where a path may lead through folders that are not there yet."""
    CsvLog("../logs/mine.csv").start(new_run(tmp_path / "run"))
    assert (tmp_path / "logs" / "mine.csv").is_file()
    assert not (tmp_path / "run").exists()


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
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link.csv").symlink_to(path)
    inside = new_run(tmp_path / "run")
    for given, run in ((path, new_run()), (path, inside), ("../precious.csv", inside), ("link.csv", inside)):
        with pytest.raises(NnplugError) as caught:
            CsvLog(given).start(run)
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
    path = tmp_path / "file" / "log.csv"
    with pytest.raises(NnplugError, match=rf"^csv_log: {path} cannot be written: .*; name another file"):
        CsvLog(path).start(new_run())


@pytest.mark.parametrize(
    "path",
    [
        *("config.toml", "model.safetensors", "history.json", "result.json", "checkpoints", "", "new.txt"),
        *("checkpoints/step-8.safetensors", "model.safetensors/log.csv", "../run/config.toml", "link.csv"),
    ],
)
def test_the_runs_other_files_are_left_alone(path: str, tmp_path: Path) -> None:
    """In the run's folder the log is a name that ends in .csv, and never anything that the run itself writes."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.toml").write_text("all of it")
    (folder / "link.csv").symlink_to("config.toml")
    for given in (path, folder / path):
        with pytest.raises(NnplugError) as caught:
            CsvLog(given).start(new_run(folder))
        assert str(caught.value) == (
            f"csv_log: {(folder / path).resolve()} is refused: in the run's folder, expected a name that ends in .csv; "
            "name another file (option 'path')"
        )
    assert sorted(folder.iterdir()) == [folder / "config.toml", folder / "link.csv"]
    assert (folder / "config.toml").read_text() == "all of it"


def test_the_home_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is no folder in the run's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    CsvLog("~/log.csv").start(new_run(tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("path", ["a\0b.csv", "~nobody-of-that-name/x.csv", "x" * 300 + ".csv", "round/x.csv"])
def test_what_is_no_path_is_told(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before training, with the path."""
    monkeypatch.chdir(tmp_path)
    Path("round").symlink_to("round")
    with pytest.raises(NnplugError, match=r" cannot be written: .*; name another file \(option 'path'\)$") as caught:
        CsvLog(path).start(new_run())
    assert path in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and devices")
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Nobody waits for a pipe, and nothing is written to a device."""
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (str(tmp_path / "pipe.csv"), "/dev/null", str(tmp_path)):
        with pytest.raises(NnplugError) as caught:
            CsvLog(path).start(new_run())
        assert str(caught.value) == (
            f"csv_log: {path} is no file, but a folder, a pipe or a device; name another file (option 'path')"
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    """The system does not say which file it could not write."""
    log, run = CsvLog(tmp_path / "log.csv"), new_run()
    log.start(run)
    log._file.unlink()
    log._file.symlink_to("/dev/full")
    with pytest.raises(NnplugError, match=r"^csv_log: .*log\.csv cannot be written: No space left on device; "):
        end_epoch(log, run, FIRST)
