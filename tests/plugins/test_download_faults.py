"""Downloads with other processes, on disks and in folders as they are: full, forbidden, shared; each fault is real."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins._download import fetch
from nnplug_builtins._published import Published

BODY = bytes(range(256)) * 1000
PUBLISHED = Published(len(BODY), "1da708a75e25110b1341d16814feb52d")

Serve = Callable[..., Any]  # starts a server; see conftest.py

posix = pytest.mark.skipif(os.name == "nt", reason="needs signals, users and limits as POSIX has them")


def slowly(handler: BaseHTTPRequestHandler, body: bytes, pieces: int = 20) -> None:
    """Send a body in pieces with pauses, so that it is half there for a while."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for start in range(0, len(body), len(body) // pieces + 1):
        handler.wfile.write(body[start : start + len(body) // pieces + 1])
        if handler.server.mirror.released.wait(0.02):  # type: ignore[attr-defined]
            return


def good(handler: BaseHTTPRequestHandler, name: str) -> None:
    slowly(handler, BODY, pieces=1)


FETCH = f"""
import os, sys
from pathlib import Path
import pooch, requests
from nnplug import DataError
from nnplug_builtins._download import fetch
from nnplug_builtins._published import Published
{{before}}
try:
    fetch({{{{"a.bin": Published({PUBLISHED.size}, "{PUBLISHED.md5}")}}}}, Path(sys.argv[2]), [sys.argv[1]])
except DataError as error:
    print(error)
"""


def fetching(url: str, folder: Path | str, before: str = "", prefix: tuple[str, ...] = ()) -> str:
    """What a process says that downloads one file, after some other code."""
    command = [*prefix, sys.executable, "-W", "error", "-c", FETCH.format(before=before), url, str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


ADVICE = "mend that, or point NNPLUG_DATA_DIR to a folder that can be"


@posix
def test_no_room_for_a_file(tmp_path: Path, serve: Serve) -> None:
    """The disk is named and no other mirror asked; what was written is removed."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    assert fetching(serve(good).url, tmp_path, limit) == f"{tmp_path}: cannot be written: File too large; {ADVICE}"
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_full_disk(tmp_path: Path, serve: Serve) -> None:
    """A file system with room for less than the file, which only this process sees."""
    mount = f"mount -t tmpfs -o size=64k none '{tmp_path}'"
    prefix = ("unshare", "--mount", "--map-root-user", "sh", "-c", f"{mount} && \"$@\" && ls -A '{tmp_path}'", "sh")
    try:
        if subprocess.run([*prefix, "true"], capture_output=True).returncode:
            pytest.skip("this system does not let us mount a small file system")
    except FileNotFoundError:
        pytest.skip("this system has no unshare")
    told = fetching(serve(good).url, tmp_path, prefix=prefix)
    assert told == f"{tmp_path}: cannot be written: No space left on device; {ADVICE}"  # and ls lists nothing


# Root may write anywhere, so it becomes nobody. Paths are relative: nobody may pass the folders above this one.
AS_NOBODY = "os.chdir({folder!r})\nif os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)"


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder that somebody else may come to; what he may do there is up to the test."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


@posix
def test_a_folder_that_cannot_be_written(serve: Serve, shared: Path) -> None:
    """It is told before anything is asked for, whether the folder is there or would have to be made."""
    mirror = serve(good)
    before = AS_NOBODY.format(folder=str(shared.parent))
    shared.chmod(0o555)
    for folder in ("data", "data/mnist"):
        told = fetching(mirror.url, folder, before)
        assert told == f"{folder}: cannot be written: Permission denied; {ADVICE}"
    assert mirror.asked == []
    assert list(shared.iterdir()) == []
    shared.chmod(0o777)  # it was the permission indeed
    assert fetching(mirror.url, "data/mnist", before) == ""


@posix
def test_a_file_that_somebody_else_has_put_there(serve: Serve, shared: Path) -> None:
    """In a shared folder one cannot replace it; it is the published one, so there is no need."""
    if os.getuid():
        pytest.skip("only root can be two users")
    shared.chmod(0o1777)

    def overtaken(handler: BaseHTTPRequestHandler, name: str) -> None:
        (shared / "a.bin").write_bytes(content)
        good(handler, name)

    for content, problem in ((BODY, ""), (BODY[1:], f"data: cannot be written: Operation not permitted; {ADVICE}")):
        (shared / "a.bin").unlink(missing_ok=True)
        assert fetching(serve(overtaken).url, "data", AS_NOBODY.format(folder=str(shared.parent))) == problem
        assert {path.name: path.read_bytes() for path in shared.iterdir()} == {"a.bin": content}


def test_a_file_that_has_come_in_the_meantime(tmp_path: Path, serve: Serve) -> None:
    """It is not downloaded again; another one of that name is replaced."""
    mirror = serve(good)
    (tmp_path / "a.bin").write_bytes(BODY)
    fetch({"a.bin": PUBLISHED}, tmp_path, [mirror.url])
    assert mirror.asked == []
    (tmp_path / "a.bin").write_bytes(BODY[1:])
    fetch({"a.bin": PUBLISHED}, tmp_path, [mirror.url])
    assert (tmp_path / "a.bin").read_bytes() == BODY


@posix
def test_a_killed_download(tmp_path: Path, serve: Serve) -> None:
    """Nobody takes what it leaves for the file; a download of the file some time later removes it."""
    mirror = serve(lambda handler, name: slowly(handler, BODY, pieces=1000))
    command = [sys.executable, "-c", FETCH.format(before=""), mirror.url, str(tmp_path)]
    with subprocess.Popen(command) as process:
        while not [path for path in tmp_path.iterdir() if path.stat().st_size]:
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert 0 < left.stat().st_size < len(BODY)
    mirror = serve(good)
    fetch({"a.bin": PUBLISHED}, tmp_path, [mirror.url])
    assert left.exists()  # it might have been a live one's
    long_ago = time.time() - 1000
    os.utime(left, (long_ago, long_ago))
    (tmp_path / "a.bin").unlink()
    fetch({"a.bin": PUBLISHED}, tmp_path, [mirror.url])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.bin": BODY}


# Sixteen processes that load MNIST


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


LOAD = """
import sys
from nnplug_builtins import mnist
from nnplug_builtins._published import Published
mnist.MIRRORS = (sys.argv[1],)
mnist.FILES = {name: (Published(size, md5), None) for name, (size, md5) in eval(sys.argv[2]).items()}
data = mnist.Mnist().load()
print(sum(int(array.sum()) for split in (data.train, data.test) for array in split))
"""


def test_sixteen_processes_at_once(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets the data, whoever downloaded them, and at no time is there a file that is not whole."""
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (2000, 28, 28), np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 2000, np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (500, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 500, np.uint8),
    }
    packed = {f"{name}.gz": gzip.compress(idx(array), 1) for name, array in arrays.items()}
    files = {
        name.removesuffix(".gz"): (len(data), hashlib.md5(data).hexdigest())  # noqa: S324
        for name, data in packed.items()
    }
    mirror = serve(lambda handler, name: slowly(handler, packed[name]))
    monkeypatch.setenv("NNPLUG_DATA_DIR", str(tmp_path))
    command = [sys.executable, "-W", "error", "-c", LOAD, mirror.url, repr(files)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(16)]
    seen = 0
    while any(process.poll() is None for process in processes):
        for name, data in packed.items():
            path = tmp_path / "mnist" / name
            if path.exists():
                assert path.read_bytes() == data
                seen += 1
        time.sleep(0.01)
    expected = str(sum(int(array.sum()) for array in arrays.values()))
    assert [process.communicate()[0].decode().strip() for process in processes] == 16 * [expected]
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted(packed)
    assert seen > 4
    assert len(mirror.asked) > 4  # they did it at the same time


def test_data_folders_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands where a data file should be is named, and not opened."""
    from nnplug_builtins.mnist import FILES, Mnist

    monkeypatch.setenv("NNPLUG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NNPLUG_OFFLINE", "1")
    for name in FILES:
        (tmp_path / "mnist" / f"{name}.gz").mkdir(parents=True)
    first = tmp_path / "mnist" / f"{next(iter(FILES))}.gz"
    with pytest.raises(DataError) as caught:
        Mnist().load()
    assert str(caught.value) == f"{first}: is a folder, not a file"
    if hasattr(os, "mkfifo"):
        first.rmdir()
        os.mkfifo(first)
        with pytest.raises(DataError) as caught:
            Mnist().load()
        assert str(caught.value) == f"{first}: is a pipe or a device, not a file"
