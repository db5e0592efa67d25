"""Presets: configs that come with plugins, runnable by name."""

from __future__ import annotations

import importlib.resources
import tomllib
from typing import Any

from nnplug.errors import RegistryError
from nnplug.options import suggest
from nnplug.plugins import CORE, PRESETS, Entry, discover, normalise


def preset_entries() -> list[Entry]:
    """Every preset that installed distributions declare; nothing is imported."""
    return discover({PRESETS: "preset"})


def read_preset(name: str) -> dict[str, Any]:
    """The config of a preset, ``name`` or ``dist:name``.

    Raises:
        RegistryError: there is no such preset, two distributions have one, or its file is missing.
    """
    entry = _find(name)
    try:
        file = importlib.resources.files(entry.module).joinpath(f"{entry.name}.toml")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ImportError, OSError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"the preset {name!r} of {entry.provenance} cannot be read: {error}") from error


def _find(name: str) -> Entry:
    distribution, _, bare = name.rpartition(":")
    entries = preset_entries()
    found = [e for e in entries if e.name == bare and distribution in ("", e.distribution, normalise(e.distribution))]
    if not found:
        names = [entry.name for entry in entries]
        raise RegistryError(
            f"there is no file and no preset {name!r}{suggest(bare, names) or '.'} The presets are: {', '.join(names)}"
        )
    built_in = [entry for entry in found if entry.distribution == CORE]
    if len(found) > 1 and not built_in:
        raise RegistryError(f"several plugins have a preset {name!r}; write {' or '.join(e.qualified for e in found)}")
    return (built_in or found)[0]
