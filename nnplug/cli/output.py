"""What commands print. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence, Sized
from contextlib import redirect_stdout
from typing import TextIO

import click

from nnplug.naming import printable

GAP = "  "  # between the columns of a table


def printable_lines(text: str) -> str:
    """`printable` for a text of several lines; tabs stay, too."""
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in text.split("\n"))


def say(text: str = "", *, err: bool = False) -> None:
    """Print a text that is printable already; colours are taken out unless a terminal shows them."""
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


def complain(message: str, kind: str = "error") -> None:
    """Print a message on stderr, each of its lines after ``nnplug: error:``."""
    prefix = click.style(f"nnplug: {kind}:", fg="red" if kind == "error" else "yellow", bold=True)
    for line in message.splitlines():
        say(f"{prefix} {printable(line)}", err=True)


def heading(text: str) -> str:
    """A text that stands out on a terminal."""
    return click.style(text, bold=True)


def table(rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> list[str]:
    """The lines of a table: columns as wide as their widest cell, the first row a heading.

    Args:
        rows: cells, as many in each row.
        right: the columns that are aligned to the right.
    """
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = []
    for row in cells:
        aligned = (c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        lines.append(GAP.join(aligned).rstrip())
    return [heading(lines[0]), *lines[1:]]


def count(things: Sized, noun: str) -> str:
    """How many there are: ``1 step``, ``2 steps``."""
    return f"{len(things):,} {noun}" if len(things) == 1 else f"{len(things):,} {noun}s"


def say_json(content: object) -> None:
    """Print one JSON value on one line."""
    from nnplug.files import json_text

    say(json_text(content))


def results_only() -> redirect_stdout[TextIO]:
    """A context for other people's code: what it prints goes to stderr, so that stdout holds results alone."""
    return redirect_stdout(sys.stderr)
