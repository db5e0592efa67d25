"""Files are opened without waiting, written whole or not at all; JSON that every reader takes, and takes alike."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys

import pytest

from nnplug.files import json_text, open_to_read, parse_json, replacing, write_atomically


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


# Opening


def test_a_file_is_opened(tmp_path):
    """As it is, through links, too."""
    (tmp_path / "x").write_bytes(b"content")
    with open_to_read(tmp_path / "x") as file:
        assert file.read() == b"content"


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
def test_nobody_waits_for_a_pipe(tmp_path):
    """It may never say anything; nor is a device read that has no end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises(OSError, match="Not a regular file") as caught:
            open_to_read(path)
        assert caught.value.filename == str(path)
    with pytest.raises(OSError, match=r"Is a directory|Permission denied"):
        open_to_read(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_to_read(tmp_path / "nothing")


# Replacing


def test_what_fails_in_the_middle_leaves_the_old_file(tmp_path):
    """Whatever it was that failed; what had been written is gone."""
    (tmp_path / "x").write_bytes(b"old")

    def write():
        with replacing(tmp_path / "x") as file:
            file.write(b"new, in part")
            file.flush()
            assert len(names(tmp_path)) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


TRACED = """
import sys
from pathlib import Path
from nnplug.files import write_atomically
write_atomically(Path(sys.argv[1]), b"content")
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_bytes_and_names_are_forced_to_disk_in_this_order(tmp_path):
    """Written beside the file, forced to disk, renamed, and the folder forced to disk: a power cut loses nothing."""
    log, path = tmp_path / "log", tmp_path / "folder" / "x"
    path.parent.mkdir()
    calls = "trace=write,fsync,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-e", calls, "-o", log, sys.executable, "-c", TRACED, path]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    folder = re.escape(str(path.parent))
    found = [line for line in log.read_text().splitlines() if str(path.parent) in line]
    expected = [
        rf'write\(\d+<{folder}/\.x\.[0-9a-f]{{16}}>, "content", 7\) += 7',
        rf"fsync\(\d+<{folder}/\.x\.[0-9a-f]{{16}}>\) += 0",
        rf'rename\w*\(.*"{folder}/\.x\.[0-9a-f]{{16}}", .*"{folder}/x"',
        rf"fsync\(\d+<{folder}>\) += 0",
    ]
    assert len(found) == len(expected), found
    for line, pattern in zip(found, expected, strict=True):
        assert re.search(pattern, line), line


FULL = """
import sys
from pathlib import Path
from nnplug.files import write_atomically
folder = Path(sys.argv[1])
write_atomically(folder / "x", b"old")
try:
    write_atomically(folder / "x", bytes(200_000))
except OSError as error:
    print(error.strerror, error.filename)
print((folder / "x").read_bytes(), [path.name for path in folder.iterdir()])
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_full_disk(tmp_path):
    """On a disk of 100 KB, which only this process sees: the old file stays, no other does, the error says why."""
    mount = f"mount -t tmpfs -o size=100k tmpfs '{tmp_path}'"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode != 0:
        pytest.skip("may not mount here")
    command = ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", FULL, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"No space left on device {tmp_path / 'x'}", "b'old' ['x']"], done.stderr


# JSON of strangers


def test_json_is_read():
    """All of it."""
    text = '{"a": [1, -2.5e3, true, null, "\\u00e4\\n"], "": {"a": {}}, "n": ' + "9" * 300 + "}"
    assert parse_json(text) == {"a": [1, -2500.0, True, None, "ä\n"], "": {"a": {}}, "n": 10**300 - 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 1}', "says 'a' twice"),
        ('[{"x": {"b": 1, "a": 2, "c": 3, "a": 4}}]', "says 'a' twice"),
        ('{"\\u001b[2J": 1, "\\u001b[2J": 1}', r"says '\x1b[2J' twice"),
        ('{"a": 1, "\\u0061": 2}', "says 'a' twice"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a":' * 100_000, "is nested too deeply"),
        ("1" * 301, "holds a number of 301 digits"),
        ("-" + "1" * 10**6, "holds a number of 1,000,001 digits"),
        ("", "is no valid JSON (Expecting value at character 0)"),
        ("[1,]", "is no valid JSON (Illegal trailing comma before end of array at character 2)"),
        ("{} {}", "is no valid JSON (Extra data at character 3)"),
        ('"\x1b"', "is no valid JSON (Invalid control character at at character 1)"),
    ],
)
def test_json_that_is_refused(text, told):
    """In words of our own, on one line, without what a terminal might obey."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_json(text)
    if "[1,]" in text and sys.version_info < (3, 13):
        told = "is no valid JSON (Expecting value at character 3)"
    assert str(caught.value) == told
