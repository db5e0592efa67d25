"""Ctrl-C, SIGTERM and a terminal that closes, held back until the step in progress is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one, for a terminal that was closed, is unknown to Windows


class Interrupts:
    """While entered, the first SIGINT, SIGTERM or SIGHUP is only noted; a second one acts at once.

    An interrupt in the middle of an update would leave half of the parameters moved. Outside the main thread, where
    Python delivers no signals, nothing is held back. A signal that is ignored, as a background job of a script ignores
    SIGINT and `nohup` has SIGHUP ignored, stays ignored.

    Attributes:
        received: the signal that came, or 0.
    """

    def __init__(self) -> None:
        self.received = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: a handler that is not Python's
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous[number]
        if not self.received:
            self.received = number
        elif callable(previous):
            previous(number, frame)
        else:  # what the system does with it, which ends the process
            signal.signal(number, previous)
            signal.raise_signal(number)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
