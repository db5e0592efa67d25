"""Runs that are resumed by their folder: what they go on from, what is refused."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from attrs import define

import nnplug
from nnplug import Callback, CheckpointError, ConfigError, NnplugError, Run
from nnplug.checkpoint import checkpoints_in
from nnplug.naming import printable
from nnplug.runfolder import was_killed_while_starting

DIGITS: dict[str, Any] = {
    "data": {"type": "digits"},
    "model": {"layers": [{"type": "affine", "units": 10}]},
    "update": {"type": "adam", "learning_rate": 0.01},
    "train": {"epochs": 2, "batch_size": 128, "validation": 0.1, "checkpoint_steps": 4},
}


@define
class Interrupt(Callback):
    """Presses Ctrl-C after one step."""

    at: int = 0

    def step(self, run: Run) -> None:
        """Press it."""
        if run.step == self.at:
            signal.raise_signal(signal.SIGINT)


def bytes_of(result: nnplug.TrainResult) -> tuple[bytes, list[float]]:
    """Parameters and losses."""
    return result.model.network.buffers.vector.tobytes(), list(result.history.losses)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> nnplug.TrainResult:
    """The run that nobody interrupts."""
    return nnplug.train(DIGITS, out=tmp_path_factory.mktemp("whole"))


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The folder of a run that was interrupted after its ninth step."""
    result = nnplug.train(DIGITS, out=tmp_path / "run", callbacks=[Interrupt(at=9)])
    assert result.history.signal == signal.SIGINT
    assert [path.stem for path in checkpoints_in(result.folder)] == ["step-9", "step-8"]
    return result.folder


def test_an_interrupted_run_goes_on_by_its_folder(stopped: Path, whole: nnplug.TrainResult) -> None:
    """To the same bytes; then its checkpoints are gone."""
    result = nnplug.train(DIGITS, out=stopped, resume=True)
    assert bytes_of(result) == bytes_of(whole)
    assert result.results == whole.results
    assert checkpoints_in(stopped) == []
    assert sorted(path.name for path in stopped.iterdir()) == sorted(path.name for path in whole.folder.iterdir())


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "foreign"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(
    damage: str, stopped: Path, whole: nnplug.TrainResult
) -> None:
    """Whatever happened to the newest."""
    path = checkpoints_in(stopped)[0]
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-100] ^= 1
    path.write_bytes({"cut": content[:-100], "bit": content, "empty": b"", "foreign": b"PK" + content}[damage])
    with pytest.warns(UserWarning, match=r"step-9\.safetensors .*; going on from step-8\.safetensors instead$"):
        result = nnplug.train(DIGITS, out=stopped, resume=True)
    assert bytes_of(result) == bytes_of(whole)


def test_where_no_checkpoint_is_good_nothing_is_lost(stopped: Path) -> None:
    """It is an error, and the files stay."""
    for path in checkpoints_in(stopped):
        path.write_bytes(b"x")
    told = r"step-9\.safetensors .*; .*step-8\.safetensors .*; to begin anew, name a new folder"
    with pytest.raises(CheckpointError, match=told) as caught:
        nnplug.train(DIGITS, out=stopped, resume=True)
    assert caught.value.__notes__ == [f"the model as it was when the run stopped is in {stopped / 'model.safetensors'}"]
    assert len(checkpoints_in(stopped)) == 2


def test_another_config_is_refused_by_its_keys(stopped: Path) -> None:
    """What decides the course may not change; how often checkpoints are written may."""
    with pytest.raises(ConfigError) as caught:
        nnplug.train(DIGITS, changes=["train.epochs=3", "seed=1"], out=stopped, resume=True)
    *differing, advice = str(caught.value).splitlines()
    assert sorted(differing) == [
        f"seed: is 1, but the run in {stopped} began with 0",
        f"train.epochs: is 3, but the run in {stopped} began with 2",
    ]
    assert advice.startswith("only train.checkpoint_seconds, train.checkpoint_steps, train.keep_checkpoints")
    nnplug.train(DIGITS, changes=["train.checkpoint_steps=1"], out=stopped, resume=True)


def test_a_run_that_has_ended_is_given_back(whole: nnplug.TrainResult) -> None:
    """With a warning, and no step."""
    with pytest.warns(UserWarning, match=r"has ended \(finished\); there is nothing to resume$"):
        again = nnplug.train(DIGITS, out=whole.folder, resume=True)
    assert bytes_of(again) == bytes_of(whole)
    assert again.results == whole.results


def test_an_interrupted_run_without_checkpoints_has_not_ended(stopped: Path) -> None:
    """It is told that it cannot go on, and why."""
    for path in checkpoints_in(stopped):
        path.unlink()
    told = r"was cut short \(interrupted by SIGINT\), and its checkpoints are gone; it cannot go on, its model is as"
    with pytest.warns(UserWarning, match=told):
        assert nnplug.train(DIGITS, out=stopped, resume=True).history.signal == signal.SIGINT


