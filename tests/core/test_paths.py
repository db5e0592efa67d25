"""Where data lives, and that what lives there is a file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

import nnplug
from nnplug import DataError


def message(path: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        nnplug.data_file(path)
    return str(caught.value)


def test_a_file_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a link to one; ``~`` is expanded."""
    (tmp_path / "x").touch()
    (tmp_path / "link").symlink_to("x")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert nnplug.data_file("x") == Path("x")
    assert nnplug.data_file(tmp_path / "link") == tmp_path / "link"
    assert nnplug.data_file("~/x") == tmp_path / "x"


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A folder, and what is a folder on the way to nothing."""
    (tmp_path / "x").touch()
    (tmp_path / "lost").symlink_to("nowhere")
    assert message(tmp_path) == f"{tmp_path}: is a folder, not a file"
    for nothing in ("none", "x/none", "lost"):
        assert message(nothing) == f"{nothing}: no such file; the current folder is {tmp_path}"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes and no device files")
def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    """One would wait for ever, or read for ever."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket")
        for path in (tmp_path / "pipe", Path("socket"), Path("/dev/zero")):
            assert message(path) == f"{path}: is a pipe or a device, not a file"


def test_paths_that_are_none() -> None:
    """NUL is in no name, and nobody is called that."""
    assert message("a\0b").startswith(r"'a\x00b' is no path: ")
    assert message("x" * 5000).endswith(": cannot be read: File name too long")
    assert message("~no-such-user/x") == "~no-such-user/x: nobody's home folder is known by that name"


def test_a_data_folder_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """NNPLUG_DATA_DIR is looked at in the same way."""
    monkeypatch.setenv("NNPLUG_DATA_DIR", "~no-such-user/data")
    with pytest.raises(DataError, match="~no-such-user/data: nobody's home folder is known by that name"):
        nnplug.data_dir()
