"""``nnplug show``: kinds, names, components, presets."""

from __future__ import annotations

import json
import tomllib

import pytest

from nnplug.cli.show import PLURALS
from nnplug.hookspecs import KINDS
from nnplug.presets import find_preset, preset_text
from nnplug.registry import default_registry

PRESET = """\
# A preset\twith a tab, and a bell: \\u0007
seed = 1
data = "digits"
model = { layers = [{ type = "affine", units = 10 }] }
"""

METRIC = '''
from attrs import field, frozen
from nnplug import Metric, Schedule, default_registry, hookimpl

@frozen
class Bargain(Metric):
    """The price per row, with a discount for those who
    wait until the end of the ``line``.

        price = sum(scores) / N::
          paid in full

    Args:
        price: what it costs, in units of the last axis,
            before the discount.
        ways: how.
    """

    price: float
    ways: tuple[int, ...] = (1, 2)
    word: str = 'a "b"'
    schedule: Schedule | str = field(factory=lambda: default_registry().create("schedule", "constant"))
    limit: float | None = None

    def __call__(self, scores, targets):
        return 0.0

@hookimpl
def nnplug_metrics():
    return {"bargain": Bargain}
'''


def test_kinds(cli):
    """Without arguments: every kind, how many names it has, and which."""
    done = cli("show")
    lines = {line.split()[0]: line for line in done.out.splitlines() if not line.startswith(" ")}
    assert list(lines) == [*KINDS, "preset"]
    assert lines["loss"] == "loss           4  binary_cross_entropy, mse, softmax, svm"


def test_kinds_as_json(process):
    """The same as one object: kind -> names."""
    found = json.loads(process("show", "--json").out)
    registry = default_registry()
    assert {kind: found[kind] for kind in KINDS} == {kind: registry.names(kind) for kind in KINDS}
    assert "scratch-two-layer" in found["preset"]


@pytest.mark.parametrize("given", ["update_rule", "update_rules", "update-rule", "update-rules", "Update-Rules"])
def test_kinds_have_several_spellings(cli, given):
    """Singular and plural, underscores and dashes mean the same."""
    assert cli("show", given).out == cli("show", "update_rule").out


@pytest.mark.parametrize("kind", PLURALS)
def test_every_kind_lists_its_names_with_a_line_each(cli, kind):
    """A listing describes every name in one line, which the JSON repeats."""
    listed = json.loads(cli("show", kind, "--json").out)
    assert listed["kind"] == kind
    lines = cli("show", PLURALS[kind]).out.splitlines()[1:]
    for line, row in zip(lines, listed["names"], strict=True):
        assert line.split()[0] == row["name"]
        assert row["distribution"] == "nnplug"
        assert row["description"], row
        assert line.endswith(row["description"])


def test_unknown_kind(cli):
    """A typo is answered by a kind, a component's name by the command that shows it."""
    done = cli("show", "layrs")
    assert done.code == 2
    assert done.err.startswith("nnplug: error: there is no kind 'layrs'; did you mean 'layers'? The kinds are: layer, ")
    done = cli("show", "affine")
    assert done.code == 2
    assert done.err.startswith("nnplug: error: there is no kind 'affine'; try: nnplug show layer affine. The kinds ")


def test_unknown_name(cli):
    """A name that nobody provides is wrong usage."""
    done = cli("show", "layer", "afine")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("nnplug: error: no layer is called 'afine'; did you mean 'affine'? There are: ")
    done = cli("show", "preset", "digts")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("nnplug: error: no preset is called 'digts'; did you mean 'digits'? There are: ")


def test_component(process, site):
    """Where it comes from, its text reflowed, its formula as it is, its options with type, default and help."""
    site.add("shop", "0.5", group="metrics", bargain=METRIC)
    done = process("show", "metric", "bargain", path=site.path, COLUMNS="60")
    assert done.out == (
        "bargain: metric of shop 0.5\n"
        "\n"
        "  The price per row, with a discount for those who wait\n"
        "  until the end of the line.\n"
        "\n"
        "      price = sum(scores) / N:\n"
        "        paid in full\n"
        "\n"
        "option    type                             default\n"
        "price     a number                         required\n"
        "    what it costs, in units of the last axis, before the\n"
        "    discount.\n"
        "ways      a list, each an integer          [1, 2]\n"
        "    how.\n"
        'word      a text                           "a \\"b\\""\n'
        'schedule  the name or table of a schedule  { type = "constant", warmup = 0 }\n'
        "limit     a number or nothing              none\n"
    )


