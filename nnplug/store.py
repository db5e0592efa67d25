"""The store behind a registry: what is installed, and what has been loaded of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from time import perf_counter
from weakref import WeakSet

import attrs

from nnplug.discovery import CORE, NOT_INSTALLED, Broken, Entry, discover
from nnplug.errors import PluginError, RegistryError
from nnplug.plugins import Loader


def remedy(distribution: str) -> str:
    """What to do about a plugin that is broken."""
    return f"update or uninstall {distribution}, or switch it off with NNPLUG_DISABLE={distribution}"


@attrs.frozen
class Listed:
    """A line of the list of plugins: an entry, what became of it, why, and how long its import took."""

    entry: Entry
    status: str
    error: str = ""
    seconds: float | None = None


class Store:
    """What is installed and what has been loaded of it; shared by every view of one registry."""

    def __init__(self, installed: bool) -> None:
        self.lock = threading.RLock()
        self.installed = installed
        self.loader = Loader()
        self.classes: dict[Entry, type] = {}
        self._former: dict[Entry, WeakSet[type]] = {}  # what a cell of a notebook that is run again has replaced
        self.failures: dict[Entry, PluginError] = {}
        self.seconds: dict[str, float] = {}
        self.broken: tuple[Broken, ...] = ()
        self._entries: list[Entry] | None = None

    @property
    def entries(self) -> list[Entry]:
        """Every entry, read from metadata the first time.

        Raises:
            RegistryError: nnplug itself is not installed.
        """
        with self.lock:
            if self._entries is None:
                found: list[Entry] = []
                if self.installed:
                    discovered = discover()
                    found, self.broken = list(discovered.entries), discovered.broken
                    if not any(entry.distribution == CORE for entry in found):
                        raise RegistryError(NOT_INSTALLED)
                self._entries = found
            return self._entries

    def load(self, entry: Entry) -> type:
        """The class of an entry; imports its module the first time."""
        with self.lock:
            if entry not in self.classes and entry not in self.failures:
                self._load_module(entry.module, entry.distribution)
            if entry in self.failures:
                cause = self.failures[entry]
                raise PluginError(
                    f"the {entry.kind} {entry.name!r} of {entry.provenance} cannot be used: {cause}; "
                    + remedy(entry.distribution)
                ) from (cause.__cause__ or cause)
            return self.classes[entry]

    def try_module(self, module: str, distribution: str) -> tuple[str, float | None]:
        """Load a module; ``(why it cannot be used, how long it took)``."""
        with self.lock:
            self._load_module(module, distribution)
        failed = [error for entry, error in self.failures.items() if entry.module == module]
        return (str(failed[0]) if failed else "", self.seconds.get(module))

    def new_name(self, entry: Entry) -> str | None:
        """What a loaded entry is called now, if its name is an old one."""
        return self.loader.renamed.get(f"{entry.distribution}:{entry.module}", {}).get(entry.name)

    def _load_module(self, module: str, distribution: str) -> None:
        entries = [e for e in self.entries if (e.module, e.distribution) == (module, distribution)]
        declared: dict[str, set[str]] = {}
        for entry in entries:
            declared.setdefault(entry.kind, set()).add(entry.name)
        started = perf_counter()
        try:
            found = self.loader.load(module, distribution, declared)
        except PluginError as error:
            self.failures.update(dict.fromkeys(entries, error))
        else:
            self.seconds[module] = perf_counter() - started
            self.classes.update({entry: found[entry.kind][entry.name] for entry in entries})

    def provides(self, entry: Entry, cls: type) -> bool:
        """Whether an entry leads, or once led, to ``cls``; looked up where one package, imported already, has both."""
        with self.lock:
            related = _package(entry.module) == _package(cls.__module__)
            if related and entry not in self.classes and entry not in self.failures:
                self._load_module(entry.module, entry.distribution)
            return self.classes.get(entry) is cls or cls in self._former.get(entry, ())

    def add(self, classes: Mapping[Entry, type]) -> None:
        """Register classes of this process; the same entry again replaces its class."""
        with self.lock:
            self.entries.extend(entry for entry in classes if entry not in self.entries)
            for entry in self.classes.keys() & classes.keys():
                self._former.setdefault(entry, WeakSet()).add(self.classes[entry])
            self.classes.update(classes)
            for entry in classes:
                self.failures.pop(entry, None)


def _package(module: str) -> str:
    return module.partition(".")[0]
