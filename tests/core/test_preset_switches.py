"""Presets of strangers: they are switched, preferred and isolated as components are."""

from __future__ import annotations

import sys

import pytest

from nnplug import PluginError, RegistryError
from nnplug.presets import find_preset, preset_entries, read_preset

GROUP = "nnplug.presets"


@pytest.fixture
def presets(install, site):
    """Two distributions with a preset ``tiny``, one of them with a ``digits`` of its own."""
    install("one", groups={GROUP: {"tiny": "one_presets"}}, modules={"one_presets.__init__": ""})
    install(
        "two", groups={GROUP: {"tiny": "two_presets", "digits": "two_presets"}}, modules={"two_presets.__init__": ""}
    )
    for folder, name in (("one_presets", "tiny"), ("two_presets", "tiny"), ("two_presets", "digits")):
        (site / folder / f"{name}.toml").write_text(f'data = "{folder}"\n', encoding="utf-8")


def test_two_with_one_name(presets):
    """An error that lists both; the qualified name works; a built-in keeps its bare name."""
    with pytest.raises(RegistryError, match="several plugins have a preset 'tiny'; write one:tiny or two:tiny"):
        read_preset("tiny")
    assert read_preset("Two:tiny") == {"data": "two_presets"}
    assert find_preset("digits").distribution == "nnplug"


@pytest.mark.parametrize("name", ["tiny", "digits"])
def test_one_is_preferred(presets, monkeypatch, name):
    """By the environment, over a built-in too."""
    monkeypatch.setenv("NNPLUG_PREFER", "two")
    assert read_preset(name) == {"data": "two_presets"}


@pytest.mark.parametrize(("variable", "value"), [("NNPLUG_DISABLE", "one"), ("NNPLUG_ONLY", "two")])
def test_one_is_switched_off(presets, monkeypatch, variable, value):
    """It is not offered and its package is not imported."""
    monkeypatch.setenv(variable, value)
    assert read_preset("tiny") == {"data": "two_presets"}
    assert "one:tiny" not in [entry.qualified for entry in preset_entries()]
    with pytest.raises(RegistryError, match="no preset is called 'one:tiny'"):
        read_preset("one:tiny")
    assert "one_presets" not in sys.modules


def test_the_built_ins_are_switched_off(presets, monkeypatch):
    """nnplug is still installed, and nobody is told otherwise."""
    monkeypatch.setenv("NNPLUG_DISABLE", "nnplug")
    assert find_preset("digits").distribution == "two"
    with pytest.raises(RegistryError, match=r"no preset is called 'mnist'.* There are: "):
        find_preset("mnist")


@pytest.mark.parametrize("code", ["1 / 0", "raise SystemExit(3)"])
def test_a_package_that_cannot_be_imported(install, code):
    """An error of the plugin's, which names it."""
    install("bad", groups={GROUP: {"ruin": "bad_presets"}}, modules={"bad_presets.__init__": code})
    with pytest.raises(PluginError, match=r"the preset 'ruin' of bad 1\.0 \(module bad_presets\) cannot be read: "):
        read_preset("ruin")
