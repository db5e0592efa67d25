"""Switches: which of the installed plugins may be used, and which win."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from attrs import field, frozen

from nnplug.discovery import CORE, Entry, normalise
from nnplug.errors import ConfigError, Problem
from nnplug.naming import quote


def _distributions(names: Iterable[str]) -> tuple[str, ...]:
    """Names of distributions as pip writes them; ``dist:name`` keeps its name."""
    parts = [name.partition(":") for name in names]
    return tuple(normalise(distribution) + colon + bare for distribution, colon, bare in parts if distribution)


def _words(variable: str) -> list[str]:
    return re.split(r"[\s,]+", os.environ.get(variable, ""))


def _switch(variable: str) -> bool:
    value = os.environ.get(variable) or "1"
    if value not in ("0", "1"):
        raise ConfigError([Problem(variable, f"expected 0 or 1, got {quote(value)}")])
    return value == "1"


@frozen
class Switches:
    """Decides before anything is imported.

    Args:
        prefer: distributions that win where several provide a name, the first one first.
        disable: distributions, or names as ``dist:name``, that are not used; built-ins too.
        only: if given, no installed distribution but these and nnplug itself is used.
        autoload: False: nothing installed is used but what ``only`` lists.
    """

    prefer: tuple[str, ...] = field(default=(), converter=_distributions)
    disable: tuple[str, ...] = field(default=(), converter=_distributions)
    only: tuple[str, ...] = field(default=(), converter=_distributions)
    autoload: bool = True

    @classmethod
    def of_environment(cls) -> Switches:
        """NNPLUG_PREFER, NNPLUG_DISABLE and NNPLUG_ONLY, names between commas or spaces; NNPLUG_AUTOLOAD=0.

        Raises:
            ConfigError: NNPLUG_AUTOLOAD is neither 0 nor 1.
        """
        return cls(
            _words("NNPLUG_PREFER"),
            _words("NNPLUG_DISABLE"),
            _words("NNPLUG_ONLY"),
            autoload=_switch("NNPLUG_AUTOLOAD"),
        )

    def within(self, outer: Switches) -> Switches:
        """These and ``outer`` together: what either one switches off is off; these prefer first."""
        only = self.only or outer.only
        if self.only and outer.only:
            only = tuple(name for name in self._listed() if name in outer._listed())
        return Switches(
            (*self.prefer, *outer.prefer),
            (*self.disable, *outer.disable),
            only,
            autoload=self.autoload and outer.autoload,
        )

    def _listed(self) -> tuple[str, ...]:
        """The distributions that ``only`` lets through."""
        return (*self.only, CORE) if self.autoload else self.only

    def allows(self, entry: Entry) -> bool:
        """Whether an entry may be used."""
        owner = normalise(entry.distribution)
        if owner in self.disable or f"{owner}:{entry.name}" in self.disable:
            return False
        everything = self.autoload and not self.only
        return entry.in_process or everything or owner in self._listed()
