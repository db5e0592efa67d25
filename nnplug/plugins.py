"""Loading one plugin without trusting it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, get_origin

import pluggy

from nnplug import hookspecs
from nnplug.errors import PluginError
from nnplug.hookspecs import KINDS, Kind
from nnplug.naming import printable, suggest
from nnplug.options import contract_kind, describe_type, options_of, parts_of, show

API_VERSION = 1
IN_MODEL_FILES = ("layer", "loss", "initializer")  # the kinds that are built when a model is loaded
_KIND_OF_HOOK = {kind.hook: kind for kind in KINDS.values()}


class Loader:
    """Imports plugin modules, one at a time, and checks what their hooks return.

    Attributes:
        renamed: old registry names and the new ones, of each plugin that was loaded.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("nnplug")
        self._manager.add_hookspecs(hookspecs)
        self.renamed: dict[str, dict[str, str]] = {}

    def load(self, module: str, distribution: str, declared: Mapping[str, set[str]]) -> dict[str, dict[str, type]]:
        """Import ``module`` and call its hooks.

        Args:
            module: the module an entry point names.
            distribution: who declared it.
            declared: kind -> the names that its entry points declare.

        Returns:
            kind -> name -> class.

        Raises:
            PluginError: from whatever went wrong.
        """
        if not re.fullmatch(r"[\w.]+", module):
            raise PluginError(f"its entry point must name a module, such as package.module, not {module!r}")
        try:
            _check_api(_stated_api(module))
            plugin = importlib.import_module(module)  # noqa: TID251  (which an entry point names, never a file)
            returned = self.call(plugin, f"{distribution}:{module}")
        except (PluginError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever it raises, and be it none of Python's own
            raise PluginError(f"importing {module} failed: {_one_line(error)}") from error
        self.renamed[f"{distribution}:{module}"] = _renamed(plugin, returned)
        for kind in declared.keys() | returned.keys():
            _check_names(KINDS[kind], declared.get(kind, set()), returned.get(kind))
        return returned

    def call(self, plugin: object, name: str) -> dict[str, dict[str, type]]:
        """Register ``plugin``, a module or an object with hooks, under ``name`` and call its hooks.

        Raises:
            PluginError: a hook is misspelt, raises, or returns something that breaks a contract.
        """
        hooks = list(_hooks(plugin, self._manager))
        if not hooks:
            return {}
        for known in (plugin, self._manager.get_plugin(name)):
            if known is not None and self._manager.is_registered(known):
                self._manager.unregister(known)
        try:
            self._manager.register(plugin, name)
        except pluggy.PluginValidationError as error:
            raise PluginError(f"a hook takes no arguments: {str(error).splitlines()[-1]}") from error
        others = [p for p in self._manager.get_plugins() if p is not plugin]
        returned = {}
        for kind in hooks:
            try:
                results = self._manager.subset_hook_caller(kind.hook, others)()
            except (Exception, SystemExit) as error:
                raise PluginError(f"{kind.hook}() failed: {_one_line(error)}") from error
            returned[kind.name] = _check_result(kind, results[0] if results else None)
        return returned


def _one_line(error: BaseException) -> str:
    return printable(f"{type(error).__name__}: {error}".splitlines()[0])


def _renamed(plugin: object, returned: Mapping[str, Mapping[str, type]]) -> dict[str, str]:
    """A module's NNPLUG_RENAMED: old name -> new name, both of which its hooks return."""
    renamed = getattr(plugin, "NNPLUG_RENAMED", {})
    known = [name for classes in returned.values() for name in classes]
    if not isinstance(renamed, dict) or not all(name in known for name in (*renamed, *renamed.values())):
        raise PluginError(
            f"NNPLUG_RENAMED must be a dict of old and new names that its hooks return, such as "
            f'{{"old": "new"}}, not {show(renamed)}'
        )
    return renamed


def _stated_api(module: str) -> object:
    """The NNPLUG_API that a module's source states, so that a plugin of another time is refused before it runs."""
    spec = importlib.util.find_spec(module)
    source = getattr(spec and spec.loader, "get_source", lambda _: None)(module) or ""
    if "NNPLUG_API" not in source:
        return API_VERSION
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "NNPLUG_API" for target in targets):
            value = getattr(node, "value", None)
            return value.value if isinstance(value, ast.Constant) else API_VERSION
    return API_VERSION


