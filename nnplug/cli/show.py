"""``nnplug show``: what there is to build with."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from typing import Any

import click

from nnplug.cli.describe import option_tables, summary, text, toml
from nnplug.cli.output import GAP, heading, printable_lines, results_only, say, say_json, table
from nnplug.cli.params import json_option
from nnplug.discovery import CORE, Entry
from nnplug.errors import RegistryError
from nnplug.hookspecs import KINDS
from nnplug.naming import printable, suggest
from nnplug.presets import find_preset, preset_entries, preset_text, read_preset
from nnplug.registry import Registry, default_registry

PRESET = "preset"
PLURALS = {kind.name: kind.group.removeprefix("nnplug.") for kind in KINDS.values()} | {PRESET: "presets"}
WIDTH = 100  # text is wrapped here, or earlier on a narrower terminal


@click.command()
@click.argument("kind", required=False)
@click.argument("name", required=False)
@json_option
def command(kind: str | None, name: str | None, as_json: bool) -> None:
    """Show what there is to build with: layers, losses, presets.

    \b
    nnplug show                       the kinds of things, and their names
    nnplug show layers                what each layer does, in a line
    nnplug show layer affine          what it does, its formula and its options
    nnplug show preset digits         a config to start from, as it is
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    registry = default_registry()
    if kind is None:
        _show_kinds(registry, as_json)
        return
    kind = _kind(kind, registry)
    if name is None:
        _show_names(kind, registry, as_json)
    elif kind == PRESET:
        _show_preset(name, as_json)
    else:
        _show_component(kind, name, registry, as_json)


def _kind(given: str, registry: Registry) -> str:
    """A kind by its singular or plural, with underscores or dashes."""
    wanted = given.lower().replace("-", "_")
    for kind, plural in PLURALS.items():
        if wanted in (kind, plural):
            return kind
    kinds = [kind for kind in PLURALS if given in _names(kind, registry)]
    hint = f"; try: nnplug show {kinds[0]} {given}." if kinds else suggest(wanted, [*PLURALS, *PLURALS.values()]) or "."
    raise click.UsageError(f"there is no kind {given!r}{hint} The kinds are: {', '.join(PLURALS)}")


def _names(kind: str, registry: Registry) -> list[str]:
    return sorted({entry.name for entry in preset_entries()}) if kind == PRESET else registry.names(kind)


# All kinds


def _show_kinds(registry: Registry, as_json: bool) -> None:
    found = {kind: _names(kind, registry) for kind in PLURALS}
    if as_json:
        say_json(found)
        return
    width = max(map(len, PLURALS))
    for kind, names in found.items():
        start = f"{kind.ljust(width)}{GAP}{len(names):3}{GAP}"
        lines = _wrap(", ".join(names), indent=len(start))
        say(heading(kind) + start[len(kind) :] + lines.lstrip())
    say("\nnnplug show KIND says what each of them does, nnplug show KIND NAME everything about one.", err=True)


# One kind


def _show_names(kind: str, registry: Registry, as_json: bool) -> None:
    with results_only():
        rows = [_preset_row(e) for e in preset_entries()] if kind == PRESET else _component_rows(kind, registry)
    if as_json:
        say_json({"kind": kind, "names": rows})
        return
    columns = ["name", "description"]
    if any(row["distribution"] not in (CORE, None) for row in rows):
        columns.insert(1, "distribution")
    lines = table([columns, *([_cell(row, column) for column in columns] for row in rows)])
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        say(line if limit is None or len(line) <= limit else line[: limit - 3] + "...")


def _cell(row: dict[str, Any], column: str) -> str:
    if column == "description" and row["error"]:
        return f"cannot be used: {row['error']}"
    return row[column] or ""


def _component_rows(kind: str, registry: Registry) -> list[dict[str, Any]]:
    rows = []
    for name in registry.names(kind):
        entry, description, error = None, None, None
        try:
            entry = registry.find(kind, name)
            description = summary(registry.get(kind, name))
        except RegistryError as problem:
            error = str(problem)
        rows.append({"name": name, **_origin(entry), "description": description, "error": error})
    return rows


def _preset_row(entry: Entry) -> dict[str, Any]:
    description, error = None, None
    try:
        first = preset_text(entry).partition("\n")[0]
        description = first.removeprefix("#").strip() if first.startswith("#") else ""
    except RegistryError as problem:
        error = str(problem)
    return {"name": entry.name, **_origin(entry), "description": description, "error": error}


def _origin(entry: Entry | None) -> dict[str, str | None]:
    """Where a name comes from; unknown where several claim it."""
    return {
        "qualified_name": entry.qualified if entry else None,
        "distribution": entry.distribution if entry else None,
        "version": entry.version if entry else None,
    }


# One name


def _show_preset(name: str, as_json: bool) -> None:
    with results_only():
        entry = find_preset(name)
        config = read_preset(name)
        content = preset_text(entry)
    if as_json:
        say_json({"kind": PRESET, "name": entry.name, **_origin(entry), "config": config})
    else:
        say(printable_lines(content.rstrip("\n")))


def _show_component(kind: str, name: str, registry: Registry, as_json: bool) -> None:
    with results_only():
        entry = registry.find(kind, name)
        cls = registry.get(kind, name)
        description, options = text(cls), option_tables(cls, registry)
    if as_json:
        say_json({"kind": kind, "name": entry.name, **_origin(entry), "description": description, "options": options})
        return
    words, origin = kind.replace("_", " "), printable(f"{entry.distribution} {entry.version}".strip())
    say(f"{heading(entry.name)}: {words} of {origin}")
    say()
    for paragraph in re.split(r"\n\s*\n", description or "It says nothing about itself."):
        laid_out = any(line.startswith((" ", "-", "*")) for line in paragraph.split("\n"))  # formulas and lists
        say(textwrap.indent(printable_lines(paragraph), GAP) if laid_out else _wrap(paragraph, indent=len(GAP)))
        say()
    if not options:
        say("It has no options.")
        return
    rows = [(o["name"], o["type"], "required" if o["required"] else _default(o["default"])) for o in options]
    header, *lines = table([("option", "type", "default"), *rows])
    say(header)
    for line, option in zip(lines, options, strict=True):
        say(line)
        if option["help"]:
            say(_wrap(option["help"], indent=4))


def _default(value: Any) -> str:
    return "none" if value is None else toml(value)


def _wrap(words: str, indent: int) -> str:
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)
    margin = " " * indent
    line = printable(" ".join(words.split()))
    return textwrap.fill(line, max(width, indent + 20), initial_indent=margin, subsequent_indent=margin)
