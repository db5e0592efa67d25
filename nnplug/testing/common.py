"""What is checked of every component, whatever its kind: its options, and that it is a plain value."""

from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251  (of what it pickled itself)
from typing import Any

import attrs

from nnplug.contracts import Callback
from nnplug.errors import RegistryError
from nnplug.filling import INVALID, fill
from nnplug.options import fields_of
from nnplug.registry import Registry
from nnplug.testing.outcome import Failure, Skipped, sentence
from nnplug.testing.wording import brief

UNKNOWN = "no_such_option"


@attrs.frozen
class ComponentCase:
    """A component and the registry that it was made with."""

    component: Any
    registry: Registry

    def __str__(self) -> str:
        return brief(self.component)


def config_round_trip(case: ComponentCase) -> None:
    """Written as a config and read again, the component is the same."""
    table = _table(case)
    problems: list[Any] = []
    cls = type(case.component)
    again = fill(cls, table, "", case.registry, problems, what=cls.__name__)
    if again is INVALID:
        raise Failure(f"its config {table} is refused: {problems[0]}")
    if again != case.component:
        before, after = fields_of(case.component), fields_of(again)
        changed = [name for name in before if before[name] != after[name]]
        if not changed:
            raise Failure(
                "read again from its config it is not equal, though all options are; give private fields eq=False"
            )
        name = changed[0]
        raise Failure(f"read again from its config, {name!r} is {after[name]!r} and was {before[name]!r}")


def _table(case: ComponentCase) -> Any:
    """The component's options after a trip through JSON."""
    try:
        described = {
            name: case.registry.describe(value)
            for name, value in fields_of(case.component).items()
            if value is not None
        }
        return json.loads(json.dumps(described))
    except RegistryError as error:
        raise Skipped(f"an option cannot be written down: {error}") from error
    except TypeError as error:
        raise Failure(
            f"an option cannot be written to a config: {error}; options are numbers, texts, booleans, tuples of these, "
            "and components"
        ) from error


def unknown_options(case: ComponentCase) -> None:
    """A config with an option that does not exist is refused."""
    cls = type(case.component)
    problems: list[Any] = []
    table = {**_table(case), UNKNOWN: 1}
    made = fill(cls, table, "", case.registry, problems, what=cls.__name__)
    if made is not INVALID or not any(UNKNOWN in str(problem) for problem in problems):
        raise Failure(f"a config with the option {UNKNOWN!r} is not refused; let attrs write __init__")


def copies(case: ComponentCase) -> None:
    """Pickled and copied, the component is the same: it can be sent to other processes."""
    component = case.component
    try:
        again = pickle.loads(pickle.dumps(component))  # noqa: S301  (what was pickled a moment ago)
    except Exception as error:
        raise Failure(
            f"it cannot be pickled: {sentence(error)}; define the class at the top of its module, and let options be "
            "plain values"
        ) from error
    for how, other in (("pickled", again), ("copied", copy.deepcopy(component))):
        if other != component:
            raise Failure(f"{how}, it is no longer equal; give private fields eq=False")


def immutable(case: ComponentCase) -> None:
    """It cannot be changed, and equal components have equal hashes."""
    component = case.component
    if isinstance(component, Callback):
        raise Skipped("callbacks may change")
    name = next(iter(fields_of(component)), "something")
    try:
        setattr(component, name, getattr(component, name, None))
    except AttributeError:
        pass
    else:
        raise Failure(f"{name!r} can be assigned; write @attrs.frozen above the class")
    try:
        same = hash(component) == hash(copy.deepcopy(component))
    except TypeError as error:
        raise Failure(f"it has no hash ({error}); let options be tuples instead of lists, and no arrays") from error
    if not same:
        raise Failure("an equal component has another hash; leave __eq__ and __hash__ to @attrs.frozen")


CHECKS = (config_round_trip, unknown_options, copies, immutable)
