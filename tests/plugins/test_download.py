"""Downloads, from real servers on this computer that behave as servers do: well, badly or not at all."""

from __future__ import annotations

import _thread
import gzip
import hashlib
import os
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins import _transfer, mnist
from nnplug_builtins._download import fetch
from nnplug_builtins._published import Published

BODY = bytes(range(256)) * 1000
MD5 = "1da708a75e25110b1341d16814feb52d"

PUBLISHED = Published(len(BODY), MD5)

Serve = Callable[..., Any]  # starts a server; see conftest.py


def send(handler: BaseHTTPRequestHandler, body: bytes, length: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def good(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, BODY)


def wrong(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, b"<html>please log in</html>")


def damaged(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, BODY[:-1] + b"!")


def endless(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        handler.wfile.write(BODY)


def busy(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.send_error(503)


def absent(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.send_error(404)


def cut_short(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, BODY[:1000], len(BODY))


def stalled(handler: BaseHTTPRequestHandler, name: str) -> None:
    cut_short(handler, name)
    silent(handler, name)


def dripping_header(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    drip(handler)


def dripping_body(handler: BaseHTTPRequestHandler, name: str) -> None:
    send(handler, b"", len(BODY))
    drip(handler)


def drip(handler: BaseHTTPRequestHandler) -> None:
    while not handler.server.mirror.released.wait(0.05):  # type: ignore[attr-defined]
        handler.wfile.write(b"a")


def redirecting(handler: BaseHTTPRequestHandler, name: str) -> None:
    """To itself, for ever, and in words without end."""
    handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /files/a.bin\r\n\r\n")
    while True:
        handler.wfile.write(BODY)


def redirecting_nowhere(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")


def screaming(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.wfile.write(b"HTTP/1.1 503 \x1b[2J\r\nContent-Length: 0\r\n\r\n")


def silent(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.server.mirror.released.wait(30)  # type: ignore[attr-defined]


def nonsense(handler: BaseHTTPRequestHandler, name: str) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: a lot\r\n\r\n" + BODY)


def mislabelling(handler: BaseHTTPRequestHandler, name: str) -> None:
    """Say that a file is compressed for the transfer alone, whether or not the client wants such a thing."""
    body = gzip.compress(BODY, mtime=0)
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


BAD = {
    wrong: f"wrong file, it has 26 bytes and should have {len(BODY)}",
    damaged: f"wrong file, its MD5 sum is c73034f00d435f1b713466d691fff736 and should be {MD5}",
    endless: "wrong file, it is too long",
    busy: "503 Service Unavailable",
    absent: "404 Not Found",
    screaming: "503 Service Unavailable",
    cut_short: "no connection, or it broke off",
    silent: "nothing came for 1 seconds",
    stalled: "nothing came for 1 seconds",
    dripping_header: "not complete after 3 seconds",
    dripping_body: "not complete after 3 seconds",
    redirecting: "redirects without end",
    redirecting_nowhere: "no sensible answer (InvalidSchema)",
    nonsense: "no sensible answer (ValueError)",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits half a minute for a test."""
    monkeypatch.setattr(_transfer, "TIMEOUT", (5.0, 1.0))
    monkeypatch.setattr(_transfer, "LIMIT", 3.0)


def published(content: bytes) -> Published:
    return Published(len(content), hashlib.md5(content).hexdigest())  # noqa: S324


def message(files: dict[str, Published], folder: Path, mirrors: list[str]) -> str:
    with pytest.raises(DataError) as caught:
        fetch(files, folder, mirrors)
    return str(caught.value)


def test_a_good_mirror_is_enough(tmp_path: Path, serve: Serve) -> None:
    """The folder is made, the file is complete, the second mirror is not asked, and nothing else is left."""
    first, second = serve(good), serve(good)
    folder = tmp_path / "data" / "set"
    fetch({"a.bin": PUBLISHED}, folder, [first.url, second.url])
    assert (folder / "a.bin").read_bytes() == BODY
    assert [path.name for path in folder.iterdir()] == ["a.bin"]
    assert (first.asked, second.asked) == (["a.bin"], [])


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path: Path, serve: Serve) -> None:
    """Others may read a shared data folder, although the download went through a temporary file."""
    fetch({"a.bin": PUBLISHED}, tmp_path, [serve(good).url])
    (tmp_path / "ordinary").touch()
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_file_that_is_there_is_replaced_in_one_step(tmp_path: Path, serve: Serve) -> None:
    """Who has the old file open goes on reading it, and nobody ever sees a part of the new one."""
    (tmp_path / "a.bin").write_bytes(b"old")
    os.link(tmp_path / "a.bin", tmp_path / "link")
    fetch({"a.bin": PUBLISHED}, tmp_path, [serve(good).url])
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert (tmp_path / "link").read_bytes() == b"old"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_mirror_is_passed_over(tmp_path: Path, serve: Serve, bad: Callable[..., None]) -> None:
    """Whatever the first mirror does, the second is asked, and of the first one's answer nothing is left."""
    first, second = serve(bad), serve(good)
    fetch({"a.bin": PUBLISHED}, tmp_path, [first.url, second.url])
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert set(first.asked) == set(second.asked) == {"a.bin"}


def test_a_dead_mirror_is_passed_over(tmp_path: Path, serve: Serve) -> None:
    """Nobody listens at the first address."""
    fetch({"a.bin": PUBLISHED}, tmp_path, [dead_url(), serve(good).url])
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def dead_url() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/files/"


@pytest.mark.usefixtures("impatient")
def test_every_mirror_is_told_when_none_is_good(tmp_path: Path, serve: Serve) -> None:
    """One sentence says what each address answered and what to do; no part of any answer is left."""
    mirrors = {serve(bad).url: problem for bad, problem in BAD.items()} | {dead_url(): "no connection, or it broke off"}
    told = "; ".join(f"{url}a.bin: {problem}" for url, problem in mirrors.items())
    folder = tmp_path / "mnist"
    assert message({"a.bin": PUBLISHED, "b.bin": PUBLISHED}, folder, list(mirrors)) == (
        f"{folder}: a.bin could not be downloaded ({told}): try again later, put a.bin, b.bin there by hand, or "
        "point NNPLUG_DATA_DIR to a folder that has mnist/ with the data; with NNPLUG_OFFLINE=1 no download is tried"
    )
    assert list(folder.iterdir()) == []


def test_what_is_not_wanted_is_not_read(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a body or a redirecting page without end no more is taken than what lies in the network's buffers."""
    sent = 0

    def counting(answer: Callable[..., None]) -> Callable[..., None]:
        def count(handler: BaseHTTPRequestHandler, name: str) -> None:
            write = handler.wfile.write

            def counted(data: bytes) -> int:
                nonlocal sent
                sent += len(data)
                return write(data)

            handler.wfile.write = counted  # type: ignore[method-assign]
            answer(handler, name)

        return count

    for answer, most in ((endless, 20e6), (redirecting, 31 * 20e6)):
        sent = 0
        message({"a.bin": PUBLISHED}, tmp_path, [serve(counting(answer)).url])
        assert sent < most


def test_a_redirect_is_followed(tmp_path: Path, serve: Serve) -> None:
    """To another server, as mirrors do that have moved."""
    mirror = serve(good)

    def moved(handler: BaseHTTPRequestHandler, name: str) -> None:
        handler.send_response(301)
        handler.send_header("Location", f"{mirror.url}{name}")
        handler.end_headers()

    fetch({"a.bin": PUBLISHED}, tmp_path, [serve(moved).url])
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_mirror_that_failed_is_asked_last(tmp_path: Path, serve: Serve) -> None:
    """Who has waited once for a mirror does not wait again for every file."""
    bad, mirror = serve(busy), serve(good)
    fetch({"a.bin": PUBLISHED, "b.bin": PUBLISHED}, tmp_path, [bad.url, mirror.url])
    assert (bad.asked, mirror.asked) == (["a.bin"], ["a.bin", "b.bin"])


def test_files_complete_before_a_failure_stay(tmp_path: Path, serve: Serve) -> None:
    """The second of two files fails; the first need not be downloaded again."""
    mirror = serve(lambda handler, name: good(handler, name) if name == "a.bin" else busy(handler, name))
    assert message({"a.bin": PUBLISHED, "b.bin": PUBLISHED}, tmp_path, [mirror.url]) == (
        f"{tmp_path}: b.bin could not be downloaded ({mirror.url}b.bin: 503 Service Unavailable): "
        f"try again later, put b.bin there by hand, or point NNPLUG_DATA_DIR to a folder that has {tmp_path.name}/ "
        "with the data; with NNPLUG_OFFLINE=1 no download is tried"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_an_interrupt_leaves_no_partial_file(tmp_path: Path, serve: Serve) -> None:
    """Ctrl-C in the middle of a file is passed on, and what had arrived is removed."""

    def interrupting(handler: BaseHTTPRequestHandler, name: str) -> None:
        cut_short(handler, name)
        while not any(tmp_path.iterdir()):
            time.sleep(0.01)
        _thread.interrupt_main()
        silent(handler, name)

    mirror = serve(interrupting)
    with pytest.raises(KeyboardInterrupt):
        fetch({"a.bin": PUBLISHED}, tmp_path, [mirror.url])
    assert list(tmp_path.iterdir()) == []


def test_packed_files_arrive_packed(tmp_path: Path, serve: Serve) -> None:
    """A server would have the client unpack a .gz file on the way; it is taken as it is."""
    packed = gzip.compress(BODY, mtime=0)
    fetch({"a.gz": published(packed)}, tmp_path, [serve(mislabelling).url])
    assert (tmp_path / "a.gz").read_bytes() == packed


def test_a_folder_that_cannot_be_written_is_no_fault_of_a_mirror(tmp_path: Path, serve: Serve) -> None:
    """The disk is named, and no second mirror is tried."""
    (tmp_path / "data").write_text("a file where the folder should be")
    first, second = serve(good), serve(good)
    folder = tmp_path / "data" / "mnist"
    text = message({"a.bin": PUBLISHED}, folder, [first.url, second.url])
    assert text.startswith(f"{folder}: cannot be written: ")
    assert (first.asked, second.asked) == ([], [])


def test_nothing_is_asked_for_offline(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """NNPLUG_OFFLINE forbids it; the message names folder and files and three ways out."""
    mirror = serve(good)
    monkeypatch.setenv("NNPLUG_OFFLINE", "1")
    folder = tmp_path / "mnist"
    assert message({"a.bin": PUBLISHED, "b.bin": PUBLISHED}, folder, [mirror.url]) == (
        f"{folder}: missing a.bin, b.bin, and NNPLUG_OFFLINE forbids to download: put the files there, "
        "point NNPLUG_DATA_DIR to a folder that has mnist/ with the data, or unset NNPLUG_OFFLINE"
    )
    assert mirror.asked == []
    assert not folder.exists()


def test_a_published_file_is_known_by_size_and_sum(tmp_path: Path) -> None:
    """The sum is the one that md5sum prints."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert Published(3, "900150983cd24fb0d6963f7d28e17f72").fault(path) == ""
    assert Published(4, "900150983cd24fb0d6963f7d28e17f72").fault(path) == "it has 3 bytes and should have 4"
    assert Published(3, "0" * 32).fault(path) == (
        f"its MD5 sum is 900150983cd24fb0d6963f7d28e17f72 and should be {'0' * 32}"
    )


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
    stand_ins = {name: (published(packed[name]), published(unpacked[name])) for name in unpacked}
    monkeypatch.setattr(mnist, "FILES", stand_ins)
    return {f"{name}.gz": data for name, data in packed.items()}


def test_mnist_downloads_what_is_missing_and_only_that(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
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
    expected = mnist.FILES["t10k-images-idx3-ubyte"][0 if packed else 1].size
    assert str(caught.value) == (
        f"{other}: not the published file, it has 3 bytes and should have {expected}: "
        "replace it, or remove it to have it downloaded"
    )
    assert other.read_bytes() == b"abc"
