"""Ctrl-C and SIGTERM, held back until the step in progress is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """While entered, the first SIGINT or SIGTERM is only noted; a second one acts at once.

    An interrupt in the middle of an update would leave half of the parameters moved. Outside the main thread, where
    Python delivers no signals, nothing is held back. A signal that is ignored, as a background job of a script ignores
    SIGINT, stays ignored.

    Attributes:
        received: the signal that came, or 0.
    """

    def __init__(self) -> None:
        self.received = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._put_back()

    def _put_back(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)

    def __exit__(self, *exc: object) -> None:
        self._put_back()
