"""Shows how training goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import zip_longest
from time import perf_counter
from typing import Any

from attrs import define, field

from nnplug import Callback, Run, hookimpl

REFRESH_SECONDS = 0.1
RECENT_STEPS = 100
NARROWEST = len("-1.234e-05")  # column of results
BOOKKEEPING = ("epoch", "step", "learning_rate", "train_seconds")  # columns of the history that are no results


class _Stderr:
    """stderr until a write fails; from then on it takes everything and shows nothing."""

    def __init__(self) -> None:
        self._lost = False

    def write(self, text: str) -> None:
        self._try(sys.stderr.write, text)

    def flush(self) -> None:
        self._try(sys.stderr.flush)

    def _try(self, act: Callable[..., object], *given: str) -> None:
        if not self._lost:
            try:
                act(*given)
            except OSError:
                self._lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@define
class Progress(Callback):
    """Writes a line for each epoch to stderr, as a table; on a terminal, a bar below it counts the steps.

    The bar shows the mean loss of the last hundred batches. Seconds are those that passed since the line before,
    evaluation included.

    When stderr cannot be written to any more, because who read it has left or its disk is full, nothing more is shown,
    and training goes on.
    """

    _out: _Stderr = field(init=False, factory=_Stderr, repr=False, eq=False)
    _bar: Any = field(init=False, default=None, repr=False, eq=False)
    _widths: dict[str, int] = field(init=False, factory=dict, repr=False, eq=False)  # of the columns, by name
    _line_at: float = field(init=False, default=0.0, repr=False, eq=False)
    _bar_at: float = field(init=False, default=0.0, repr=False, eq=False)

    def start(self, run: Run) -> None:
        """Open the bar if somebody can see it."""
        self._line_at = perf_counter()
        self._out, self._bar, self._widths = _Stderr(), None, {}
        if run.step > 0:
            self._say(f"going on after step {run.step} of {run.total_steps}")
        if self._out.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                initial=run.step,
                total=run.total_steps,
                desc=f"epoch {run.epoch + 1}/{run.total_epochs}",
                unit=" steps",
                file=self._out,
                dynamic_ncols=True,
                leave=False,
                mininterval=0,  # `step` sees to that
            )

    def step(self, run: Run) -> None:
        """Move the bar, ten times a second at most."""
        if self._bar is None:
            return
        now = perf_counter()
        if now - self._bar_at < REFRESH_SECONDS:
            return
        self._bar_at = now
        recent = run.history.losses[-RECENT_STEPS:]
        if len(recent):
            self._bar.set_postfix_str(f"loss {recent.mean():#.4g}", refresh=False)
        self._bar.set_description_str(f"epoch {min(run.epoch + 1, run.total_epochs)}/{run.total_epochs}", refresh=False)
        self._bar.update(run.step - self._bar.n)

    def epoch(self, run: Run) -> None:
        """Write the line of the epoch that just ended, below a header if it is the first."""
        row = run.history.epochs[-1]
        if not self._widths:
            results = {name: max(NARROWEST, _widest(name)) for name in row if name not in BOOKKEEPING}
            epoch = max(_widest("epoch"), 2 * len(str(run.total_epochs)) + 1)
            self._widths = {"epoch": epoch, **results, "seconds": _widest("seconds")}
            self._say(self._head())
        now = perf_counter()
        cells = {name: f"{value:#.4g}" for name, value in row.items()}
        cells |= {"epoch": f"{int(row['epoch'])}/{run.total_epochs}", "seconds": f"{now - self._line_at:.1f}"}
        self._say(self._line(cells.get(name, "nan") for name in self._widths))
        self._line_at = now

    def stop(self, run: Run) -> None:
        """Take the bar away and say how it ended."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._say(f"trained for {_count(run.epoch, 'epoch')}, {_count(run.step, 'step')}: {run.history.stopped}")
        best = run.history.best_epoch
        if run.monitor and best:
            self._say(f"best epoch {best}: {run.monitor} {run.history.column(run.monitor)[best - 1]:.4g}")

    def _head(self) -> str:
        """The names of the columns, broken at underscores so that the table fits a terminal; all end at the bottom."""
        upwards = zip_longest(*(reversed(name.split("_")) for name in self._widths), fillvalue="")
        return "\n".join(reversed([self._line(words) for words in upwards]))

    def _line(self, cells: Iterable[str]) -> str:
        """Cells over or below one another; one blank between them lets six results fit 80 columns."""
        widths = self._widths.values()
        return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()

    def _say(self, line: str) -> None:
        """Write a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(line, file=self._out)
        else:
            self._out.write(line + "\n")
            self._out.flush()


def _widest(name: str) -> int:
    return max(map(len, name.split("_")))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@hookimpl
def nnplug_callbacks() -> dict[str, type[Callback]]:
    """Register ``progress``."""
    return {"progress": Progress}
