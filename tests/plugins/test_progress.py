"""Progress: a table of epochs in a log, and a bar below it on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from math import nan
from time import perf_counter

import pytest

from nnplug import History, Run
from nnplug_builtins.progress import Progress

# Drives the callback as a run does: 3 epochs of 20 steps, 10 ms each.
SCRIPT = """
import sys, time
from nnplug import History, Run
from nnplug_builtins.progress import Progress

run = Run(None, History(monitor="validation_accuracy"), total_steps=60, total_epochs=3)
progress = Progress()
progress.start(run)
for epoch in range(1, 4):
    for _ in range(20):
        time.sleep(0.01)
        run.history.record(0.5)
        run.step += 1
        progress.step(run)
    run.epoch = run.history.best_epoch = epoch
    run.history.epochs.append(
        {"epoch": epoch, "step": run.step, "learning_rate": 0.1, "train_seconds": 0.2, "validation_accuracy": 0.9}
    )
    progress.epoch(run)
run.history.stopped = "finished"
progress.stop(run)
print("tqdm" in sys.modules)
"""
TABLE = [
    r"      validation",
    r"epoch   accuracy seconds",
    r"  1/3     0\.9000     \d\.\d",
    r"  2/3     0\.9000     \d\.\d",
    r"  3/3     0\.9000     \d\.\d",
    r"trained for 3 epochs, 60 steps: finished",
    r"best epoch 3: validation_accuracy 0\.9",
]


def assert_lines(lines: list[str], patterns: list[str]) -> None:
    """Each line matches its pattern, and there are no others."""
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), f"{line!r} is not {pattern!r}"


def test_log_gets_a_line_an_epoch() -> None:
    """Where stderr is no terminal there is one line an epoch and how it ended; no bar, and tqdm is not even loaded."""
    before = perf_counter()
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()
    assert_lines(lines, TABLE)
    seconds = sum(float(line.split()[-1]) for line in lines[2:5])
    assert 0.6 - 0.15 < seconds < perf_counter() - before + 0.15  # of three numbers rounded to 0.1
    assert done.stdout == "False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_terminal_gets_a_bar_below_the_table() -> None:
    """On a real pseudo-terminal the bar counts steps, shows the loss, is redrawn ten times a second, and goes away."""
    before = perf_counter()
    shown = on_terminal(SCRIPT, columns=90)
    seconds = perf_counter() - before
    bars = [part for part in re.split(r"[\r\n]+", shown) if "steps/s" in part]
    assert 4 <= len(bars) <= 10 * seconds + 6, bars  # one more with each line of the table
    assert any(re.match(r"epoch 2/3: +\d\d%\|.*\| [2-4]\d/60 \[.* steps/s, loss 0\.5000\]", bar) for bar in bars), bars
    assert max(map(len, bars)) <= 90
    assert_lines(screen(shown), TABLE)


def on_terminal(script: str, columns: int) -> str:
    """What a Python script writes to stderr while that is a terminal of so many columns."""
    import fcntl
    import pty
    import struct
    import termios

    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=terminal) as process:
        os.close(terminal)
        written = b""
        while chunk := read(master):
            written += chunk
    os.close(master)
    assert process.returncode == 0, written
    return written.decode()


def read(master: int) -> bytes:
    """The next bytes from a pseudo-terminal; none at its end, which Linux reports as an error."""
    try:
        return os.read(master, 4096)
    except OSError:
        return b""


def screen(written: str) -> list[str]:
    """The lines that stand on the screen in the end: a carriage return goes back, and what follows overwrites."""
    lines = []
    for line in written.replace("\r\n", "\n").split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return [line for line in lines if line]


def show_epochs(epochs: Iterable[int], *rows: dict[str, float]) -> None:
    """Have the callback write a line for each of these epochs, out of twelve."""
    run = Run(None, History(), total_steps=12, total_epochs=12)
    progress = Progress()
    progress.start(run)
    for epoch, row in zip(epochs, rows, strict=True):
        run.history.epochs.append({"epoch": epoch, "step": epoch, "learning_rate": 0.1, "train_seconds": 0.1, **row})
        progress.epoch(run)


def test_columns_align_whatever_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Tiny, huge, missing and NaN values keep to their columns; so do epochs of one and of two digits."""
    rows = [{"loss": 2.302585, "r2": -1234567.0}, {"loss": 0.000012345, "r2": nan}, {"loss": 0.1}]
    show_epochs((1, 2, 12), *rows)
    assert capsys.readouterr().err.splitlines() == [
        "epoch       loss         r2 seconds",
        " 1/12      2.303 -1.235e+06     0.0",
        " 2/12  1.234e-05        nan     0.0",
        "12/12     0.1000        nan     0.0",
    ]


def test_six_results_fit_an_ordinary_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Heads are broken at underscores and end at the bottom: no row of 80 columns wraps, however small the numbers."""
    names = ("loss", "mean_absolute_error", "r2")
    show_epochs([10], {f"{split}_{name}": -1.234e-5 for split in ("train", "validation") for name in names})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "                      train                       validation",
        "                       mean                             mean",
        "           train   absolute      train validation   absolute validation",
        "epoch       loss      error         r2       loss      error         r2 seconds",
        "10/12 -1.234e-05 -1.234e-05 -1.234e-05 -1.234e-05 -1.234e-05 -1.234e-05     0.0",
    ]
    assert max(map(len, lines)) < 80  # the eightieth is left to the cursor, as the consoles of Windows want it


def test_a_long_word_widens_its_column(capsys: pytest.CaptureFixture[str]) -> None:
    """A word is not broken."""
    show_epochs([1], {"train_misclassification_rate": 0.5})
    assert capsys.readouterr().err.splitlines() == [
        "                  train",
        "      misclassification",
        "epoch              rate seconds",
        " 1/12            0.5000     0.0",
    ]


def test_the_head_is_written_once_where_nothing_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    """A run with ``evaluate = []`` shows how fast it goes."""
    show_epochs((1, 2), {}, {})
    assert capsys.readouterr().err.splitlines() == ["epoch seconds", " 1/12     0.0", " 2/12     0.0"]


@pytest.mark.parametrize(
    ("stopped", "epochs", "steps", "line"),
    [
        ("interrupted", 1, 1, "trained for 1 epoch, 1 step: interrupted"),
        ("failed", 0, 7, "trained for 0 epochs, 7 steps: failed"),
        ("finished", 1200, 1234567, "trained for 1,200 epochs, 1,234,567 steps: finished"),
    ],
)
def test_last_line_says_how_it_ended(
    stopped: str, epochs: int, steps: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """How far training came and why it ended; nothing about a best epoch where none was monitored.

    No seconds either: the command tells those of the whole run, and two numbers for one thing would puzzle.
    """
    run = Run(None, History(stopped=stopped), total_steps=12, total_epochs=12)
    progress = Progress()
    progress.start(run)
    run.epoch, run.step = epochs, steps
    progress.stop(run)
    assert capsys.readouterr().err == f"{line}\n"


def test_a_resumed_run_says_where_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Training that goes on from a checkpoint begins with the step it was at."""
    Progress().start(Run(None, History(), total_steps=12, total_epochs=3, epoch=1, step=7))
    assert capsys.readouterr().err == "going on after step 7 of 12\n"
