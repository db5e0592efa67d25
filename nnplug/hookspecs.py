"""The hooks: one per kind of plugin. A plugin module implements those whose entry-point groups name it."""

from __future__ import annotations

from attrs import frozen
from pluggy import HookimplMarker, HookspecMarker

from nnplug.contracts import (
    Callback,
    DataLoader,
    Initializer,
    Layer,
    Loss,
    Metric,
    Schedule,
    UpdateRule,
)
from nnplug.errors import RegistryError
from nnplug.naming import suggest

hookspec = HookspecMarker("nnplug")
hookimpl = HookimplMarker("nnplug")


@hookspec
def nnplug_layers() -> dict[str, type[Layer]]:
    """Return layer classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_losses() -> dict[str, type[Loss]]:
    """Return loss classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_update_rules() -> dict[str, type[UpdateRule]]:
    """Return update rule classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_data_loaders() -> dict[str, type[DataLoader]]:
    """Return data loader classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_initializers() -> dict[str, type[Initializer]]:
    """Return initializer classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_schedules() -> dict[str, type[Schedule]]:
    """Return schedule classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_metrics() -> dict[str, type[Metric]]:
    """Return metric classes by registry name."""
    raise NotImplementedError


@hookspec
def nnplug_callbacks() -> dict[str, type[Callback]]:
    """Return callback classes by registry name."""
    raise NotImplementedError


@frozen
class Kind:
    """One kind of plugin: its name, its entry-point group, its hook and the class that components derive from."""

    name: str
    group: str
    hook: str
    contract: type


def _kind(name: str, plural: str, contract: type) -> Kind:
    return Kind(name, f"nnplug.{plural}", f"nnplug_{plural}", contract)


KINDS = {
    kind.name: kind
    for kind in (
        _kind("layer", "layers", Layer),
        _kind("loss", "losses", Loss),
        _kind("update_rule", "update_rules", UpdateRule),
        _kind("data_loader", "data_loaders", DataLoader),
        _kind("initializer", "initializers", Initializer),
        _kind("schedule", "schedules", Schedule),
        _kind("metric", "metrics", Metric),
        _kind("callback", "callbacks", Callback),
    )
}


def kind_called(name: str) -> Kind:
    """The kind of a name.

    Raises:
        RegistryError: there is none.
    """
    if name not in KINDS:
        raise RegistryError(f"there is no kind {name!r}{suggest(name, KINDS)}; the kinds are {', '.join(KINDS)}")
    return KINDS[name]
