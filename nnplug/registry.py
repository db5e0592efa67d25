"""The registry: kind and name -> component class, and component <-> table."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from nnplug.contracts import Callback, Layer
from nnplug.discovery import CORE, Entry, normalise
from nnplug.errors import TOLD, ConfigError, PluginError, Problem, RegistryError
from nnplug.filling import INVALID, attempt, convert, fill
from nnplug.hookspecs import KINDS, kind_called
from nnplug.limits import check_size
from nnplug.naming import called, join, number, quote, snake_case, suggest
from nnplug.options import article, fields_of, mentions_component, options_of, show, words
from nnplug.plugins import check_component
from nnplug.store import Listed, Store
from nnplug.switches import Switches


class Registry:
    """Finds component classes by kind and name, and builds components from names and tables.

    Kinds: layer, loss, update_rule, data_loader, initializer, schedule, metric, callback. Names come from the metadata
    of installed distributions; a plugin is imported when one of its names is asked for, and not before.

    Args:
        autoload: False for a registry that holds only what is registered in this process.
        prefer: distributions that win where several provide a name, even over a built-in.
        disable: distributions, or names as ``dist:name``, that are not to be used.
        only: if given, no distribution but these and nnplug itself is used.

    The environment adds to them: ``NNPLUG_PREFER``, ``NNPLUG_DISABLE``, ``NNPLUG_ONLY``, ``NNPLUG_AUTOLOAD=0``.
    """

    def __init__(
        self,
        *,
        autoload: bool = True,
        prefer: Iterable[str] = (),
        disable: Iterable[str] = (),
        only: Iterable[str] = (),
    ) -> None:
        self._store = Store(installed=autoload)
        self._switches = Switches(prefer, disable, only).within(Switches.of_environment())

    def configured(self, switches: Switches) -> Registry:
        """The same plugins under further switches; what is loaded is shared."""
        view = object.__new__(Registry)
        view._store = self._store
        view._switches = switches.within(self._switches)
        return view

    def __deepcopy__(self, memo: dict[int, Any]) -> Registry:
        """Itself: what is installed, and what was registered, is there once."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process: what is installed there, under the same switches; not what was registered in this one."""
        return _elsewhere, (self._store.installed, self._switches)

    def names(self, kind: str) -> list[str]:
        """The registry names of a kind, sorted."""
        kind_called(kind)
        return sorted({e.name for e in self._store.entries if e.kind == kind and self._switches.allows(e)})

    def get(self, kind: str, name: str) -> Any:
        """The class behind a name, ``affine`` or ``dist:affine``.

        Raises:
            RegistryError: nobody provides it, or several do and none is preferred.
            PluginError: the plugin that provides it is broken.
        """
        entry = self.find(kind, name)
        cls = self._store.load(entry)
        if new_name := self._store.new_name(entry):
            message = f"the {words(kind)} {entry.name!r} of {entry.distribution} is now called {new_name!r}; write that"
            warnings.warn(message, FutureWarning, stacklevel=2)
        return cls

    def find(self, kind: str, name: str) -> Entry:
        """The entry behind a name, without importing it.

        Raises:
            RegistryError: nobody provides it, or several do and none is preferred.
        """
        kind_called(kind)
        distribution, _, bare = name.rpartition(":")
        named = [e for e in self._store.entries if e.kind == kind and e.name == bare]
        if distribution:
            named = [e for e in named if normalise(e.distribution) == normalise(distribution)]
        enabled = [e for e in named if self._switches.allows(e)]
        if not enabled:
            raise RegistryError(self._unknown(kind, name, named))
        for preferred in (*self._switches.prefer, CORE):
            chosen = [e for e in enabled if normalise(e.distribution) == preferred]
            if chosen:
                return chosen[0]
        if len(enabled) > 1:
            choices = " or ".join(repr(e.qualified) for e in enabled)
            raise RegistryError(f"several plugins provide the {words(kind)} {bare!r}; write {choices}")
        return enabled[0]

    def _unknown(self, kind: str, name: str, disabled: Sequence[Entry]) -> str:
        if disabled:
            return f"the {words(kind)} {quote(name)} is switched off (it comes from {disabled[0].provenance})"
        names = self.names(kind)
        if ":" in name:
            names = [e.qualified for e in sorted(self._store.entries) if e.kind == kind and self._switches.allows(e)]
        elsewhere = [k for k in KINDS if name in self.names(k)]
        hint = f"; {quote(name)} is {article(elsewhere[0])}." if elsewhere else suggest(name, names) or "."
        unread = "".join(f". {b.folder} {b.told}" for b in self._store.broken)
        return f"no {words(kind)} is called {called(name)}{hint} There are: {', '.join(names) or 'none'}{unread}"

    def create(self, kind: str, spec: Any) -> Any:
        """Build one component from its name, a table ``{"type": name, **options}`` or a component with names in it.

        Raises:
            ConfigError: with every problem of the table.
        """
        check_size(spec)
        problems: list[Problem] = []
        component = self.build_component(kind_called(kind).name, spec, "", problems)
        if problems:
            raise ConfigError(problems)
        return component

    def build_component(self, kind: str, value: Any, path: str, problems: list[Problem]) -> Any:
        """Like `create`, for part of a config: problems are noted with their path, and INVALID is returned."""
        contract = KINDS[kind].contract
        if isinstance(value, contract):
            return self._resolve(value, path, problems)
        value = {"type": value} if isinstance(value, str) else value
        typed = isinstance(value, Mapping) and "type" in value
        if not typed or not isinstance(value["type"], str):
            at, got = (join(path, "type"), value["type"]) if typed else (path, value)
            wanted = f"the name of {article(kind)}" + ("" if typed else " or a table with a 'type'")
            lacks = "; it has no 'type'" if isinstance(value, Mapping) and not typed else ""
            problems.append(Problem(at, f"expected {wanted}, got {show(got)}{lacks}"))
            return INVALID
        try:
            cls = self.get(kind, value["type"])
        except RegistryError as error:
            problems.append(Problem(path, str(error)))
            return INVALID
        options = {key: v for key, v in value.items() if key != "type"}
        return fill(cls, options, path, self, problems, what=value["type"])

    def build_components(self, kind: str, values: Iterable[Any], path: str, problems: list[Problem]) -> Any:
        """Several components; layers without a name are given one: their type and a count."""
        built = [
            self.build_component(kind, value, f"{path}[{i}]", problems)
            for i, value in enumerate(values)
            if len(problems) <= TOLD  # nobody reads on
        ]
        if any(component is INVALID for component in built):
            return INVALID
        return attempt(lambda: self._name_layers(built), path, problems) if kind == "layer" else tuple(built)

    def _name_layers(self, layers: list[Layer]) -> tuple[Layer, ...]:
        one_of_each = {type(layer): layer for layer in layers}
        types = {cls: self.name_of(layer, snake_case(cls.__name__)) for cls, layer in one_of_each.items()}
        names = number((layer.name, types[type(layer)].rpartition(":")[2]) for layer in layers)
        return tuple(
            layer if layer.name else attrs.evolve(layer, name=name) for layer, name in zip(layers, names, strict=True)
        )

    def _resolve(self, component: Any, path: str, problems: list[Problem]) -> Any:
        """A component built by hand, its options held against their types and the names left in them resolved.

        A callback stays the object it is, unless a name in it was resolved: somebody may hold on to it.
        """
        keep = isinstance(component, Callback)
        changed = {}
        for name, option in options_of(type(component)).items():
            old = getattr(component, option.attribute.name)
            new = convert(old, option.hint, join(path, name), self, problems)
            if new is INVALID or (new is not old and (not keep or (mentions_component(option.hint) and new != old))):
                changed[name] = new
        if any(new is INVALID for new in changed.values()):
            return INVALID
        return attempt(lambda: attrs.evolve(component, **changed), path, problems) if changed else component

    def name_of(self, component: object, default: str | None = None) -> str:
        """The registry name of a component's class: the bare one where that leads back to it, else ``dist:name``.

        Raises:
            RegistryError: the class is not registered (and no default is given).
        """
        cls = type(component)
        nearest_first = sorted(self._store.entries, key=lambda entry: entry.module != cls.__module__)
        for entry in nearest_first:
            known = self._switches.allows(entry) and self._store.provides(entry, cls)
            if known and not self._store.new_name(entry):
                try:
                    bare = self.find(entry.kind, entry.name) == entry
                except RegistryError:
                    bare = False
                return entry.name if bare else entry.qualified
        if default is not None:
            return default
        raise RegistryError(
            f"{cls.__name__} has no registry name, so it cannot be written down; "
            f"call registry.register({cls.__name__}) or install it as a plugin"
        )

    def describe(self, component: Any, *, strict: bool = True) -> Any:
        """The table that builds a component again; unless ``strict``, what has no registry name goes by its class's."""
        if isinstance(component, tuple | list):
            return [self.describe(item, strict=strict) for item in component]
        if not attrs.has(type(component)):
            return str(component) if isinstance(component, Path) else component
        given = {name: value for name, value in fields_of(component).items() if value is not None}
        table = {name: self.describe(value, strict=strict) for name, value in given.items()}
        is_component = any(isinstance(component, kind.contract) for kind in KINDS.values())
        default = None if strict else type(component).__qualname__
        return {"type": self.name_of(component, default), **table} if is_component else table

    def register(self, plugin: Any, name: str | None = None) -> Any:
        """Register a plugin of this process: a component class, or a module with hooks. Usable as a decorator.

        Doing it again replaces what the same module registered before. A built-in's name is refused.

        Args:
            plugin: a component class, or a module (or object) that implements hooks.
            name: the registry name of a component class; default: its own, ``MyLayer`` -> ``my_layer``.

        Returns:
            ``plugin`` itself.

        Raises:
            RegistryError: the name belongs to a built-in.
            PluginError: the plugin breaks a contract.
        """
        kind = next((k for k in KINDS.values() if isinstance(plugin, type) and issubclass(plugin, k.contract)), None)
        if kind is not None:
            name = name or snake_case(plugin.__name__)
            check_component(kind, name, plugin)
            found, source = {kind.name: {name: plugin}}, plugin.__module__
        else:
            source = getattr(plugin, "__name__", type(plugin).__name__)
            found = self._store.loader.call(plugin, source)
            if not found:
                raise PluginError(f"{show(plugin)} is neither a component class nor a module with hooks of nnplug")
        own = [(self._own_entry(k, n, source), cls) for k, classes in found.items() for n, cls in classes.items()]
        self._store.add(dict(own))
        return plugin

    def _own_entry(self, kind: str, name: str, module: str) -> Entry:
        """The entry that a registration from a module replaces or makes."""
        taken = [entry for entry in self._store.entries if (entry.kind, entry.name) == (kind, name)]
        if any(entry.distribution == CORE for entry in taken):
            raise RegistryError(f"{name!r} is a built-in {words(kind)}; register yours under another name")
        own = [entry for entry in taken if entry.module == module]
        return own[0] if own else Entry(kind, name, module, module, in_process=True)

    def versions(self) -> dict[str, str]:
        """The version of every distribution that something was loaded from."""
        return {entry.distribution: entry.version for entry in self._store.classes if entry.version}

    def listing(self) -> list[Listed]:
        """Every entry with its status: available, loaded, failed, disabled or conflict. Imports nothing.

        A distribution whose metadata is wrong is listed as failed, with its folder for a name.
        """
        listed = [self._listed(entry) for entry in sorted(self._store.entries)]
        for broken in self._store.broken:
            name = Path(broken.folder).name
            listed.append(Listed(Entry("distribution", name, name, ""), "failed", broken.told))
        return listed

    def _listed(self, entry: Entry) -> Listed:
        if not self._switches.allows(entry):
            return Listed(entry, "disabled")
        if entry in self._store.failures:
            return Listed(entry, "failed", str(self._store.failures[entry]))
        try:
            chosen = self.find(entry.kind, entry.name)
        except RegistryError as error:
            return Listed(entry, "conflict", str(error))
        if chosen != entry:
            return Listed(entry, "conflict", f"{entry.name!r} means {chosen.qualified!r}; write {entry.qualified!r}")
        loaded = entry in self._store.classes
        return Listed(entry, "loaded" if loaded else "available", seconds=self._store.seconds.get(entry.module))


@cache
def default_registry() -> Registry:
    """The registry of everything installed, used wherever none is given."""
    return Registry()


def _elsewhere(installed: bool, switches: Switches) -> Registry:
    return (default_registry() if installed else Registry(autoload=False)).configured(switches)
