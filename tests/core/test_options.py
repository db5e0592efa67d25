"""Options: what is read off an attrs class, and how messages speak of it."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from attrs import Factory, define, field, frozen
from attrs.validators import ge

import nnplug
from nnplug import Initializer, Layer, Registry, Schedule, UpdateRule
from nnplug.hookspecs import KINDS
from nnplug.options import (
    contract_kind,
    describe_type,
    fields_of,
    members,
    mentions_component,
    options_of,
    parts_of,
    show,
)

REGISTRY = Registry()
BUILT_INS = [(kind, name) for kind in KINDS for name in REGISTRY.names(kind)]


@frozen
class Base:
    """A base.

    Args:
        shared: what the base says,
            on two lines.
        changed: the base's words.
    """

    shared: int = 1
    changed: int = 1


@frozen
class Derived(Base):
    """A class with every kind of field.

    Some prose: with a colon, and a list::

        not_an_option: of nothing

    Args:
        changed: the class's own words: better.
        own: an option
            that goes on.

            And on, after an empty line.
        last: the last.

    Raises:
        own: is no option here.
    """

    changed: int = 2
    own: tuple[int, ...] = field(factory=tuple, validator=ge(()))
    last: Initializer | str = "he"
    undocumented: str = ""
    _private: int = field(init=False, default=7)
    _doubled: int = field(init=False, default=Factory(lambda self: self.shared + 1, takes_self=True))
    _aliased: float = 0.5


def test_options_are_the_fields_one_may_give_in_order():
    """Fields with ``init=False`` are no options; a private field's option goes by the name that one writes."""
    assert list(options_of(Derived)) == ["shared", "changed", "own", "last", "undocumented", "aliased"]


def test_options_know_type_and_default():
    """Annotations are resolved although they are written as text; a factory makes a new default each time."""
    options = options_of(Derived)
    assert options["own"].hint == tuple[int, ...]
    assert options["last"].hint == Initializer | str
    assert options["own"].default_value() == ()
    assert options["changed"].default_value() == 2
    assert not options["changed"].required


def test_required_options_have_no_default():
    """An option without a default is required."""

    @frozen
    class Needs:
        units: int

    assert options_of(Needs)["units"].required


def test_help_is_the_docstrings_args_section():
    """Help text is joined over lines, ends at the next section, and is empty where the docstring says nothing."""
    helps = {name: option.help for name, option in options_of(Derived).items()}
    assert helps == {
        "shared": "what the base says, on two lines.",
        "changed": "the class's own words: better.",
        "own": "an option that goes on.",
        "last": "the last.",
        "undocumented": "",
        "aliased": "",
    }


@pytest.mark.parametrize(("kind", "name"), BUILT_INS)
def test_every_option_of_every_built_in_has_help(kind, name):
    """The command line's help and the reference are made of these texts."""
    missing = [option.name for option in options_of(REGISTRY.get(kind, name)).values() if not option.help]
    assert missing == []


def test_inherited_options_keep_the_contracts_help():
    """A component's docstring need not repeat what Layer and UpdateRule say of their options."""
    layer = options_of(REGISTRY.get("layer", "affine"))
    rule = options_of(REGISTRY.get("update_rule", "adam"))
    assert layer["trainable"].help == options_of(Layer)["trainable"].help != ""
    assert rule["clip_norm"].help == options_of(UpdateRule)["clip_norm"].help != ""


def test_fields_of_gives_options_with_their_values():
    """Private fields are read under their own name and told under the option's."""
    values = fields_of(Derived(shared=3, aliased=0.25))
    assert values == {"shared": 3, "changed": 2, "own": (), "last": "he", "undocumented": "", "aliased": 0.25}


def test_an_annotation_for_type_checkers_only_is_refused():
    """The message says that the import must happen at run time."""

    @frozen
    class Hidden:
        x: OnlyWhenChecking = 1  # noqa: F821  # type: ignore[name-defined]

    with pytest.raises(TypeError, match=r"annotations of Hidden cannot be read .*OnlyWhenChecking.* import .*run time"):
        options_of(Hidden)


def test_an_annotation_that_cannot_be_evaluated_is_refused():
    """Whatever goes wrong with an annotation is told as one kind of error."""

    @frozen
    class Broken:
        x: np.no_such_thing = 1

    with pytest.raises(TypeError, match=r"annotations of Broken cannot be read .*no_such_thing"):
        options_of(Broken)


