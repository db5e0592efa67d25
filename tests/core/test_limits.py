"""Limits: what is too large, too deep or no number is told with its path, soon; what people write is far below."""

from __future__ import annotations

import tracemalloc
from math import inf, nan

import pytest

from nnplug import ConfigError
from nnplug.limits import DEPTH, TEXT, VALUES, check_size


def told(content, **options):
    """What is said about content that is too large."""
    with pytest.raises(ConfigError) as caught:
        check_size(content, **options)
    assert len(str(caught.value)) < 300
    return str(caught.value)


def nested(depth):
    """Lists and tables in turn within one another, a number inside."""
    value = 0
    for i in range(depth - 1):
        value = [value] if i % 2 else {"a": value}
    return value


TOO_MANY = f"holds more than {VALUES:,} values, the most that nnplug reads"


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        [0] * (VALUES - 1),
        {str(i): 0 for i in range(VALUES - 1)},
        nested(DEPTH),
        "x" * TEXT,
        10**300,
        -(10**300),
        {"a": [inf, -inf, nan]},
        {"names": ["käfer", "😀"]},
        [object()] * 10,
    ],
    ids=range(11),
)
def test_what_is_let_through(content):
    """Up to the last value; what is no table, list, text or number is none of its business."""
    check_size(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([0] * VALUES, TOO_MANY),
        ({str(i): 0 for i in range(VALUES)}, TOO_MANY),
        ([[0] * 99] * (VALUES // 100 + 1), TOO_MANY),
        ([[]] * VALUES, TOO_MANY),
        ({"a": {"b": ["x" * (TEXT + 1)]}}, "a.b[0]: has 10,001 characters, 10,000 is the most that nnplug reads"),
        ({"a": 1 << 1200}, "a: is an integer of more than 300 digits, the most that nnplug reads"),
        ({"a": -(1 << 1200)}, "a: is an integer of more than 300 digits, the most that nnplug reads"),
        ({"a": "\ud800"}, "a: is half a character, which no file can hold"),
        (
            {"\x1b[2J\u202e": 1 << 1200},
            r"'\x1b[2J\u202e': is an integer of more than 300 digits, the most that nnplug reads",
        ),
    ],
    ids=range(9),
)
def test_what_is_too_much(content, expected):
    """The sentence says what, and where."""
    assert told(content) == expected


@pytest.mark.parametrize("number", [inf, -inf, nan])
def test_numbers_that_a_model_file_cannot_hold(number):
    """They are refused where they could not be written down."""
    expected = f"model.layers[0].max: must be a finite number, since a model file holds no other: {number}"
    assert told({"layers": [{"max": number}]}, path="model", finite=True) == expected


@pytest.mark.parametrize("depth", [DEPTH + 1, 500, 100_000])
def test_what_is_too_deep(depth):
    """However deep, it is looked at without recursion."""
    message = told(nested(depth))
    assert message.endswith(f"...: is nested more than {DEPTH} deep, the most that nnplug reads")


def test_the_source_is_named():
    """As in every error about a config."""
    assert told([0] * VALUES, source="x.toml") == f"x.toml: {TOO_MANY}"


def test_millions_cost_no_more_than_thousands():
    """A list of ten million and lists that hold each other a million times are given up after `VALUES`."""
    ten = [0] * 10
    for _ in range(7):
        ten = [ten] * 10
    tracemalloc.start()
    try:
        assert told(ten) == told([0] * 10**7) == TOO_MANY
        assert tracemalloc.get_traced_memory()[1] < 120 * 2**20
    finally:
        tracemalloc.stop()
