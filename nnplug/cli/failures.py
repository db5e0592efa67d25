"""From an exception to a message on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress
from typing import TextIO

import click

from nnplug.cli.output import complain, printable_lines, say

FAILED, USAGE, DIVERGED, INTERRUPTED = 1, 2, 3, 130
GONE = errno.EINVAL if os.name == "nt" else errno.EPIPE  # what a pipe that nobody reads from says


def report(error: BaseException) -> int:
    """Tell the user what went wrong and return the exit code."""
    if isinstance(error, click.Abort) and error.__cause__ is not None:
        error = error.__cause__  # click's word for an interrupt
    if isinstance(error, KeyboardInterrupt | click.Abort):
        say("nnplug: interrupted", err=True)
        _say_notes(error)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return _refuse(error)
    if isinstance(error, OSError):
        code = _lament(error)
        _say_notes(error)
        return code
    if isinstance(error, MemoryError):
        complain(f"not enough memory: {error}".removesuffix(": "))
        return FAILED
    return _explain(error)


def _say_notes(error: BaseException) -> None:
    """What was noted on the error's way up, such as how to go on; stderr may be what is broken."""
    with suppress(OSError):
        for note in getattr(error, "__notes__", ()):
            say(f"nnplug: {printable_lines(note)}", err=True)


def _refuse(error: click.ClickException) -> int:
    """A command line that click does not understand."""
    complain(error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        say(f"See `{context.command_path} --help`.", err=True)
    return error.exit_code


def _lament(error: OSError) -> int:
    """A file or a stream that cannot be read or written; a reader who left early (`| head`) is no news."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        complain(f"{os.fsdecode(error.filename)}: {reason}")
        return FAILED
    with suppress(OSError):  # stderr may be what is broken
        if error.errno != GONE:
            complain(f"the standard output: {reason}" if _is_lost(sys.stdout) else reason)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # what is left in it would fail once more when Python exits, with words of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return FAILED


def _is_lost(stream: TextIO) -> bool:
    """Whether what was printed there cannot be written."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def _explain(error: BaseException) -> int:
    """An error of ours, which says what is wrong; or a bug, whose traceback does."""
    from nnplug.errors import ConfigError, DivergedError, NnplugError, PluginError, RegistryError, ShapeError

    if not isinstance(error, NnplugError):
        say(printable_lines("".join(traceback.format_exception(error)).rstrip()), err=True)
        complain(f"{type(error).__name__}: {error}. {_whose_bug(error)}")
        return FAILED
    complain("\n".join([str(error), *getattr(error, "__notes__", ())]))
    if isinstance(error, DivergedError):
        return DIVERGED
    if isinstance(error, ConfigError | ShapeError | RegistryError) and not isinstance(error, PluginError):
        return USAGE
    return FAILED


def _whose_bug(error: BaseException) -> str:
    """Which component was at work when something unexpected happened: the innermost one on the stack.

    It is the first argument of its methods, whatever they call it. Where that is a chain, the layer in turn gave it
    something that it can do nothing with.
    """
    from nnplug.chain import Chain
    from nnplug.hookspecs import KINDS
    from nnplug.registry import default_registry

    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        component = next(iter(frame.f_locals.values()), None)
        if isinstance(component, Chain):
            component = frame.f_locals.get("layer")
        kind = next((kind for kind in KINDS.values() if isinstance(component, kind.contract)), None)
        if kind is not None and not isinstance(component, Chain):
            cls = type(component)
            name = getattr(component, "name", None) or cls.__name__
            entries = [listed.entry for listed in default_registry().listing()]
            where = next((e.provenance for e in entries if e.module == cls.__module__), f"module {cls.__module__}")
            return f"This is a bug in the {kind.name.replace('_', ' ')} {name!r} of {where}"
    return "This is a bug in nnplug or in a plugin; the lines above show where"
