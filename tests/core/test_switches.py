"""Switches: which plugins may be used, by config, by environment and from Python."""

from __future__ import annotations

import pytest

from nnplug import Registry, RegistryError
from nnplug.discovery import Entry
from nnplug.switches import Switches
from tests.core.conftest import HOOK, LAYER

AFFINE = Entry("layer", "affine", "nnplug", "nnplug_builtins.affine", "0.1")
CONV = Entry("layer", "conv2d", "nnplug-conv", "nnplug_conv.conv2d", "1.0")
POOL = Entry("layer", "pool", "nnplug-conv", "nnplug_conv.pool", "1.0")
ALIKE = Entry("layer", "alike", "alike", "alike", "1.0")  # a distribution called as its module
MINE = Entry("layer", "mine", "my_module", "my_module", in_process=True)
ALL = [AFFINE, CONV, POOL, ALIKE, MINE]

VARIABLES = ("NNPLUG_PREFER", "NNPLUG_DISABLE", "NNPLUG_ONLY", "NNPLUG_AUTOLOAD")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """Nobody's own environment decides."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("switches", "allowed"),
    [
        (Switches(), ALL),
        (Switches(disable=["nnplug-conv"]), [AFFINE, ALIKE, MINE]),
        (Switches(disable=["NNPLUG_conv"]), [AFFINE, ALIKE, MINE]),
        (Switches(disable=["nnplug_conv:pool"]), [AFFINE, CONV, ALIKE, MINE]),
        (Switches(disable=["nnplug-conv:Pool"]), ALL),
        (Switches(disable=["nnplug"]), [CONV, POOL, ALIKE, MINE]),
        (Switches(disable=["my_module"]), [AFFINE, CONV, POOL, ALIKE]),
        (Switches(disable=["my-module:mine"]), [AFFINE, CONV, POOL, ALIKE]),
        (Switches(disable=["", ":pool", "nothing"]), ALL),
        (Switches(only=["Nnplug.Conv"]), [AFFINE, CONV, POOL, MINE]),
        (Switches(only=["nothing"]), [AFFINE, MINE]),
        (Switches(only=["nnplug-conv"], disable=["nnplug-conv:conv2d"]), [AFFINE, POOL, MINE]),
        (Switches(autoload=False), [MINE]),
        (Switches(autoload=False, only=["nnplug-conv"]), [CONV, POOL, MINE]),
        (Switches(autoload=False, only=["nnplug", "alike"]), [AFFINE, ALIKE, MINE]),
    ],
)
def test_what_is_allowed(switches, allowed):
    """Built-ins and what one registered stay where they are not switched off themselves."""
    assert [entry for entry in ALL if switches.allows(entry)] == allowed


@pytest.mark.parametrize(
    ("inner", "outer", "both"),
    [
        (Switches(), Switches(), Switches()),
        (Switches(prefer=["a"]), Switches(prefer=["b"]), Switches(prefer=["a", "b"])),
        (Switches(disable=["a"]), Switches(disable=["b:x"]), Switches(disable=["a", "b:x"])),
        (Switches(only=["a"]), Switches(), Switches(only=["a"])),
        (Switches(), Switches(only=["b"]), Switches(only=["b"])),
        (Switches(only=["a", "b"]), Switches(only=["b", "c"]), Switches(only=["b"])),
        (Switches(autoload=False), Switches(), Switches(autoload=False)),
        (Switches(), Switches(autoload=False), Switches(autoload=False)),
    ],
)
def test_switches_within_others(inner, outer, both):
    """What either one switches off is off; the nearer one's preferences come first."""
    assert inner.within(outer) == both


def test_two_lists_without_a_common_name_allow_nothing_but_nnplug():
    """They do not cancel each other."""
    both = Switches(only=["alike"]).within(Switches(only=["nnplug-conv"]))
    assert [entry for entry in ALL if both.allows(entry)] == [AFFINE, MINE]


@pytest.mark.parametrize(
    ("environment", "switches"),
    [
        ({}, Switches()),
        ({"NNPLUG_PREFER": " a, B_b\tc "}, Switches(prefer=["a", "b-b", "c"])),
        ({"NNPLUG_DISABLE": "a:x,b"}, Switches(disable=["a:x", "b"])),
        ({"NNPLUG_ONLY": "a b"}, Switches(only=["a", "b"])),
        ({"NNPLUG_ONLY": " , "}, Switches()),
        ({"NNPLUG_AUTOLOAD": "0"}, Switches(autoload=False)),
        ({"NNPLUG_AUTOLOAD": "1"}, Switches()),
    ],
)
def test_switches_of_the_environment(monkeypatch, environment, switches):
    """Names stand between commas or blanks."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert Switches.of_environment() == switches


@pytest.mark.parametrize(
    "environment", [{"NNPLUG_DISABLE": "acme"}, {"NNPLUG_ONLY": "other"}, {"NNPLUG_AUTOLOAD": "0"}]
)
def test_a_plugin_that_is_switched_off_is_never_imported(install, run_python, environment):
    """Although a config names it: its module would say so."""
    install(modules={"acme_twice": "print('imported')\n" + LAYER + HOOK})
    told = run_python(
        """
        import nnplug
        try:
            nnplug.build(["acme:twice"], input_shape=3)
        except nnplug.ConfigError as error:
            print(error.problems[0])
        """,
        **environment,
    )
    assert told == (
        "model.layers[0]: the layer 'acme:twice' is switched off (it comes from acme 1.0 (module acme_twice))"
    )


def test_a_distribution_called_as_its_module_is_no_exception(install):
    """It is installed like any other, and not registered in this process."""
    install(groups={"nnplug.layers": {"twice": "acme"}}, modules={"acme": LAYER + HOOK})
    with pytest.raises(RegistryError, match="the layer 'twice' is switched off"):
        Registry(only=["other"]).get("layer", "twice")


def test_views_add_switches_and_take_none_away(install):
    """A config cannot bring back what the registry it is read with has switched off."""
    install()
    view = Registry(disable=["acme"]).configured(Switches(prefer=["acme"], only=["acme"]))
    assert "twice" not in view.names("layer")
    assert view.names("layer") == Registry(disable=["acme"]).names("layer")
