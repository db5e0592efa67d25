"""Downloads, from real servers on this computer that behave as servers do: well, badly or not at all."""

from __future__ import annotations

import _thread
import contextlib
import gzip
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins import _download, mnist
from nnplug_builtins._download import fetch, md5_sum

BODY = bytes(range(256)) * 1000
MD5 = "1da708a75e25110b1341d16814feb52d"

Answer = Callable[[BaseHTTPRequestHandler, str], None]


class Mirror:
    """A server whose every answer is the given function's; it remembers which files were asked for."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()  # lets an answer hang until the test is over
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/files/")
                mirror.asked.append(name)
                answer(self, name)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.mirror = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/files/"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Mirror]]:
    monkeypatch.delenv("NNPLUG_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mirrors: list[Mirror] = []

    def start(answer: Answer) -> Mirror:
        mirrors.append(Mirror(answer))
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()


def send(handler: BaseHTTPRequestHandler, body: bytes, length: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def good(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, BODY)


def wrong(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, b"<html>please log in</html>")


def busy(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.send_error(503)


def absent(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.send_error(404)


def cut_short(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, BODY[:1000], len(BODY))


def silent(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.server.mirror.released.wait(30)  # type: ignore[attr-defined]


def nonsense(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: a lot\r\n\r\n" + BODY)


def unpacking(handler: BaseHTTPRequestHandler, name: str) -> None:
    """Say that a file is compressed for the transfer alone, unless the client wants it as it is."""
    body = gzip.compress(BODY)
    handler.send_response(200)
    if handler.headers["Accept-Encoding"] != "identity":
        handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def message(files: dict[str, str], folder: Path, mirrors: list[str]) -> str:
    with pytest.raises(DataError) as caught:
        fetch(files, folder, mirrors)
    return str(caught.value)


def test_a_good_mirror_is_enough(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """The folder is made, the file is complete, the second mirror is not asked, and nothing else is left."""
    first, second = serve(good), serve(good)
    folder = tmp_path / "data" / "set"
    fetch({"a.bin": MD5}, folder, [first.url, second.url])
    assert (folder / "a.bin").read_bytes() == BODY
    assert [path.name for path in folder.iterdir()] == ["a.bin"]
    assert (first.asked, second.asked) == (["a.bin"], [])


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """Others may read a shared data folder, although the download went through a temporary file."""
    fetch({"a.bin": MD5}, tmp_path, [serve(good).url])
    (tmp_path / "ordinary").touch()
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_file_that_is_there_is_replaced_in_one_step(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """Who has the old file open goes on reading it, and nobody ever sees a part of the new one."""
    (tmp_path / "a.bin").write_bytes(b"old")
    os.link(tmp_path / "a.bin", tmp_path / "link")
    fetch({"a.bin": MD5}, tmp_path, [serve(good).url])
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert (tmp_path / "link").read_bytes() == b"old"


@pytest.mark.parametrize("bad", [wrong, busy, absent, cut_short, silent, nonsense])
def test_a_bad_mirror_is_passed_over(
    tmp_path: Path, serve: Callable[[Answer], Mirror], monkeypatch: pytest.MonkeyPatch, bad: Answer
) -> None:
    """Whatever the first mirror does, the second is asked, and of the first one's answer nothing is left."""
    monkeypatch.setattr(_download, "TIMEOUT", (5.0, 0.2))
    first, second = serve(bad), serve(good)
    fetch({"a.bin": MD5}, tmp_path, [first.url, second.url])
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (first.asked, second.asked) == (["a.bin"], ["a.bin"])


