"""Examples: the components that checks are run on, given by the author or made from the options' types."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import attrs

from nnplug.errors import Problem
from nnplug.filling import INVALID, fill
from nnplug.hookspecs import KINDS
from nnplug.options import Option, describe_type, options_of
from nnplug.registry import Registry
from nnplug.testing.outcome import Failure, Unsuitable
from nnplug.testing.values import candidates, other_values

BESIDE = "NNPLUG_EXAMPLES"  # a module's own examples of its components
AT_MOST = 8
TRIES = 300
STUCK_TO_FILES = ("data_loader", "callback")  # their numbers mean something outside; only choices are varied


@attrs.frozen
class Example:
    """A component, and the inputs it is to be tried on, if somebody said which."""

    component: Any
    inputs: tuple[Any, ...] = attrs.field(default=(), eq=False, repr=False)


Accept = Callable[[Example], Any]  # raises Unsuitable where nothing can be checked on an example


def given_examples(cls: type, given: Iterable[Any], inputs: Sequence[Any], registry: Registry) -> list[Example]:
    """Examples as an author writes them: components, or pairs of a component and an input.

    Raises:
        Failure: one of them is neither.
    """
    found = []
    for item in given:
        pair = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
        component, own = pair
        if not isinstance(component, cls):
            raise Failure(
                f"an example must be a {cls.__name__} or a pair ({cls.__name__}(...), input), it is {component!r:.80}"
            )
        kind = next(kind.name for kind in KINDS.values() if isinstance(component, kind.contract))
        resolved = registry.create(kind, component)
        found.append(Example(resolved, tuple(inputs) if own is None else (own,)))
    return found


def examples_beside(cls: type, modules: Iterable[str]) -> list[Any]:
    """What ``NNPLUG_EXAMPLES`` in a component's module holds for it.

    Raises:
        Failure: it is no list.
    """
    for name in dict.fromkeys((cls.__module__, *modules)):
        listed = getattr(sys.modules.get(name), BESIDE, ())
        if not isinstance(listed, list | tuple):
            raise Failure(f"{BESIDE} in {name} must be a list of components, it is {type(listed).__name__}")
        own = [item for item in listed if type(item[0] if isinstance(item, tuple) else item) is cls]
        if own:
            return own
    return []


class Maker:
    """Makes examples of a class from the types of its options.

    Args:
        kind: the kind of component.
        cls: its class.
        inputs: what every example is to be tried on.
        registry: builds the components among the options.
        folder: where sample files go.
        accept: says whether anything can be checked on an example.
    """

    def __init__(
        self, kind: str, cls: Any, inputs: Sequence[Any], registry: Registry, folder: Path, accept: Accept
    ) -> None:
        self._kind, self._cls, self._inputs = kind, cls, tuple(inputs)
        self._registry, self._folder, self._accept = registry, folder, accept
        self._options = options_of(cls)

    def make(self) -> list[Example]:
        """A component with the first values that work, and one for each choice beside them.

        Raises:
            Failure: nothing works; with how to give examples.
        """
        required = {name: option for name, option in self._options.items() if option.required}
        values = {}
        for i, (name, option) in enumerate(required.items()):
            found = candidates(option.hint, self._folder)
            if not found:
                raise Failure(f"{self._asking(option)}; {self._how()}")
            values[name] = found[i:] + found[:i] if option.hint is int else found  # sizes that differ tell more
        table, base = self._first_that_works(values)
        made = [base]
        for variation in self._variations(table):
            example = self._build(variation)
            if isinstance(example, Example) and example not in made and not self._unfit(example):
                made.append(example)
        return made[:AT_MOST]

    def _first_that_works(self, values: dict[str, list[Any]]) -> tuple[dict[str, Any], Example]:
        refused, unfit = "", ""
        for combination in islice(product(*values.values()), TRIES):
            table = dict(zip(values, combination, strict=True))
            example = self._build(table)
            if not isinstance(example, Example):
                refused = refused or example
            elif reason := self._unfit(example):
                unfit = unfit or reason
            else:
                return table, example
        raise Failure(f"{unfit or refused}; {self._how()}")

    def _variations(self, table: dict[str, Any]) -> Iterator[dict[str, Any]]:
        inherited = options_of(KINDS[self._kind].contract)
        for name, option in self._options.items():
            if name in inherited:
                continue
            if option.required:
                choices = [value for value in candidates(option.hint, self._folder) if isinstance(value, str | bool)]
                others = [value for value in choices if value != table[name]]
            else:
                others = other_values(option, numbers=self._kind not in STUCK_TO_FILES)
            for value in others:
                yield {**table, name: value}

    def _build(self, table: dict[str, Any]) -> Example | str:
        """An example, or why there is none."""
        problems: list[Problem] = []
        component = fill(self._cls, table, "", self._registry, problems, what=self._cls.__name__)
        if component is INVALID:
            return str(problems[0])
        return Example(component, self._inputs)

    def _unfit(self, example: Example) -> str:
        """Why nothing can be checked on an example, or nothing."""
        try:
            self._accept(example)
        except Unsuitable as error:
            return str(error)
        return ""

    def _asking(self, option: Option) -> str:
        return (
            f"{self._cls.__name__} needs the option {option.name!r}, {describe_type(option.hint)}, which none can guess"
        )

    def _how(self) -> str:
        name = self._cls.__name__
        return (
            f"give examples=[{name}(...)] to check, or write {BESIDE} = [{name}(...)] beside the class, "
            "where `nnplug check` finds it"
        )
