"""Filling: tables become components, strictly, and every error is told at once."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from attrs import Factory, field, frozen
from attrs.validators import ge, in_, lt
from hypothesis import given
from hypothesis import strategies as st

from nnplug import ConfigError, Initializer, Layer, Registry
from nnplug.errors import Problem
from nnplug.filling import INVALID, convert, fill
from nnplug.hookspecs import KINDS
from nnplug.options import options_of
from nnplug_builtins.affine import Affine
from nnplug_builtins.he import He
from nnplug_builtins.normal import Normal

REGISTRY = Registry()
BUILT_INS = [(kind, name) for kind in KINDS for name in REGISTRY.names(kind)]


def converted(value: Any, hint: Any) -> tuple[Any, list[str]]:
    """What ``convert`` makes of a value, and the problems it noted."""
    problems: list[Problem] = []
    return convert(value, hint, "here", REGISTRY, problems), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 3, 3),
        (int, -(2**70), -(2**70)),
        (int, np.int64(3), 3),
        (int, np.uint8(3), 3),
        (float, 3.5, 3.5),
        (float, 3, 3.0),
        (float, np.float32(0.5), 0.5),
        (float, np.int16(2), 2.0),
        (float, Fraction(1, 4), 0.25),
        (float, math.inf, math.inf),
        (bool, True, True),
        (bool, np.False_, False),
        (str, "x", "x"),
        (str, "", ""),
        (Path, "a/b", Path("a/b")),
        (Path, Path("a/b"), Path("a/b")),
        (Path | str, "a/b", Path("a/b")),
        (Any, {"x": 1}, {"x": 1}),
        (int | None, None, None),
        (int | None, 3, 3),
        (int | str, "x", "x"),
        (int | float, 3, 3),
        (int | float, 3.5, 3.5),
        (Literal["a", "b"], "b", "b"),
        (Literal["a", 1], 1, 1),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, ...], (1, 2), (1, 2)),
        (tuple[int, ...], [], ()),
        (tuple[float, float], [0, 1], (0.0, 1.0)),
        (tuple[int, str], [1, "x"], (1, "x")),
        (tuple[int], [1], (1,)),
        (tuple[tuple[int, ...], ...], [[1], [], [2, 3]], ((1,), (), (2, 3))),
        (tuple[float, ...] | Literal["balanced"] | None, "balanced", "balanced"),
        (tuple[float, ...] | Literal["balanced"] | None, [1, 2], (1.0, 2.0)),
        (tuple[float, ...] | Literal["balanced"] | None, None, None),
    ],
)
def test_values_that_fit(hint, value, expected):
    """A value that fits comes out as Python's own type, so that it can be written down again."""
    result, problems = converted(value, hint)
    assert problems == []
    assert result == expected
    assert type(result) is type(expected)
    if isinstance(result, tuple):
        assert [type(item) for item in result] == [type(item) for item in expected]


@pytest.mark.parametrize(
    ("hint", "value", "problem"),
    [
        (int, "3", "here: expected an integer, got '3'"),
        (int, 3.7, "here: expected an integer, got 3.7"),
        (int, 3.0, "here: expected an integer, got 3.0"),
        (int, True, "here: expected an integer, got True"),
        (int, np.True_, "here: expected an integer, got np.True_"),
        (int, None, "here: expected an integer, got None"),
        (int, [3], "here: expected an integer, got [3]"),
        (float, "0.5", "here: expected a number, got '0.5'"),
        (float, False, "here: expected a number, got False"),
        (float, 1j, "here: expected a number, got 1j"),
        (bool, 1, "here: expected true or false, got 1"),
        (bool, "true", "here: expected true or false, got 'true'"),
        (str, 3, "here: expected a text, got 3"),
        (str, b"x", "here: expected a text, got b'x'"),
        (Path, 3, "here: expected a path, got 3"),
        (int | None, "x", "here: expected an integer or nothing, got 'x'"),
        (Literal["a", "b"], "c", "here: expected one of 'a', 'b', got 'c'"),
        (Literal[1, 2], True, "here: expected one of 1, 2, got True"),
        (Literal[1, 2], 1.0, "here: expected one of 1, 2, got 1.0"),
        (tuple[int, ...], 3, "here: expected a list, each an integer, got 3"),
        (tuple[int, ...], "12", "here: expected a list, each an integer, got '12'"),
        (tuple[int, ...], [1, "x", 3], "here[1]: expected an integer, got 'x'"),
        (tuple[float, float], [1], "here: expected a list of a number, a number, got [1]"),
        (tuple[float, float], [1, 2, 3], "here: expected a list of a number, a number, got [1, 2, 3]"),
        (tuple[tuple[int, ...], ...], [[1], [2.5]], "here[1][0]: expected an integer, got 2.5"),
        (tuple[float, ...] | Literal["balanced"], "bal", "here: expected a list, each a number or one of 'balanced', "),
    ],
)
def test_values_that_do_not_fit(hint, value, problem):
    """Nothing is coerced in silence; the message has the path, what was expected and what was given."""
    result, problems = converted(value, hint)
    assert result is INVALID
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_a_number_beyond_floating_point_is_refused():
    """TOML's integers have no bounds, floating point has."""
    result, problems = converted(10**400, float)
    assert result is INVALID
    assert problems[0].startswith("here: expected a number, got 1000")