def test_a_dead_mirror_is_passed_over(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """Nobody listens at the first address."""
    fetch({"a.bin": MD5}, tmp_path, [dead_url(), serve(good).url])
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def dead_url() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/files/"


def test_every_mirror_is_told_when_none_is_good(
    tmp_path: Path, serve: Callable[[Answer], Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says what each address answered and what to do; no part of any answer is left."""
    monkeypatch.setattr(_download, "TIMEOUT", (5.0, 0.2))
    urls = [dead_url(), *(serve(bad).url for bad in (wrong, busy, absent, cut_short, silent))]
    assert message({"a.bin": MD5}, tmp_path, urls) == (
        f"{tmp_path}: a.bin could not be downloaded ("
        f"{urls[0]}a.bin: ConnectionError; "
        f"{urls[1]}a.bin: wrong file, its MD5 sum is ddca5812edd042a836c9954213ce33cb and should be {MD5}; "
        f"{urls[2]}a.bin: 503 Service Unavailable; "
        f"{urls[3]}a.bin: 404 Not Found; "
        f"{urls[4]}a.bin: ChunkedEncodingError; "
        f"{urls[5]}a.bin: ReadTimeout"
        "): try again later, or put the file there yourself"
    )
    assert list(tmp_path.iterdir()) == []


def test_files_complete_before_a_failure_stay(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """The second of two files fails; the first need not be downloaded again."""
    mirror = serve(lambda handler, name: good(handler, name) if name == "a.bin" else busy(handler, name))
    assert message({"a.bin": MD5, "b.bin": MD5}, tmp_path, [mirror.url]) == (
        f"{tmp_path}: b.bin could not be downloaded ({mirror.url}b.bin: 503 Service Unavailable): "
        "try again later, or put the file there yourself"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_an_interrupt_leaves_no_partial_file(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """Ctrl-C in the middle of a file is passed on, and what had arrived is removed."""

    def interrupting(handler: BaseHTTPRequestHandler, name: str) -> None:
        send(handler, BODY, 10 * len(BODY))
        while not any(tmp_path.iterdir()):
            time.sleep(0.01)
        _thread.interrupt_main()
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(9 * BODY)

    mirror = serve(interrupting)
    with pytest.raises(KeyboardInterrupt):
        fetch({"a.bin": MD5}, tmp_path, [mirror.url])
    assert list(tmp_path.iterdir()) == []


def test_packed_files_arrive_packed(tmp_path: Path, serve: Callable[[Answer], Mirror]) -> None:
    """A server that would have the client unpack a .gz file on the way is asked not to."""
    fetch({"a.gz": hashlib.md5(gzip.compress(BODY)).hexdigest()}, tmp_path, [serve(unpacking).url])  # noqa: S324
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == BODY


def test_a_folder_that_cannot_be_written_is_no_fault_of_a_mirror(
    tmp_path: Path, serve: Callable[[Answer], Mirror]
) -> None:
    """The disk is named, and no second mirror is tried."""
    (tmp_path / "data").write_text("a file where the folder should be")
    first, second = serve(good), serve(good)
    folder = tmp_path / "data" / "mnist"
    text = message({"a.bin": MD5}, folder, [first.url, second.url])
    assert text.startswith(f"{folder}: cannot be written: ")
    assert (first.asked, second.asked) == ([], [])


def test_nothing_is_asked_for_offline(
    tmp_path: Path, serve: Callable[[Answer], Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NNPLUG_OFFLINE forbids it; the message names folder and files and three ways out."""
    mirror = serve(good)
    monkeypatch.setenv("NNPLUG_OFFLINE", "1")
    folder = tmp_path / "mnist"
    assert message({"a.bin": MD5, "b.bin": MD5}, folder, [mirror.url]) == (
        f"{folder}: missing a.bin, b.bin, and NNPLUG_OFFLINE forbids to download: put the files there, "
        "point NNPLUG_DATA_DIR to a folder that has mnist/ with the data, or unset NNPLUG_OFFLINE"
    )
    assert mirror.asked == []
    assert not folder.exists()


def test_md5_sum(tmp_path: Path) -> None:
    """The sum of a file as md5sum prints it."""
    (tmp_path / "a").write_bytes(b"abc")
    assert md5_sum(tmp_path / "a") == "900150983cd24fb0d6963f7d28e17f72"


# MNIST, end to end, with four small files instead of the published ones


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small stand-ins for the four files, packed, by name; their sums stand in for the published ones."""
    rng = np.random.default_rng(0)
    unpacked = {
        "train-images-idx3-ubyte": idx(rng.integers(0, 256, (6, 28, 28), np.uint8)),
        "train-labels-idx1-ubyte": idx(np.array([5, 0, 4, 1, 9, 2], np.uint8)),
        "t10k-images-idx3-ubyte": idx(rng.integers(0, 256, (2, 28, 28), np.uint8)),
        "t10k-labels-idx1-ubyte": idx(np.array([7, 2], np.uint8)),
    }
    packed = {name: gzip.compress(data) for name, data in unpacked.items()}
    sums = {
        name: (hashlib.md5(packed[name]).hexdigest(), hashlib.md5(unpacked[name]).hexdigest())  # noqa: S324
        for name in unpacked
    }
    monkeypatch.setattr(mnist, "SUMS", sums)
    return {f"{name}.gz": data for name, data in packed.items()}


def test_mnist_downloads_what_is_missing_and_only_that(
    tmp_path: Path, serve: Callable[[Answer], Mirror], monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    """One file is there unpacked; the first load fetches the other three, the second load none."""
    bad, mirror = serve(busy), serve(lambda handler, name: send(handler, files[name]))
    monkeypatch.setattr(mnist, "MIRRORS", (bad.url, mirror.url))
    monkeypatch.setenv("NNPLUG_DATA_DIR", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    name = "t10k-labels-idx1-ubyte"
    (tmp_path / "mnist" / name).write_bytes(gzip.decompress(files[f"{name}.gz"]))
    data = mnist.Mnist().load()
    assert data.train[1].tolist() == [5, 0, 4, 1, 9, 2]
    assert data.test[1].tolist() == [7, 2]
    assert sorted(mirror.asked) == sorted(set(files) - {f"{name}.gz"})
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted([*mirror.asked, name])
    mnist.Mnist().load()
    assert len(mirror.asked) == 3


def test_mnist_offline_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    """All missing files at once, the folder, and what to do."""
    monkeypatch.setenv("NNPLUG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NNPLUG_OFFLINE", "1")
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(files["train-images-idx3-ubyte.gz"])
    with pytest.raises(DataError) as caught:
        mnist.Mnist().load()
    assert str(caught.value) == (
        f"{folder}: missing train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz, and "
        "NNPLUG_OFFLINE forbids to download: put the files there, point NNPLUG_DATA_DIR to a folder that has "
        "mnist/ with the data, or unset NNPLUG_OFFLINE"
    )


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_refuses_another_file_and_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], packed: bool
) -> None:
    """A file of the right name and a wrong sum may be the user's own: named, not removed, not replaced."""
    monkeypatch.setenv("NNPLUG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NNPLUG_OFFLINE", "1")
    (tmp_path / "mnist").mkdir()
    for name, data in files.items():
        (tmp_path / "mnist" / name).write_bytes(data)
    other = tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not packed:
        other.unlink()
        other = other.with_suffix("")
    other.write_bytes(b"abc")
    with pytest.raises(DataError) as caught:
        mnist.Mnist().load()
    expected = mnist.SUMS["t10k-images-idx3-ubyte"][0 if packed else 1]
    assert str(caught.value) == (
        f"{other}: not the published file, its MD5 sum is 900150983cd24fb0d6963f7d28e17f72 and should be {expected}: "
        "replace it, or remove it to have it downloaded"
    )
    assert other.read_bytes() == b"abc"
