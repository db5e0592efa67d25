"""Take a file from one address, in bounded time, and no more than the file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import responses
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from requests import Response

TIMEOUT = (10.0, 30.0)  # seconds to connect, and without a byte arriving
LIMIT = 600.0  # seconds for everything, however steadily it drips


def transfer(url: str, file: BinaryIO, size: int) -> str:
    """Write what an address serves to ``file``, ``size`` bytes at most.

    Returns:
        What is wrong with the address, in a few words; nothing, if it served something.

    Raises:
        OSError: the file cannot be written.
    """
    body = _Body(file, size)
    error = _within(LIMIT, lambda: _get(url, body))
    if body.error is not None:
        raise body.error
    return "" if error is None else _reason(error)


def _get(url: str, body: _Body) -> None:
    import pooch

    with ExitStack() as answers:

        def take_as_sent(response: Response, **_: Any) -> None:
            answers.callback(response.close)
            if response.is_redirect:
                response.close()  # requests would read this page to its end, into memory
            response.raw.headers.pop("Content-Encoding", None)  # of a .gz file some servers say so: it stays packed

        pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            chunk_size=1 << 16,
            timeout=TIMEOUT,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": take_as_sent},
        )(url, body, None)


class _Body:
    """The file to write to, as pooch sees it: no longer than it may be, and it remembers what went wrong with it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self.error: OSError | None = None  # apart from the errors of the network, which are OSErrors, too

    def write(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise _TooLongError
        try:
            self._file.write(chunk)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Leave that to whom the file belongs."""


class _TooLongError(ValueError):
    """A server sends more than the file has."""


def _within(seconds: float, work: Callable[[], None]) -> Exception | None:
    """Do some work and return what it raised; a TimeoutError, if it has to be left to itself.

    The time-outs of sockets are for single bytes, and nothing ends a server's sending one now and then. So the work is
    done in a thread of its own, which does not keep Python from exiting.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    while thread.is_alive():
        if time.monotonic() > end:
            return TimeoutError()
        thread.join(0.1)  # not for long at a time: on Windows it holds up Ctrl-C
    return raised[0] if raised else None


def _reason(error: Exception) -> str:
    """What went wrong, in our words: those of requests fill a screen, those of a server may do worse to it."""
    from requests import exceptions as kinds
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    if not isinstance(error, OSError | ValueError | HTTPError):
        raise error  # requests' errors are OSErrors; others are a mistake of ours
    if isinstance(error.__context__, ReadTimeoutError):
        return f"nothing came for {TIMEOUT[1]:g} seconds"
    if isinstance(error, kinds.HTTPError) and error.response is not None:
        code = error.response.status_code
        return f"{code} {responses.get(code, '')}".rstrip()
    told = {
        TimeoutError: f"not complete after {LIMIT:g} seconds",
        _TooLongError: "wrong file, it is too long",
        kinds.TooManyRedirects: "redirects without end",
        kinds.ConnectTimeout: f"no connection after {TIMEOUT[0]:g} seconds",
        kinds.SSLError: "no connection that can be trusted",
        kinds.ProxyError: "no connection by way of the proxy",
        kinds.ConnectionError: "no connection, or it broke off",
        kinds.ChunkedEncodingError: "no connection, or it broke off",
    }
    known = (text for kind, text in told.items() if issubclass(type(error), kind))
    return next(known, f"no sensible answer ({type(error).__name__})")
