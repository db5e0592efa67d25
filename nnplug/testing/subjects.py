"""Subjects: what a target stands for, a component or every component of a distribution."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from attrs import frozen

from nnplug.discovery import Entry, normalise
from nnplug.errors import PluginError, RegistryError
from nnplug.hookspecs import KINDS
from nnplug.naming import snake_case, suggest
from nnplug.options import article, show
from nnplug.plugins import check_component
from nnplug.registry import Registry


@frozen
class Subject:
    """One component to be checked.

    Args:
        kind: its kind.
        name: its registry name, or its class's name.
        origin: where it comes from.
        cls: its class; None if it cannot be loaded.
        module: the module that the entry point of an installed distribution names; "" where there is none.
        component: the component itself, where one was given instead of a class.
        error: why it cannot be loaded.
    """

    kind: str
    name: str
    origin: str
    cls: Any = None
    module: str = ""
    component: Any = None
    error: str = ""


def subjects_of(target: Any, kind: str | None, registry: Registry) -> list[Subject]:
    """What a target stands for: a component, its class, its registry name, or a distribution.

    Raises:
        RegistryError: nothing is called so, or several things are.
    """
    if isinstance(target, str):
        return _named(target, kind, registry)
    component = None if isinstance(target, type) else target
    cls = target if isinstance(target, type) else type(target)
    return [_of_class(cls, component, kind, registry)]


def _of_class(cls: type, component: Any, kind: str | None, registry: Registry) -> Subject:
    found = next((k.name for k in KINDS.values() if issubclass(cls, k.contract)), kind)
    if found is None:
        contracts = ", ".join(k.contract.__name__ for k in KINDS.values())
        raise RegistryError(
            f"cannot check {show(component if component is not None else cls)}: give a registry name, a distribution, "
            f"or a component or class derived from one of {contracts}"
        )
    entry = next((e for e in _entries(registry) if e.kind == found and _leads_to(e, cls, registry)), None)
    if entry is not None:
        return _of_entry(entry, registry, component)
    name = snake_case(cls.__name__)
    try:
        check_component(KINDS[found], name, cls)
    except PluginError as error:
        return Subject(found, name, f"module {cls.__module__}", error=str(error))
    return Subject(found, name, f"module {cls.__module__}", cls, component=component)


def _entries(registry: Registry) -> list[Entry]:
    return [listed.entry for listed in registry.listing()]


def _leads_to(entry: Entry, cls: type, registry: Registry) -> bool:
    """Whether an entry's class is ``cls``; only those of the same package are loaded to find out."""
    if entry.module.partition(".")[0] != cls.__module__.partition(".")[0]:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return registry.get(entry.kind, entry.qualified) is cls and not _is_old(entry)
    except RegistryError:
        return False


def _named(target: str, kind: str | None, registry: Registry) -> list[Subject]:
    if kind is not None:
        return [_of_entry(registry.find(kind, target), registry)]
    bare = target.rpartition(":")[2]
    entries = _entries(registry)
    kinds = [k for k in KINDS if _provides(registry, k, target)]
    if len(kinds) > 1:
        told = " and ".join(article(k) for k in kinds)
        raise RegistryError(f"{target!r} is the name of {told}; say which: kind={kinds[0]!r}, or --kind {kinds[0]}")
    if kinds:
        return [_of_entry(registry.find(kinds[0], target), registry)]
    own = [entry for entry in entries if normalise(entry.distribution) == normalise(target)]
    if own:
        return _of_distribution(own, registry)
    known = sorted({name for entry in entries for name in (entry.name, entry.distribution)})
    hint = suggest(bare, known) or "; `nnplug plugins` lists what there is"
    raise RegistryError(f"no component and no distribution with components is called {target!r}{hint}")


def _of_distribution(entries: list[Entry], registry: Registry) -> list[Subject]:
    """Every component once: old names lead to components that have new ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found = [(entry, _of_entry(entry, registry)) for entry in entries]
    return [subject for entry, subject in found if subject.error or not _is_old(entry)]


def _is_old(entry: Entry) -> bool:
    """Whether a loaded entry's name is one that its plugin has given up."""
    return entry.name in getattr(sys.modules.get(entry.module), "NNPLUG_RENAMED", {})


def _provides(registry: Registry, kind: str, name: str) -> bool:
    distribution, _, bare = name.rpartition(":")
    return any(
        entry.kind == kind and entry.name == bare and normalise(distribution) in ("", normalise(entry.distribution))
        for entry in _entries(registry)
    )


def _of_entry(entry: Entry, registry: Registry, component: Any = None) -> Subject:
    origin = f"{entry.distribution} {entry.version}" if entry.version else f"module {entry.module}"
    try:
        cls = registry.get(entry.kind, entry.qualified)
    except RegistryError as error:
        return Subject(entry.kind, entry.name, origin, error=str(error))
    installed = entry.module if entry.version else ""  # what is registered in this process has no version
    return Subject(entry.kind, entry.name, origin, cls, installed, component)
