"""The switches alone: which entries they allow, how they combine, what the environment says."""

from __future__ import annotations

import pytest

from nnplug import ConfigError
from nnplug.discovery import Entry
from nnplug.switches import Switches

BUILT_IN = Entry("layer", "relu", "nnplug", "nnplug_builtins.relu", "1.0")
STRANGER = Entry("layer", "swish", "nnplug-swish", "nnplug_swish", "1.0")
OTHER = Entry("loss", "swish", "other", "other.swish", "1.0")
OWN = Entry("layer", "mine", "__main__", "__main__", in_process=True)
ALL = {"built-in": BUILT_IN, "stranger": STRANGER, "other": OTHER, "own": OWN}


def allowed(switches):
    """Which of the four may be used."""
    return {name for name, entry in ALL.items() if switches.allows(entry)}


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (Switches(), {"built-in", "stranger", "other", "own"}),
        (Switches(disable=["other"]), {"built-in", "stranger", "own"}),
        (Switches(disable=["Nnplug_Swish"]), {"built-in", "other", "own"}),
        (Switches(disable=["nnplug.swish:swish"]), {"built-in", "other", "own"}),
        (Switches(disable=["nnplug-swish:other"]), {"built-in", "stranger", "other", "own"}),
        (Switches(disable=["swish"]), {"built-in", "stranger", "other", "own"}),
        (Switches(disable=["nnplug"]), {"stranger", "other", "own"}),
        (Switches(disable=["nnplug:relu"]), {"stranger", "other", "own"}),
        (Switches(disable=["__main__"]), {"built-in", "stranger", "other"}),
        (Switches(only=["other"]), {"built-in", "other", "own"}),
        (Switches(only=["nnplug"]), {"built-in", "own"}),
        (Switches(only=["other"], disable=["nnplug"]), {"other", "own"}),
        (Switches(only=["other"], disable=["other"]), {"built-in", "own"}),
        (Switches(autoload=False), {"own"}),
        (Switches(autoload=False, only=["NNPLUG_swish"]), {"stranger", "own"}),
        (Switches(autoload=False, only=["nnplug"]), {"built-in", "own"}),
        (Switches(autoload=False, only=["nnplug"], disable=["nnplug:relu"]), {"own"}),
        (Switches(disable=["", ":relu"]), {"built-in", "stranger", "other", "own"}),
    ],
)
def test_what_is_allowed(switches, expected):
    """Distributions in any spelling; ``only`` keeps the built-ins, ``autoload`` keeps nothing but ``only``."""
    assert allowed(switches) == expected


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (Switches(disable=["other"]), Switches(disable=["nnplug-swish"]), {"built-in", "own"}),
        (Switches(), Switches(only=["other"]), {"built-in", "other", "own"}),
        (Switches(only=["other"]), Switches(), {"built-in", "other", "own"}),
        (Switches(only=["other", "nnplug-swish"]), Switches(only=["other"]), {"built-in", "other", "own"}),
        (Switches(only=["nnplug-swish"]), Switches(only=["other"]), {"built-in", "own"}),
        (Switches(only=["other"]), Switches(autoload=False), {"other", "own"}),
        (Switches(autoload=False), Switches(), {"own"}),
        (Switches(), Switches(autoload=False), {"own"}),
        (Switches(only=["other"]), Switches(only=["nnplug-swish"], autoload=False), {"own"}),
        (Switches(only=["nnplug", "other"], autoload=False), Switches(only=["other"]), {"built-in", "other", "own"}),
    ],
)
def test_what_either_switches_off_is_off(inner, outer, expected):
    """A config cannot switch on what the environment switched off."""
    assert allowed(inner.within(outer)) == expected
    assert allowed(outer.within(inner)) == expected


def test_the_inner_ones_prefer_first():
    """The config before the environment."""
    assert Switches(prefer=["a"]).within(Switches(prefer=["B_c", "a"])).prefer == ("a", "b-c", "a")


def test_autoload_is_a_switch(monkeypatch):
    """What looks like "off" and is not understood is no "on"."""
    monkeypatch.setenv("NNPLUG_AUTOLOAD", "false")
    with pytest.raises(ConfigError) as caught:
        Switches.of_environment()
    assert str(caught.value) == "NNPLUG_AUTOLOAD: expected 0 or 1, got 'false'"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("NNPLUG_DISABLE", "other, Nnplug.Swish", {"built-in", "own"}),
        ("NNPLUG_DISABLE", " nnplug:relu\n", {"stranger", "other", "own"}),
        ("NNPLUG_DISABLE", "", {"built-in", "stranger", "other", "own"}),
        ("NNPLUG_ONLY", "other", {"built-in", "other", "own"}),
        ("NNPLUG_ONLY", " , ", {"built-in", "stranger", "other", "own"}),
        ("NNPLUG_AUTOLOAD", "0", {"own"}),
        ("NNPLUG_AUTOLOAD", "1", {"built-in", "stranger", "other", "own"}),
    ],
)
def test_the_environment(monkeypatch, variable, value, expected):
    """Names between commas or blanks; an empty variable says nothing."""
    monkeypatch.setenv(variable, value)
    assert allowed(Switches.of_environment()) == expected