@pytest.mark.parametrize("names", [["config.toml"], ["config.toml", ".config.toml.0123456789abcdef"]])
def test_a_run_killed_while_it_started_begins(names: list[str], tmp_path: Path, whole: nnplug.TrainResult) -> None:
    """A folder that was claimed and holds nothing yet is nobody's loss."""
    for name in names:
        (tmp_path / name).touch()
    assert was_killed_while_starting(tmp_path)
    with pytest.warns(UserWarning, match="holds no checkpoint to go on from; training begins at the first step$"):
        assert bytes_of(nnplug.train(DIGITS, out=tmp_path, resume=True)) == bytes_of(whole)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """No run began in it, so none goes on in it."""
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(NnplugError, match="is not empty; name"):
        nnplug.train(DIGITS, out=tmp_path, resume=True)
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("out", ["file/run", "a\0b", "x" * 300])
def test_a_folder_that_cannot_be_made_is_an_error_of_ours(out: str, resume: bool) -> None:
    """It names the folder."""
    Path("file").touch()
    with pytest.raises(NnplugError, match=r"; name another folder for the run$") as caught:
        nnplug.train(DIGITS, out=out, resume=resume)
    assert str(caught.value).startswith(f"{printable(out)}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
@pytest.mark.parametrize("resume", [True, False])
def test_two_processes_never_write_into_one_folder(resume: bool, tmp_path: Path, whole: nnplug.TrainResult) -> None:
    """While a run goes on, resumed or new, another is refused; a run that was killed leaves no lock behind."""
    folder = tmp_path / "run"
    if resume:
        nnplug.train(DIGITS, out=folder, callbacks=[Interrupt(at=9)])
    code = f"""
import time
import nnplug
from nnplug import Callback

class Wait(Callback):
    def epoch(self, run):
        print("waits", flush=True)
        time.sleep(600)

nnplug.train({DIGITS!r}, out={str(folder)!r}, resume={resume}, callbacks=[Wait()])
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "waits\n"
            with pytest.raises(NnplugError, match=r"run is going on in another process; wait for it, or stop it$"):
                nnplug.train(DIGITS, out=folder, resume=True)
        finally:
            other.kill()
    assert bytes_of(nnplug.train(DIGITS, out=folder, resume=True)) == bytes_of(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for files")
def test_a_disk_without_room_for_the_history_keeps_the_model(tmp_path: Path) -> None:
    """The history of many steps is larger than a small model, which is written first; the error says where it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.getsignal(signal.SIGXFSZ)

    @define
    class FullDisk(Callback):
        """Lets no file grow beyond the size of the model when training has ended."""

        def stop(self, run: Run) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))

    try:
        with pytest.raises(OSError, match=r"File too large: .*history\.json") as caught:
            nnplug.train(DIGITS, changes=["train.epochs=50"], out=tmp_path / "run", callbacks=[FullDisk()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    model = tmp_path / "run" / "model.safetensors"
    missing = "history.json and result.json are missing"
    assert caught.value.__notes__[0] == f"the model is kept in {model} and can be used; {missing}"
    x, y = nnplug.load_data("digits").test
    assert nnplug.load(model).evaluate(x, y)["accuracy"] > 0.9


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for files")
def test_a_disk_that_is_full_costs_a_checkpoint_and_no_training(tmp_path: Path, whole: nnplug.TrainResult) -> None:
    """The earlier checkpoint stays good, no half file stays, the message says what happened, training goes on."""
    kept: dict[str, Any] = {}

    @define
    class FullDisk(Callback):
        """Lets no file grow beyond a few bytes for a while, as a full disk does."""

        def step(self, run: Run) -> None:
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            if run.step == 5:
                kept["limit"] = soft
                kept["handler"] = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            if run.step == 9:
                resource.setrlimit(resource.RLIMIT_FSIZE, (kept["limit"], hard))
                signal.signal(signal.SIGXFSZ, kept["handler"])
                folder = tmp_path / "run" / "checkpoints"
                kept["names"] = sorted(path.name for path in folder.iterdir())

    told = r"no checkpoint can be written to .*checkpoints: File too large; training goes on, the last one is step-4"
    with pytest.warns(UserWarning, match=told):
        result = nnplug.train(DIGITS, out=tmp_path / "run", callbacks=[FullDisk()])
    assert kept["names"] == ["step-4.safetensors"]
    assert bytes_of(result) == bytes_of(whole)


@pytest.mark.parametrize("steps", [4, 1000])
def test_a_checkpoint_that_cannot_be_removed_ends_no_training(
    steps: int, stopped: Path, whole: nnplug.TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when there is a newer one nor when the run is done; the warning names it, and nothing is left to do."""
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "step-8.safetensors":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    told = r"checkpoints.step-8\.safetensors cannot be removed: Permission denied; it is not needed any more, remove it"
    with pytest.warns(UserWarning, match=told):
        result = nnplug.train(DIGITS, changes=[f"train.checkpoint_steps={steps}"], out=stopped, resume=True)
    assert bytes_of(result) == bytes_of(whole)
    assert result.results == whole.results
    assert [path.stem for path in checkpoints_in(stopped)] == ["step-8"]
    assert result.how_to_go_on == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "nothing"])
@pytest.mark.parametrize("name", ["result.json", "history.json"])
def test_an_ended_run_is_not_trained_over(name: str, kind: str, tmp_path: Path, whole: nnplug.TrainResult) -> None:
    """Whatever stands for its files now is refused at once, and the model stays."""
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    (folder / name).unlink()
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero" if kind == "device" else "nowhere")
    model = (folder / "model.safetensors").stat().st_ino  # a file that is written is another one
    with (
        pytest.warns(UserWarning, match="has ended") if name == "result.json" else nullcontext(),
        pytest.raises(NnplugError, match=rf"{name} cannot be read: (Not a regular|No such) file.*; put it back"),
    ):
        nnplug.train(DIGITS, out=folder, resume=True)
    assert (folder / "model.safetensors").stat().st_ino == model
