"""Discovery: which plugins are installed, read from metadata alone; nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from nnplug.hookspecs import KINDS
from nnplug.naming import printable, quote, suggest

if TYPE_CHECKING:
    from importlib.metadata import Distribution

CORE = "nnplug"  # the distribution whose plugins are the built-ins
PRESETS = "nnplug.presets"
NOT_INSTALLED = (
    "nnplug is on the path but not installed, so its plugins cannot be found; run `pip install -e .` in its folder"
)
GROUPS = {kind.group: kind.name for kind in KINDS.values()}
KNOWN = {*GROUPS, PRESETS}


@frozen(order=True)
class Entry:
    """One name that a distribution declares: an entry point, or a class registered in this process."""

    kind: str
    name: str
    distribution: str
    module: str
    version: str = ""
    editable: bool = False
    in_process: bool = False  # registered, not installed

    @property
    def qualified(self) -> str:
        """The name nobody else can claim, ``dist:name``."""
        return f"{self.distribution}:{self.name}"

    @property
    def provenance(self) -> str:
        """Where it comes from, for error messages."""
        version = f" {self.version}" if self.version else ""
        return f"{self.distribution}{version} (module {self.module})"


@frozen
class Broken:
    """A distribution with plugins of nnplug whose metadata is wrong: its folder, and what is the matter."""

    folder: str
    told: str


@frozen
class Found:
    """What is installed: every entry, sorted, and the distributions whose metadata is wrong."""

    entries: tuple[Entry, ...]
    broken: tuple[Broken, ...]


@cache
def normalise(distribution: str) -> str:
    """A distribution's name as pip writes it: ``My_Plugin`` -> ``my-plugin``."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def discover(groups: Mapping[str, str] = GROUPS) -> Found:
    """Every name that installed distributions declare.

    Args:
        groups: entry-point group -> the kind to report its entries as.
    """
    import importlib.metadata

    found: dict[str, list[Entry]] = {}
    broken: dict[str, Broken] = {}
    for distribution in importlib.metadata.distributions():
        try:
            entries, told = _read(distribution, groups)
        except Exception as error:  # a broken neighbour must not keep us from the others
            if not _is_ours(distribution, error):
                continue
            entries, told = [], printable(f"cannot be read: {type(error).__name__}: {error}; reinstall it")
        if told:
            folder = printable(str(getattr(distribution, "_path", "a distribution")))
            broken.setdefault(folder, Broken(folder, told))
        if entries:
            found.setdefault(entries[0].distribution, entries)  # the first on sys.path is the one Python imports
    return Found(tuple(sorted(entry for entries in found.values() for entry in entries)), tuple(broken.values()))


def _is_ours(distribution: Distribution, error: Exception) -> bool:
    """Whether a distribution that cannot be read means to be a plugin of nnplug."""
    if isinstance(error, UnicodeDecodeError) and b"[nnplug." in error.object:
        return True  # it is the list of entry points itself that is no text
    try:
        return "[nnplug." in (distribution.read_text("entry_points.txt") or "")
    except Exception:
        return False


def _read(distribution: Distribution, groups: Mapping[str, str]) -> tuple[list[Entry], str]:
    """A distribution's entries, and what is wrong with their groups, if anything."""
    if "[nnplug." not in (distribution.read_text("entry_points.txt") or ""):
        return [], ""
    given = distribution.metadata.get("Name")  # type: ignore[attr-defined]  # an email.message.Message, which has it
    if not given:
        raise ValueError("its METADATA names no distribution")
    name, version = printable(normalise(given)), printable(distribution.version or "")
    editable = source_folder(distribution) is not None
    points = [point for point in distribution.entry_points if point.group.startswith("nnplug.")]
    entries = [
        Entry(groups[point.group], printable(point.name), name, printable(point.value.strip()), version, editable)
        for point in points
        if point.group in groups
    ]
    unknown = sorted({point.group for point in points} - KNOWN)
    if not unknown:
        return entries, ""
    hint = suggest(unknown[0], KNOWN)
    return entries, f"has entry points in the group {quote(unknown[0])}, which nnplug does not know{hint}"


def source_folder(distribution: Distribution) -> Path | None:
    """Where the sources of an editable install are; None for any other install."""
    import json
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    text = distribution.read_text("direct_url.json")
    record = json.loads(text) if text else {}
    if not record.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(urlsplit(record["url"]).path))
