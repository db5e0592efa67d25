"""Ctrl-C, SIGTERM and SIGHUP: the first is noted, the second acts; afterwards all is as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from nnplug.interrupts import SIGNALS, Interrupts

NUMBERS = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """As in a process that ignores none of them, as `nohup` has SIGHUP ignored; put back, whatever a test does."""
    kept = {number: signal.getsignal(number) for number in NUMBERS}
    for number in NUMBERS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_is_only_noted(number: signal.Signals) -> None:
    """Nothing is raised, and the number can be read."""
    with Interrupts() as interrupts:
        assert interrupts.received == 0
        signal.raise_signal(number)
        assert interrupts.received == number


def test_the_second_ctrl_c_acts_at_once() -> None:
    """Whoever presses twice does not want to wait."""
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupts.received == signal.SIGINT


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_second_signal_of_another_kind_ends_the_process() -> None:
    """Also where both come before Python looks at either."""
    code = """
import signal
from nnplug.interrupts import Interrupts
with Interrupts():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    print("still here", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "", "")


def test_handlers_are_put_back() -> None:
    """After the block, after an error in it, and after a signal, the handlers are those from before."""
    seen: list[int] = []

    def mine(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    signal.signal(signal.SIGTERM, mine)
    before = [signal.getsignal(number) for number in NUMBERS]
    with Interrupts():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before
    with pytest.raises(ZeroDivisionError), Interrupts():
        1 / 0  # noqa: B018
    assert [signal.getsignal(number) for number in NUMBERS] == before
    with Interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert seen == []
    assert [signal.getsignal(number) for number in NUMBERS] == before
    signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    """A background job of a script ignores Ctrl-C, which is meant for what runs in the foreground."""
    signal.signal(number, signal.SIG_IGN)
    with Interrupts() as interrupts:
        signal.raise_signal(number)
        assert interrupts.received == 0
        assert signal.getsignal(number) is signal.SIG_IGN
    assert signal.getsignal(number) is signal.SIG_IGN


def test_blocks_may_be_nested() -> None:
    """Training inside of training: the inner block notes the first signal, the outer one the next."""
    with Interrupts() as outer:
        with Interrupts() as inner:
            signal.raise_signal(signal.SIGINT)
            assert (inner.received, outer.received) == (signal.SIGINT, 0)
        signal.raise_signal(signal.SIGINT)
        assert outer.received == signal.SIGINT


def test_other_threads_hold_nothing_back() -> None:
    """Outside the main thread Python allows no handlers; none is touched, and nothing fails."""
    before = [signal.getsignal(number) for number in NUMBERS]
    found: list[object] = []

    def work() -> None:
        with Interrupts() as interrupts:
            found.extend([signal.getsignal(number) for number in NUMBERS])
            found.append(interrupts.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [*before, 0]