def _check_api(version: object) -> None:
    if version != API_VERSION:
        number = isinstance(version, int)
        remedy = "install releases of both that agree" if number else "write a whole number, NNPLUG_API = 1"
        raise PluginError(
            f"it was written for version {show(version)} of the plugin API, this nnplug has version {API_VERSION}; "
            + remedy
        )


def _hooks(plugin: object, manager: pluggy.PluginManager) -> Iterator[Kind]:
    """The hooks that a plugin implements; anything else called ``nnplug_*`` is a mistake."""
    _check_api(getattr(plugin, "NNPLUG_API", API_VERSION))
    for name in dir(plugin):
        value = getattr(plugin, name) if name.startswith("nnplug_") else None
        if value is None or isinstance(value, types.ModuleType):
            continue
        options = manager.parse_hookimpl_opts(plugin, name)
        if name not in _KIND_OF_HOOK:
            hint = suggest(name, _KIND_OF_HOOK) or f"; the hooks are {', '.join(_KIND_OF_HOOK)}"
            raise PluginError(f"{name} is no hook of nnplug{hint}")
        if options is None:
            raise PluginError(f"{name} is not decorated; write @nnplug.hookimpl above it")
        if options.get("wrapper") or options.get("hookwrapper"):
            raise PluginError(f"{name} is a hook wrapper, which nnplug refuses; write a plain @nnplug.hookimpl")
        yield _KIND_OF_HOOK[name]


def _check_result(kind: Kind, result: Any) -> dict[str, type]:
    if not isinstance(result, dict):
        raise PluginError(f"{kind.hook}() must return a dict of names and classes, it returned {show(result)}")
    for name, cls in result.items():
        check_component(kind, name, cls)
    return result


def check_component(kind: Kind, name: Any, cls: Any) -> None:
    """Hold a class against its kind's contract, as far as that is possible without running it.

    Raises:
        PluginError: one sentence that says what to write instead.
    """
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_-]*", name):
        raise PluginError(f"{show(name)} cannot be a registry name; names match [a-z][a-z0-9_-]*")
    contract = kind.contract.__name__
    component: Any = cls
    if not isinstance(cls, type):
        raise PluginError(f"{name!r} must be a class, not {show(cls)}; return the class itself, without calling it")
    if not issubclass(cls, kind.contract):
        raise PluginError(f"{name!r}: {cls.__name__} does not derive from nnplug.{contract}")
    if "__attrs_attrs__" not in vars(cls):
        decorator = "define" if kind.name == "callback" else "frozen"
        raise PluginError(f"{name!r}: {cls.__name__} is no attrs class; write @attrs.{decorator} above it")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise PluginError(f"{name!r}: {cls.__name__} lacks what nnplug.{contract} asks for: {missing}")
    try:
        options = options_of(component)
    except TypeError as error:
        raise PluginError(f"{name!r}: {error}") from error
    if "type" in options:
        raise PluginError(f"{name!r}: no option can be called 'type', which names the component itself; rename it")
    if kind.name in IN_MODEL_FILES:
        for option in options.values():
            _check_keepable(name, option.name, option.hint)


def _check_keepable(name: str, option: str, hint: Any) -> None:
    """A model file must not be able to name another file: who loads it has not chosen what it says."""
    for part in parts_of(hint):
        cls = get_origin(part) or part
        is_path = isinstance(cls, type) and issubclass(cls, os.PathLike)
        if is_path or contract_kind(part) not in (None, *IN_MODEL_FILES):
            raise PluginError(
                f"{name!r}: the option {option!r} is {describe_type(hint)}; what stands in a model file can name "
                "neither files nor components that use them: take the content, or leave it to a data loader"
            )


def _check_names(kind: Kind, declared: set[str], classes: Mapping[str, type] | None) -> None:
    returned = set(classes or ())
    if missing := sorted(declared - returned):
        instead = f", only {', '.join(map(repr, sorted(returned)))}" if returned else ""
        but = f"the module has no {kind.hook}()" if classes is None else f"{kind.hook}() does not return it{instead}"
        raise PluginError(f"its entry points declare the {kind.name} {missing[0]!r}, but {but}")
    if extra := sorted(returned - declared):
        raise PluginError(
            f"{kind.hook}() returns {extra[0]!r}, which no entry point declares; "
            f'add it under [project.entry-points."{kind.group}"] and reinstall'
        )
