"""The doctor: every installed plugin is tried in a process of its own, and its installation looked at."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from nnplug.discovery import CORE, GROUPS, Entry, source_folder
from nnplug.probe import Outcome, probe
from nnplug.registry import Registry
from nnplug.store import Store, remedy

SLOW = 1.0  # seconds of import that everybody who uses the plugin waits for


@frozen
class Diagnosis:
    """What the doctor found in one module of a plugin.

    Args:
        distribution: who installed it.
        version: its version.
        module: the module.
        names: what it provides, as ``kind name``.
        status: ``ok``, ``slow``, ``stale``, ``conflict``, ``disabled`` or ``failed``.
        seconds: how long its import took; None if it was not tried or did not end.
        advice: what is wrong and what to do; empty if nothing is.
    """

    distribution: str
    version: str
    module: str
    names: tuple[str, ...]
    status: str
    seconds: float | None
    advice: str


def examine_plugins(registry: Registry, timeout: float) -> list[Diagnosis]:
    """Try every module of every installed plugin; none can crash or hang the caller.

    The built-ins are part of nnplug and are tried here; a process for each of them would take most of the time.

    Args:
        registry: what is installed, and which of it is switched off.
        timeout: how many seconds each may take.
    """
    modules: dict[tuple[str, str], list[Entry]] = {}
    status: dict[Entry, str] = {}
    unread = []
    for line in registry.listing():
        status[line.entry] = line.status
        if line.entry.module:
            modules.setdefault((line.entry.distribution, line.entry.module), []).append(line.entry)
        else:
            unread.append(Diagnosis(line.entry.distribution, "", "", (), "failed", None, line.error))

    built_in = Store(installed=True)

    def examine(entries: list[Entry]) -> Diagnosis:
        first, outcome = entries[0], None
        if any(status[entry] != "disabled" for entry in entries) and not first.in_process:
            if first.distribution == CORE:
                outcome = Outcome(*built_in.try_module(first.module, CORE))
            else:
                outcome = probe(first.module, first.distribution, timeout)
        return _diagnose(entries, outcome, status)

    with ThreadPoolExecutor(max_workers=2) as pool:
        return [*pool.map(examine, modules.values()), *unread]


def _diagnose(entries: list[Entry], outcome: Outcome | None, status: dict[Entry, str]) -> Diagnosis:
    first = entries[0]
    verdict, advice = "ok", ""
    if outcome is None:
        verdict = "disabled"
    elif stale := _stale(first.distribution):
        verdict, advice = "stale", stale
    elif outcome.error:
        verdict, advice = "failed", f"{outcome.error}; {remedy(first.distribution)}"
    elif any(status[entry] == "conflict" for entry in entries):
        verdict, advice = "conflict", f"write {' or '.join(entry.qualified for entry in entries)}"
    elif outcome.seconds is not None and outcome.seconds > SLOW:
        verdict, advice = "slow", "everybody who names it waits for its import; it should import heavy things when used"
    names = tuple(f"{entry.kind} {entry.name}" for entry in entries)
    seconds = outcome.seconds if outcome else None
    return Diagnosis(first.distribution, first.version, first.module, names, verdict, seconds, advice)


def _stale(distribution: str) -> str:
    """How the metadata of an editable install differs from its pyproject.toml; empty if it does not."""
    from importlib.metadata import distribution as installed

    try:
        metadata = installed(distribution)
        folder = source_folder(metadata)
        if folder is None:
            return ""
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (LookupError, OSError, ValueError):
        return ""
    written = {
        (group, name, value)
        for group, points in project.get("entry-points", {}).items()
        for name, value in points.items()
        if group in GROUPS
    }
    known = {(point.group, point.name, point.value) for point in metadata.entry_points if point.group in GROUPS}
    if written == known:
        return ""
    names = ", ".join(sorted({name for _, name, _ in written ^ known}))
    return f'pyproject.toml has other entry points than were installed ({names}); run `pip install -e "{folder}"`'
