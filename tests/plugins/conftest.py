"""What the tests of downloads share: real servers on this computer, which behave as servers do: well, badly or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

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
                try:
                    answer(self, name)
                except ConnectionError:
                    self.close_connection = True  # the client has had enough

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
    """Start servers; they stop with the test."""
    monkeypatch.delenv("NNPLUG_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mirrors: list[Mirror] = []

    def start(answer: Answer) -> Mirror:
        mirrors.append(Mirror(answer))
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()
