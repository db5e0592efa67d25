"""Presets: configs that come with plugins, runnable by name."""

from __future__ import annotations

import importlib.resources
import tomllib
from typing import Any

from nnplug.discovery import CORE, NOT_INSTALLED, PRESETS, Entry, discover, normalise
from nnplug.errors import PluginError, RegistryError
from nnplug.naming import suggest
from nnplug.switches import Switches


def preset_entries() -> list[Entry]:
    """Every preset that installed distributions declare and the environment does not switch off; imports nothing."""
    switches = Switches.of_environment()
    return [entry for entry in _installed() if switches.allows(entry)]


def _installed() -> tuple[Entry, ...]:
    return discover({PRESETS: "preset"}).entries


def read_preset(name: str) -> dict[str, Any]:
    """The config of a preset, ``name`` or ``dist:name``.

    Raises:
        RegistryError: there is no such preset, two distributions have one, or its file is missing or broken.
    """
    entry = find_preset(name)
    try:
        return tomllib.loads(preset_text(entry))
    except tomllib.TOMLDecodeError as error:
        raise PluginError(f"the preset {name!r} of {entry.provenance} is not valid TOML: {error}") from error


def preset_text(entry: Entry) -> str:
    """The file of a preset as it is.

    Raises:
        PluginError: the file is missing or no text.
    """
    try:
        return importlib.resources.files(entry.module).joinpath(f"{entry.name}.toml").read_text(encoding="utf-8")
    except (Exception, SystemExit) as error:  # the package is imported to find the file, and its code may fail
        raise PluginError(f"the preset {entry.name!r} of {entry.provenance} cannot be read: {error}") from error


def find_preset(name: str) -> Entry:
    """The entry behind a preset's name, ``name`` or ``dist:name``.

    Raises:
        RegistryError: there is no such preset, or two distributions have one and none is preferred.
    """
    distribution, _, bare = name.rpartition(":")
    switches = Switches.of_environment()
    installed = _installed()
    entries = [entry for entry in installed if switches.allows(entry)]
    found = [e for e in entries if e.name == bare and normalise(distribution) in ("", e.distribution)]
    if not any(entry.distribution == CORE for entry in installed):
        raise RegistryError(NOT_INSTALLED)
    if not found:
        names = sorted({entry.name for entry in entries})
        raise RegistryError(
            f"no preset is called {name!r}{suggest(bare, names) or '.'} There are: {', '.join(names) or 'none'}"
        )
    for preferred in (*switches.prefer, CORE):
        chosen = [entry for entry in found if entry.distribution == preferred]
        if chosen:
            return chosen[0]
    if len(found) > 1:
        raise RegistryError(f"several plugins have a preset {name!r}; write {' or '.join(e.qualified for e in found)}")
    return found[0]
