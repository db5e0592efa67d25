"""Files are written whole or not at all; JSON that every reader takes."""

from __future__ import annotations

import json
import math
import os
import sys

import pytest

from nnplug.files import json_text, write_atomically


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_and_its_folders(tmp_path):
    """Folders on the way are made; nothing else is left behind."""
    path = tmp_path / "runs" / "a" / "model.bin"
    write_atomically(path, b"\x00\r\n\xff")
    assert path.read_bytes() == b"\x00\r\n\xff"
    assert names(path.parent) == ["model.bin"]


def test_an_old_file_is_replaced(tmp_path):
    """By the new content alone, longer or shorter."""
    path = tmp_path / "x"
    for content in (b"long content", b"short", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["x"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    """Here what is written is no bytes; the temporary file is gone."""
    path = tmp_path / "x"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_an_error_names_the_file_that_was_meant(tmp_path):
    """Not the temporary one, of which nobody knows."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError) as caught:
        write_atomically(folder, b"x")
    assert caught.value.filename == str(folder)
    assert names(tmp_path) == ["folder"]


def test_a_file_where_a_folder_is_needed(tmp_path):
    """The file on the way stays what it is."""
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(OSError):
        write_atomically(tmp_path / "x" / "y", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs a folder that may not be written to",
)
def test_a_folder_that_may_not_be_written_to(tmp_path):
    """The error is the system's, with the file's name."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            write_atomically(tmp_path / "x", b"new")
        assert caught.value.filename == str(tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": math.nan, "b": [math.inf, (-math.inf, 1.5)]}, {"a": None, "b": [None, [None, 1.5]]}),
        ({"text": "ä\n", "true": True, "none": None, "n": 3}, {"text": "ä\n", "true": True, "none": None, "n": 3}),
        ([], []),
    ],
)
def test_json_has_no_nan(content, expected):
    """Null stands for what JSON cannot say; every strict reader takes the rest."""

    def refuse(constant):
        raise AssertionError(constant)

    for indent in (None, 1):
        assert json.loads(json_text(content, indent), parse_constant=refuse) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_links_are_followed_and_what_is_no_file_is_refused(tmp_path):
    """A link keeps leading to the file that is written; a pipe is left alone."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        write_atomically(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()
