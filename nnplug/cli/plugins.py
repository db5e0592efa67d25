"""``nnplug plugins``: what is installed."""

from __future__ import annotations

import click

from nnplug.cli.output import say, say_json, table
from nnplug.cli.params import json_option
from nnplug.registry import default_registry
from nnplug.store import Listed

COLUMNS = ("kind", "name", "distribution", "version", "status", "error")


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the installed plugins and what became of them.

    Names come from the metadata of installed distributions; nothing is imported.

    \b
    status:
      available  can be used
      loaded     has been imported
      failed     has been imported, and is broken
      disabled   is switched off
      conflict   shares its name; the error says what to write
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    rows = [_row(listed) for listed in default_registry().listing()]
    if as_json:
        say_json(rows)
        return
    for line in table([COLUMNS, *([row[c] or "" for c in COLUMNS] for row in rows)]):
        say(line)


def _row(listed: Listed) -> dict[str, str | None]:
    entry = listed.entry
    return {
        "kind": entry.kind,
        "name": entry.name,
        "qualified_name": entry.qualified,
        "distribution": entry.distribution,
        "version": entry.version,
        "status": listed.status,
        "error": listed.error or None,
    }
