"""``nnplug plugins``: what is installed, and what is wrong with it."""

from __future__ import annotations

import click
from attrs import asdict

from nnplug.cli.failures import FAILED
from nnplug.cli.output import say, say_json, table
from nnplug.cli.params import json_option
from nnplug.registry import default_registry
from nnplug.store import Listed

COLUMNS = ("kind", "name", "distribution", "version", "status", "error")
LONGEST = 86_400  # seconds; the system waits for no process longer than some weeks


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the installed plugins and what became of them.

    Names come from the metadata of installed distributions; nothing is imported.

    \b
    status:
      available  can be used
      loaded     has been imported
      failed     is broken
      disabled   is switched off
      conflict   shares its name; the error says what to write
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    if ctx.invoked_subcommand is not None:
        return
    rows = [_row(listed) for listed in default_registry().listing()]
    if as_json:
        say_json(rows)
        return
    for row in rows:
        row["version"] = f"{row['version']} (editable)" if row["editable"] else row["version"]
    for line in table([COLUMNS, *([row[c] or "" for c in COLUMNS] for row in rows)]):
        say(line)


def _check_seconds(ctx: click.Context, parameter: click.Parameter, seconds: float) -> float:
    if not 0 < seconds <= LONGEST:  # click.FloatRange would admit NaN
        raise click.BadParameter(f"expected a finite number above 0, at most {LONGEST:,} (a day), got {seconds:g}")
    return seconds


@command.command()
@click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    callback=_check_seconds,
    help="Seconds that each plugin may take to import.",
)
@json_option
def doctor(timeout: float, as_json: bool) -> int:
    """Try every plugin in a process of its own and say what is wrong.

    A plugin that crashes the interpreter, hangs or takes long to import is told like any other that is broken; so is
    an editable install whose entry points have changed. The exit code is 1 if a plugin cannot be used.
    """
    from nnplug.doctor import examine_plugins

    found = examine_plugins(default_registry(), timeout)
    if as_json:
        say_json([asdict(diagnosis) for diagnosis in found])
    else:
        rows = [
            (d.distribution, d.version, d.module, d.status, "" if d.seconds is None else f"{d.seconds:.2f} s", d.advice)
            for d in found
        ]
        for line in table([("distribution", "version", "module", "status", "import", "advice"), *rows]):
            say(line)
    return FAILED if any(d.status in ("failed", "stale") for d in found) else 0


def _row(listed: Listed) -> dict[str, str | float | bool | None]:
    entry = listed.entry
    return {
        "kind": entry.kind,
        "name": entry.name,
        "qualified_name": entry.qualified,
        "distribution": entry.distribution,
        "version": entry.version,
        "editable": entry.editable,
        "status": listed.status,
        "error": listed.error or None,
        "import_seconds": listed.seconds,
    }