def test_every_item_of_a_list_is_told():
    """Two wrong items are two problems."""
    assert converted(["x", 2, None], tuple[int, ...])[1] == [
        "here[0]: expected an integer, got 'x'",
        "here[2]: expected an integer, got None",
    ]


def test_what_only_python_can_give_passes_by_its_type():
    """A component of one's own may take arrays or generators; other things are refused there as anywhere."""
    rng = np.random.default_rng(0)
    assert converted(rng, np.random.Generator)[0] is rng
    assert converted([1, 2], list[int])[0] == [1, 2]
    assert converted("x", np.random.Generator)[1] == ["here: expected Generator, got 'x'"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(anything)
def test_whatever_is_given_is_used_or_refused(value):
    """No input makes convert raise; it returns a value of the type, or INVALID with a problem."""
    for hint in (int, float, bool, str, Literal["a", "b"], tuple[int, ...], Path, Initializer | str, int | None):
        result, problems = converted(value, hint)
        assert (result is INVALID) == bool(problems)


@pytest.mark.parametrize(("kind", "name"), BUILT_INS)
def test_every_option_of_every_built_in_refuses_what_it_cannot_be(kind, name):
    """An empty table is no value of any option; the problem stands at that option's path."""
    for option in options_of(REGISTRY.get(kind, name)):
        with pytest.raises(ConfigError) as caught:
            REGISTRY.create(kind, {"type": name, option: {}})
        assert option in {problem.path for problem in caught.value.problems}


@pytest.mark.parametrize(("kind", "name"), BUILT_INS)
def test_every_misspelt_option_of_every_built_in_is_told(kind, name):
    """With its last letter doubled, the option itself is what is suggested."""
    for option in options_of(REGISTRY.get(kind, name)):
        with pytest.raises(ConfigError) as caught:
            REGISTRY.create(kind, {"type": name, option + option[-1]: 1})
        assert f"has no option {option + option[-1]!r}; did you mean {option!r}?" in str(caught.value)


@frozen
class Inner:
    """A table of its own."""

    x: int = field(default=1, validator=ge(1))
    required: str = field(kw_only=True)


def _below(instance: Any, attribute: Any, value: int) -> None:
    if value > instance.high:
        raise ValueError(f"low = {value} is above high = {instance.high}")


@frozen
class Outer:
    """Options that need looking at together."""

    low: int = field(default=0, validator=_below)
    high: int = field(default=10, validator=[ge(0), lt(100)])
    inner: Inner = field(factory=lambda: Inner(required="x"))
    colour: str = field(default="red", validator=in_(("red", "blue")))


def filled(table: dict[str, Any]) -> tuple[Any, list[str]]:
    """What ``fill`` makes of a table for Outer, and the problems it noted."""
    problems: list[Problem] = []
    return fill(Outer, table, "top", REGISTRY, problems, "[top]"), [str(problem) for problem in problems]


def test_a_table_in_a_table():
    """An attrs class as a type is a table with options of its own."""
    assert filled({"high": 5, "inner": {"x": 2, "required": "y"}}) == (Outer(0, 5, Inner(2, required="y")), [])
    inner = Inner(required="z")
    assert filled({"inner": inner}) == (Outer(inner=inner), [])


def test_all_problems_at_once_each_with_its_path():
    """Unknown, missing, of the wrong type and refused by a validator, on two levels, in one go."""
    result, problems = filled({"hight": 3, "high": 100, "low": "x", "inner": {"x": 0, "z": 1}, "colour": "pink"})
    assert result is INVALID
    assert problems == [
        "top.hight: [top] has no option 'hight'; did you mean 'high'?",
        "top.low: expected an integer, got 'x'",
        "top.high: must be < 100: 100",
        "top.inner.z: [top.inner] has no option 'z'; it has x, required",
        "top.inner.x: must be >= 1: 0",
        "top.inner: [top.inner] needs option 'required', a text",
        "top.colour: must be in ('red', 'blue') (got 'pink')",
    ]


def test_a_validator_that_compares_two_options():
    """It cannot run before both are known; its problem then stands at the table's path."""
    assert filled({"low": 11}) == (INVALID, ["top: low = 11 is above high = 10"])
    assert filled({"low": 11, "high": 20}) == (Outer(11, 20), [])


def test_keys_that_are_no_text():
    """A dict from Python may have any key."""
    assert filled({3: 1})[1] == ["top.3: [top] has no option 3; it has low, high, inner, colour"]


def test_control_characters_in_keys_are_escaped():
    """A key is printed in the path."""
    problems = filled({"\x1b]0;owned\x07": 1})[1]
    assert problems[0].isprintable()


@pytest.mark.parametrize(
    "init",
    ["normal", {"type": "normal"}, Normal(), {"type": "nnplug:normal", "std": Normal().std}],
    ids=["name", "table", "instance", "qualified"],
)
def test_nested_components_by_name_table_and_instance(init):
    """All three ways give the same component."""
    assert REGISTRY.create("layer", {"type": "affine", "units": 3, "weight_init": init}) == Affine(
        3, weight_init=Normal()
    )


def test_names_in_defaults_are_resolved():
    """An option's default may be a registry name; what is built holds the component."""
    assert REGISTRY.create("layer", {"type": "affine", "units": 3}).weight_init == He()


@frozen
class Defaults:
    """Defaults of every sort."""

    rate: float = 1
    path: Path | str = "x"
    sizes: tuple[int, ...] = field(factory=lambda: [1, 2])
    twice: float = field(default=Factory(lambda self: 2 * self.rate, takes_self=True))


def test_defaults_are_held_to_their_types_too():
    """What is left out gives the same as what is written down, so that a config survives being written out."""
    problems: list[Problem] = []
    made = fill(Defaults, {"rate": 3}, "", REGISTRY, problems, "it")
    assert (problems, made) == ([], Defaults(3.0, Path("x"), (1, 2), 6.0))
    assert type(made.rate) is float


def test_a_plugins_wrong_default_is_told():
    """With the option's path, like a wrong value."""

    @frozen
    class Wrong:
        units: int = 0.5

    problems: list[Problem] = []
    assert fill(Wrong, {}, "here", REGISTRY, problems, "it") is INVALID
    assert [str(problem) for problem in problems] == ["here.units: expected an integer, got 0.5"]


def test_problems_of_a_nested_component_have_the_whole_path():
    """From the layer down to the initializer's option, and the suggestion there."""
    spec = {"type": "chain", "layers": ["relu", {"type": "affine", "units": 1, "weight_init": {"type": "normal"}}]}
    spec["layers"][1]["weight_init"]["sdt"] = 1.0
    with pytest.raises(ConfigError) as caught:
        REGISTRY.create("layer", spec)
    assert str(caught.value) == ("layers[1].weight_init.sdt: normal has no option 'sdt'; did you mean 'std'?")


@pytest.mark.parametrize("value", [3, None, [], {}, {"units": 3}, Affine, He()])
def test_what_is_no_component_is_refused(value):
    """A class, another kind's component, a table without a type."""
    with pytest.raises(ConfigError, match=r"^expected the name of a layer or a table with a 'type', got "):
        REGISTRY.create("layer", value)


@pytest.mark.parametrize("value", [3, None, {}, ["relu"], float("nan")])
def test_a_type_that_is_no_text_is_told_with_its_own_path(value):
    """Whatever else the table holds."""
    with pytest.raises(ConfigError) as caught:
        REGISTRY.create("layer", {"type": "chain", "layers": ["relu", {"type": value, "units": 3}]})
    assert str(caught.value) == f"layers[1].type: expected the name of a layer, got {value!r}"


@pytest.mark.parametrize(
    ("error", "message"),
    [(ValueError("x must be 0 today"), "x must be 0 today"), (ValueError(), "ValueError"), (KeyError(3), "3")],
)
def test_a_component_that_refuses_its_options_when_it_is_made(error, message):
    """An error from ``__attrs_post_init__`` is told like a validator's, at the component's path."""
    registry = Registry()

    @registry.register
    @frozen
    class Picky(Layer):
        x: int = 0

        def __attrs_post_init__(self):
            if self.x:
                raise error

        def plan(self, x): ...
        def forward(self, params, x, ctx): ...
        def backward(self, params, grads, cache, dout, ctx): ...

    with pytest.raises(ConfigError) as caught:
        registry.create("layer", {"type": "chain", "layers": [{"type": "picky", "x": 1}]})
    assert str(caught.value) == f"layers[0]: {message}"