@pytest.mark.parametrize("default", [5, field()], ids=["another default", "no default"])
def test_an_option_that_admits_none_must_default_to_none(default):
    """TOML has no null: None given on purpose would come back as the default."""
    cls = type("Limited", (), {"__annotations__": {"limit": int | None}, "limit": default})
    with pytest.raises(TypeError, match="'limit' of Limited admits None, so None must be its default"):
        options_of(frozen(cls))


@define
class Table:
    """A table inside a table."""

    x: int = 0


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "an integer"),
        (float, "a number"),
        (bool, "true or false"),
        (str, "a text"),
        (Path, "a path"),
        (Any, "any value"),
        (int | None, "an integer or nothing"),
        (Path | str, "a path or a text"),
        (Literal["a", 2], "one of 'a', 2"),
        (tuple[int, ...], "a list, each an integer"),
        (tuple[float, str], "a list of a number, a text"),
        (tuple[tuple[int, ...], ...], "a list, each a list, each an integer"),
        (tuple[float, ...] | Literal["balanced"] | None, "a list, each a number or one of 'balanced' or nothing"),
        (Layer | str, "the name or table of a layer"),
        (Schedule | str | None, "the name or table of a schedule or nothing"),
        (UpdateRule | str, "the name or table of an update rule"),
        (tuple[Initializer | str, ...], "a list, each the name or table of an initializer"),
        (Table, "a table"),
        (np.random.Generator, "Generator"),
    ],
)
def test_types_in_words(hint, words):
    """What was expected is said as somebody would who does not know Python's types."""
    assert describe_type(hint) == words


@pytest.mark.parametrize("kind", KINDS)
def test_contracts_are_recognised_in_hints(kind):
    """A hint names a kind by its contract or a class derived from it, alone or in a union."""
    contract = KINDS[kind].contract
    derived = type("Derived", (contract,), {})
    for hint in (contract, contract | str, contract | str | None, derived | None):
        assert contract_kind(hint) == kind
    assert mentions_component(tuple[contract | str, ...] | None)


@pytest.mark.parametrize("hint", [int, str | None, tuple[int, ...], Literal["layer"], Any, Callable[[], int]])
def test_other_hints_hold_no_component(hint):
    """Nothing is looked up by name where no contract is asked for."""
    assert contract_kind(hint) is None
    assert not mentions_component(hint)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "'x'"),
        ("a\x1b[31m\n", r"'a\x1b[31m\n'"),
        ("\u202egnp.exe", r"'\u202egnp.exe'"),
        (np.zeros((2, 2)), "array([[0., 0.], [0., 0.]])"),
        (10**5000, "a huge int"),
    ],
    ids=["text", "control", "right-to-left", "lines", "huge"],
)
def test_values_are_quoted_on_one_printable_line(value, text):
    """Control characters are escaped, and an array takes one line."""
    assert show(value) == text


def test_long_values_are_cut():
    """A message stays readable whatever was given."""
    text = show(list(range(1000)))
    assert len(text) == 80
    assert text.endswith("...")


@pytest.mark.skipif(not hasattr(typing, "TypeAliasType"), reason="`type X = ...` came with Python 3.12")
def test_names_for_types_are_what_they_stand_for() -> None:
    """Those of the `type` statement, alone, with arguments, inside others."""
    made: dict[str, Any] = {"Path": Path, "Literal": Literal, "Initializer": Initializer}
    exec("type Pair[T] = tuple[T, T]\ntype Place = Path | None\ntype Start = Initializer | str", made)  # noqa: S102  (syntax that 3.11 lacks)
    pair, place, start = made["Pair"], made["Place"], made["Start"]
    assert describe_type(pair[int]) == "a list of an integer, an integer"
    assert members(place | int) == (Path, type(None), int)
    assert Path in parts_of(tuple[place, ...])  # what no model file may name is found
    assert contract_kind(start) == "initializer"
    assert mentions_component(tuple[start, ...])


def test_an_array_may_be_an_option_in_python() -> None:
    """NumPy's own name for arrays, whatever it is made of."""
    assert any(typing.get_origin(member) is np.ndarray for member in members(nnplug.Array))