def test_component_as_json(process, site):
    """The same as one object; a default is what a config would hold."""
    site.add("shop", "0.5", group="metrics", bargain=METRIC)
    shown = json.loads(process("show", "metric", "shop:bargain", "--json", path=site.path).out)
    options = shown.pop("options")
    assert shown.pop("description").startswith("The price per row, with a discount for those")
    assert shown == {
        "kind": "metric",
        "name": "bargain",
        "qualified_name": "shop:bargain",
        "distribution": "shop",
        "version": "0.5",
    }
    assert options[0] == {
        "name": "price",
        "type": "a number",
        "required": True,
        "default": None,
        "help": "what it costs, in units of the last axis, before the discount.",
    }
    assert {option["name"]: option["default"] for option in options[1:]} == {
        "ways": [1, 2],
        "word": 'a "b"',
        "schedule": {"type": "constant", "warmup": 0},
        "limit": None,
    }


def test_inherited_options_come_last(cli):
    """A layer's own options stand before those that every layer has."""
    options = json.loads(cli("show", "layer", "affine", "--json").out)["options"]
    assert [option["name"] for option in options] == ["units", "weight_init", "name", "trainable"]


def test_component_without_options(cli):
    """There may be nothing to set."""
    assert cli("show", "callback", "progress").out.endswith("\nIt has no options.\n")


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_can_be_shown(cli, kind):
    """Every option of every built-in has a type in words and a help text."""
    for name in default_registry().names(kind):
        done = cli("show", kind, name, "--json")
        assert done.code == 0
        for option in json.loads(done.out)["options"]:
            assert option["help"], f"{kind} {name}: {option['name']} has no help"
            assert "typing" not in option["type"]
            assert "<" not in option["type"]
        assert cli("show", kind, name).out.startswith(f"{name}: ")


def test_preset_is_printed_as_it_is(cli):
    """What is printed can be saved and trained."""
    entry = find_preset("digits")
    done = cli("show", "preset", "digits")
    assert done.out == preset_text(entry)
    shown = json.loads(cli("show", "preset", "digits", "--json").out)
    assert shown["config"] == tomllib.loads(done.out)
    assert shown["qualified_name"] == "nnplug:digits"


def test_presets_of_others(process, site):
    """A plugin's presets are found, described by their first comment, and printed with their tabs."""
    site.add("recipes", version="3", group="presets")
    info = next(site.path.glob("recipes-*"))
    (info / "entry_points.txt").write_text(
        "[nnplug.presets]\nsoup = recipes_presets\nlost = recipes_presets\n", encoding="utf-8"
    )
    (site.path / "recipes_presets").mkdir()
    (site.path / "recipes_presets/__init__.py").write_text("", encoding="utf-8")
    (site.path / "recipes_presets/soup.toml").write_text(PRESET, encoding="utf-8")
    rows = {row["name"]: row for row in json.loads(process("show", "presets", "--json", path=site.path).out)["names"]}
    assert rows["soup"]["description"] == "A preset\twith a tab, and a bell: \\u0007"
    assert "No such file" in rows["lost"]["error"]
    assert process("show", "preset", "soup", path=site.path).out == PRESET
    lost = process("show", "preset", "lost", path=site.path)
    assert (lost.code, lost.out) == (1, "")
    assert lost.err.startswith(
        "nnplug: error: the preset 'lost' of recipes 3 (module recipes_presets) cannot be read: "
    )


def test_broken_plugin_harms_only_its_own_line(process, site, layer_code):
    """A listing survives a plugin that cannot be imported, and says which it is."""
    site.add("ruin", "0.3", ruin=layer_code("ruin", before="raise ValueError('oh\\x1b[31m no')\n"))
    site.add("good", "0.4", fine=layer_code("fine", doc="Works \x1b[31mfine."))
    done = process("show", "layers", path=site.path)
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "cannot be used: the layer 'ruin' of ruin 0.3 (module ruin_ruin) cannot be used: " in lines["ruin"]
    assert "oh\\x1b[31m no" in lines["ruin"]
    assert lines["fine"].split(maxsplit=2)[1:] == ["good", "Works \\x1b[31mfine."]
    assert lines["affine"].split(maxsplit=2)[1] == "nnplug"
    done = process("show", "layer", "ruin", path=site.path)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("nnplug: error: the layer 'ruin' of ruin 0.3 (module ruin_ruin) cannot be used: ")


def test_two_plugins_with_one_name(process, site, layer_code):
    """A name that two claim says what to write instead; the qualified name can be shown."""
    site.add("one", same=layer_code("same", doc="First."))
    site.add("two", same=layer_code("same", doc="Second."))
    row = next(
        r for r in json.loads(process("show", "layers", "--json", path=site.path).out)["names"] if r["name"] == "same"
    )
    assert row["error"] == "several plugins provide the layer 'same'; write 'one:same' or 'two:same'"
    assert row["qualified_name"] is None
    done = process("show", "layer", "two:same", path=site.path)
    assert done.out.startswith("same: layer of two 1.0\n\n  Second.\n")
