"""Discovery and loading: real distributions in a folder on sys.path, well made and broken."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import nnplug
from nnplug import PluginError, Registry, RegistryError
from nnplug.discovery import discover, normalise
from tests.core.conftest import HOOK, LAYER

LISTING = """
import json, sys
from nnplug import Registry
from nnplug.hookspecs import KINDS
registry = Registry()
names = {kind: registry.names(kind) for kind in KINDS}
listed = [(l.entry.qualified, l.status) for l in registry.listing()]
found = registry.find("layer", "twice").qualified
print(json.dumps([names, listed, found, [m for m in sys.modules if m.startswith(("nnplug_builtins", "acme"))]]))
"""


# The index


def test_names_come_from_metadata_and_nothing_is_imported(install, run_python):
    """Listing, and finding a name's entry, import no plugin: not the built-ins, not the stranger, not its package."""
    install(groups={"nnplug.layers": {"twice": "acme.sub.twice"}}, modules={"acme.sub.twice": "raise SystemExit"})
    names, listed, found, imported = json.loads(run_python(LISTING))
    assert {"affine", "chain", "relu", "twice"} <= set(names["layer"])
    assert "adam" in names["update_rule"]
    assert "mnist" in names["data_loader"]
    assert ["acme:twice", "available"] in listed
    assert found == "acme:twice"
    assert imported == []


def test_a_plugin_is_imported_alone(install, run_python):
    """Asking for one name imports its module and no other plugin's."""
    install(
        groups={"nnplug.layers": {"twice": "acme_twice", "other": "acme_other"}},
        modules={"acme_twice": LAYER + HOOK, "acme_other": "raise ValueError"},
    )
    imported = run_python(
        """
        import sys
        from nnplug import Registry
        Registry().get("layer", "twice")
        print(*sorted(m for m in sys.modules if m.startswith(("nnplug_builtins", "acme"))))
        """
    )
    assert imported == "acme_twice"


def test_nnplug_itself_is_discovered():
    """Every built-in, the chain too, comes through an entry point."""
    entries = {(entry.kind, entry.name): entry for entry in discover().entries}
    assert entries["layer", "chain"].module == "nnplug.chain"
    assert entries["layer", "affine"].qualified == "nnplug:affine"
    assert entries["layer", "affine"].version


def test_the_first_on_the_path_counts(install, tmp_path, monkeypatch):
    """Of two installed versions the one that Python would import is listed, once."""
    install(version="2.0")
    second = tmp_path / "second" / "acme-1.0.dist-info"
    second.mkdir(parents=True)
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme\nVersion: 1.0\n")
    (second / "entry_points.txt").write_text("[nnplug.layers]\nold = acme_old\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(second.parent)])
    assert [(e.name, e.version) for e in discover().entries if e.distribution == "acme"] == [("twice", "2.0")]


@pytest.mark.parametrize("name", ["Acme_Layers", "acme.layers", "ACME-layers", "acme__layers"])
def test_distributions_are_called_as_pip_calls_them(install, name):
    """However the name is written, the qualified name is the normalised one, and each spelling finds it."""
    install(name)
    assert normalise(name) == "acme-layers"
    registry = Registry()
    assert registry.find("layer", "twice").qualified == "acme-layers:twice"
    assert registry.find("layer", f"{name}:twice").version == "1.0"


def test_other_peoples_entry_points_are_left_alone(install):
    """Groups that are not ours, even under our prefix, give no entries."""
    install(groups={"console_scripts": {"x": "acme:main"}, "nnplug.gizmos": {"y": "acme"}, "other": {"z": "acme"}})
    assert not [entry for entry in discover().entries if entry.distribution == "acme"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("METADATA", b"\xff\xfe broken"),
        ("METADATA", b""),
        ("METADATA", None),
        ("entry_points.txt", b"[nnplug.layers\ntwice"),
        ("entry_points.txt", b"[nnplug.layers]\nno value"),
        ("entry_points.txt", b"\xff[nnplug.layers]\ntwice = acme"),
    ],
)
def test_a_neighbour_with_broken_metadata_harms_nobody(install, file, content):
    """The others are listed; a folder without METADATA is no distribution."""
    info = install()
    if content is None:
        (info / file).unlink()
    else:
        (info / file).write_bytes(content)
    install("good", groups={"nnplug.layers": {"good": "good_module"}}, modules={})
    registry = Registry()
    assert registry.find("layer", "good").qualified == "good:good"
    assert "affine" in registry.names("layer")
    assert registry.get("layer", "relu").__name__ == "Relu"


def test_control_characters_in_metadata_are_escaped(install):
    """A name, a version or a module that would clear the screen is shown as text."""
    install("acme", "1.0\x1b[2J", groups={"nnplug.layers": {"tw\x1b[31mice": "mod\x1b[0mule"}}, modules={})
    entry = next(entry for entry in discover().entries if entry.distribution == "acme")
    assert (entry.provenance + entry.qualified).isprintable()
    with pytest.raises(RegistryError) as caught:
        Registry().get("layer", "no_such")
    assert str(caught.value).isprintable()


def test_without_metadata_the_message_says_what_to_run(run_python):
    """On the path but not installed: the way out, each time one asks, and not "unknown layer"."""
    told = run_python(
        """
        import sys, sysconfig
        import nnplug, nnplug.registry, importlib.metadata
        sys.path[:] = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
        registry = nnplug.Registry()
        for ask in (lambda: registry.names("layer"), lambda: registry.get("layer", "affine"),
                    lambda: registry.create("layer", "affine"), registry.listing):
            try:
                ask()
            except nnplug.NnplugError as error:
                print(error)
        """
    )
    expected = (
        "nnplug is on the path but not installed, so its plugins cannot be found; run `pip install -e .` in its folder"
    )
    assert told.splitlines() == [expected] * 4


# Loading


def test_a_stranger_works_like_a_built_in(install):
    """By name, by table, in a model, with help for its options."""
    install()
    registry = Registry()
    model = nnplug.build(["twice", {"type": "acme:twice", "times": 2}], input_shape=3, registry=registry)
    assert model.scores([[1, 2, 3]]).tolist() == [[4, 8, 12]]
    assert [layer.name for layer in model.config.layers] == ["twice1", "twice2"]
    assert registry.versions()["acme"] == "1.0"
    assert registry.describe(model.config.layers[1]) == {
        "type": "twice",
        "name": "twice2",
        "trainable": True,
        "times": 2,
    }


ABSTRACT = """
from attrs import frozen
from nnplug import Layer, hookimpl

@frozen
class Twice(Layer):
    def plan(self, x): ...
"""

# name of the case -> (source of the module, what the message says after "cannot be used: ")
BROKEN = {
    "syntax": ("def (:", r"importing acme_twice failed: SyntaxError: .*"),
    "raises": ("raise ValueError('boom\\nsecond line')", "importing acme_twice failed: ValueError: boom"),
    "raises nothing to say": ("raise ValueError", "importing acme_twice failed: ValueError: "),
    "raises control characters": (
        r"raise ValueError('\x1b[2Jgone')",
        r"importing acme_twice failed: ValueError: \\x1b\[2Jgone",
    ),
    "exits": ("import sys; sys.exit(3)", "importing acme_twice failed: SystemExit: 3"),
    "lacks a dependency": (
        "import no_such_numba",
        "importing acme_twice failed: ModuleNotFoundError: No module named 'no_such_numba'",
    ),
    "no hook": (
        LAYER,
        r"its entry points declare the layer 'twice', but nnplug_layers\(\) does not return it",
    ),
    "not decorated": (
        LAYER + HOOK.replace("@hookimpl", ""),
        r"nnplug_layers is not decorated; write @nnplug\.hookimpl above it",
    ),
    "misspelt": (
        LAYER + HOOK.replace("nnplug_layers", "nnplug_layer"),
        r"nnplug_layer is no hook of nnplug; did you mean 'nnplug_layers'\?",
    ),
    "misspelt and not decorated": (
        LAYER + HOOK.replace("nnplug_layers", "nnplug_leyers").replace("@hookimpl", ""),
        r"nnplug_leyers is no hook of nnplug; did you mean 'nnplug_layers'\?",
    ),
    "no such hook": (
        LAYER + HOOK + "def nnplug_zzzzzzzz(): ...",
        "nnplug_zzzzzzzz is no hook of nnplug; the hooks are nnplug_layers, nnplug_losses, .*",
    ),
    "wrapper": (
        LAYER + HOOK.replace("@hookimpl", "@hookimpl(wrapper=True)").replace("return", "yield; return"),
        r"nnplug_layers is a hook wrapper, which nnplug refuses; write a plain @nnplug\.hookimpl",
    ),
    "old wrapper": (
        LAYER + HOOK.replace("@hookimpl", "@hookimpl(hookwrapper=True)").replace("return", "yield"),
        r"nnplug_layers is a hook wrapper, which nnplug refuses; write a plain @nnplug\.hookimpl",
    ),
    "takes arguments": (
        LAYER + HOOK.replace("layers()", "layers(config)"),
        r"a hook takes no arguments: Argument\(s\) \{'config'\} are declared in the hookimpl but .*",
    ),
    "hook raises": (
        LAYER + HOOK.replace("return", "raise KeyError('x')\n    return"),
        r"nnplug_layers\(\) failed: KeyError: 'x'",
    ),
    "hook exits": (
        LAYER + HOOK.replace("return", "raise SystemExit(1)\n    return"),
        r"nnplug_layers\(\) failed: SystemExit: 1",
    ),
    "returns nothing": (
        LAYER + HOOK.replace("return", "x ="),
        r"nnplug_layers\(\) must return a dict of names and classes, it returned None",
    ),
    "returns a list": (
        LAYER + HOOK.replace('{"twice": Twice}', "[Twice]"),
        r"nnplug_layers\(\) must return a dict of names and classes, it returned \[<class 'acme_twice\.Twice'>\]",
    ),
    "missing name": (
        LAYER + HOOK.replace('{"twice": Twice}', "{}"),
        r"its entry points declare the layer 'twice', but nnplug_layers\(\) does not return it",
    ),
    "extra name": (
        LAYER + HOOK.replace('{"twice": Twice}', '{"twice": Twice, "thrice": Twice}'),
        r"nnplug_layers\(\) returns 'thrice', which .* declares; add it under \[.*nnplug\.layers\W\] and reinstall",
    ),
    "extra kind": (
        LAYER + HOOK + "@hookimpl\ndef nnplug_losses():\n    import nnplug_builtins.mse as m\n    return {'l': m.Mse}",
        r"nnplug_losses\(\) returns 'l', which no entry point declares; .*",
    ),
    "bad name": (
        LAYER + HOOK.replace('{"twice"', '{"Twice": Twice, "twice"'),
        r"'Twice' cannot be a registry name; names match \[a-z\]\[a-z0-9_-\]\*",
    ),
    "name is no text": (
        LAYER + HOOK.replace('{"twice"', '{1: Twice, "twice"'),
        "1 cannot be a registry name; .*",
    ),
    "instance": (
        LAYER + HOOK.replace("Twice}", "Twice()}"),
        r"'twice' must be a class, not Twice\(.*\); return the class itself, without calling it",
    ),
    "not derived": (
        LAYER.replace("Twice(Layer)", "Twice") + HOOK,
        r"'twice': Twice does not derive from nnplug\.Layer",
    ),
    "of another kind": (
        LAYER + HOOK.replace("Twice}", "M}") + "\nfrom nnplug_builtins.mse import Mse as M",
        r"'twice': Mse does not derive from nnplug\.Layer",
    ),
    "no attrs class": (
        LAYER.replace("@frozen", "") + HOOK,
        r"'twice': Twice is no attrs class; write @attrs\.frozen above it",
    ),
    "a dataclass": (
        LAYER.replace("@frozen", "@__import__('dataclasses').dataclass(frozen=True)") + HOOK,
        r"'twice': Twice is no attrs class; write @attrs\.frozen above it",
    ),
    "abstract": (
        ABSTRACT + HOOK,
        r"'twice': Twice lacks what nnplug\.Layer asks for: backward, forward",
    ),
    "option called type": (
        LAYER.replace("times: int = 1", "type: str = ''") + HOOK,
        "'twice': no option can be called 'type', which names the component itself; rename it",
    ),
    "option that may be None": (
        LAYER.replace("times: int = 1", "times: int | None = 1") + HOOK,
        "'twice': the option 'times' of Twice admits None, so None must be its default: .*",
    ),
    "annotation of nothing": (
        "from __future__ import annotations\n" + LAYER.replace("times: int", "times: Nothing") + HOOK,
        r"'twice': the annotations of Twice cannot be read \(name 'Nothing' is not defined\); import .*",
    ),
    "newer API": (
        LAYER + HOOK + "NNPLUG_API = 2",
        "it was written for version 2 of the plugin API, this nnplug has version 1; .*",
    ),
    "API as text": (
        LAYER + HOOK + "NNPLUG_API = '1'",
        "it was written for version '1' of the plugin API, this nnplug has version 1; .*",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_harms_only_who_asks_for_it(install, case):
    """The message names kind, name, distribution, version, module and cause; everything else works before and after."""
    source, cause = BROKEN[case]
    install(modules={"acme_twice": source})
    install("good", "3.1", groups={"nnplug.layers": {"good": "good_module"}}, modules={"good_module": renamed()})
    registry = Registry()
    assert registry.get("layer", "relu").__name__ == "Relu"
    for name in ("twice", "acme:twice"):
        with pytest.raises(PluginError) as caught:
            registry.get("layer", name)
        assert re.fullmatch(
            r"the layer 'twice' of acme 1\.0 \(module acme_twice\) cannot be used: "
            rf"{cause}; update or uninstall acme",
            str(caught.value),
        )
        assert str(caught.value).isprintable()
    assert registry.get("layer", "good").__name__ == "Twice"
    assert registry.get("layer", "affine").__name__ == "Affine"
    status = {listed.entry.qualified: (listed.status, listed.error) for listed in registry.listing()}
    assert status["acme:twice"][0] == "failed"
    assert re.fullmatch(cause, status["acme:twice"][1])
    assert status["good:good"] == ("loaded", "")
    assert status["nnplug:tanh"] == ("available", "")


def renamed() -> str:
    """The layer under the name ``good``."""
    return LAYER + HOOK.replace('"twice"', '"good"')


def test_the_cause_is_chained(install):
    """The traceback shows where in the plugin it happened."""
    install(modules={"acme_twice": "import no_such_numba"})
    with pytest.raises(PluginError) as caught:
        Registry().get("layer", "twice")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.__cause__.name == "no_such_numba"


def test_a_broken_plugin_is_not_imported_twice(install):
    """The first failure is remembered: the second time the same is told."""
    install(
        modules={"acme_twice": "import builtins; builtins.acme_count = getattr(builtins, 'acme_count', 0) + 1; 1/0"}
    )
    registry = Registry()
    import builtins

    try:
        for _ in range(3):
            with pytest.raises(PluginError, match="ZeroDivisionError"):
                registry.get("layer", "twice")
        assert builtins.acme_count == 1
    finally:
        del builtins.acme_count


def test_ctrl_c_while_a_plugin_is_imported_is_the_users(install):
    """KeyboardInterrupt is no plugin's failure; afterwards the plugin can be asked for again."""
    source = "import builtins\nif not hasattr(builtins, 'acme_again'): raise KeyboardInterrupt\n"
    install(modules={"acme_twice": source + LAYER + HOOK})
    registry = Registry()
    with pytest.raises(KeyboardInterrupt):
        registry.get("layer", "twice")
    import builtins

    builtins.acme_again = True
    try:
        assert registry.get("layer", "twice").__name__ == "Twice"
    finally:
        del builtins.acme_again


@pytest.mark.parametrize("value", ["acme_twice:Twice", "acme_twice:nnplug_layers", "acme_twice [extra]", "acme-twice"])
def test_an_entry_point_that_names_an_object(install, value):
    """Other programs' entry points name functions; ours name modules, and the message says so."""
    install(groups={"nnplug.layers": {"twice": value}})
    with pytest.raises(PluginError, match=r"its entry point must name a module, such as package.module, not "):
        Registry().get("layer", "twice")


def test_a_module_with_several_names_and_kinds(install):
    """One module may provide a package's all; it is imported once, an old name leads to the same class."""
    source = LAYER + (
        "from nnplug import Metric\n"
        "@frozen\nclass Zero(Metric):\n    def __call__(self, scores, targets): return 0.0\n"
        "@hookimpl\ndef nnplug_layers(): return {'twice': Twice, 'double': Twice}\n"
        "@hookimpl\ndef nnplug_metrics(): return {'zero': Zero}\n"
    )
    install(
        groups={
            "nnplug.layers": {"twice": "acme_twice", "double": "acme_twice"},
            "nnplug.metrics": {"zero": "acme_twice"},
        },
        modules={"acme_twice": source},
    )
    registry = Registry()
    assert registry.get("layer", "double") is registry.get("layer", "twice")
    assert registry.create("metric", "zero")(None, None) == 0.0


def test_hooks_may_return_what_other_modules_define(install):
    """A package may keep its hooks in one module and its classes in others; they can still be written down."""
    install(
        groups={"nnplug.layers": {"twice": "acme.hooks"}},
        modules={
            "acme.__init__": "",
            "acme.layers": LAYER,
            "acme.hooks": "from nnplug import hookimpl\nfrom acme.layers import Twice\n" + HOOK,
        },
    )
    from acme.layers import Twice

    assert Registry().name_of(Twice()) == "twice"


def test_one_module_declared_by_two_distributions(install):
    """A fork that declares the original's module: a conflict when used bare, either one by its qualified name."""
    install()
    install("fork", "2.0", modules={})
    registry = Registry()
    assert registry.get("layer", "acme:twice") is registry.get("layer", "fork:twice")
    with pytest.raises(RegistryError, match=r"several plugins provide the layer 'twice'; write 'acme:twice' or 'fork:"):
        registry.get("layer", "twice")


def test_a_module_that_imports_other_plugins_submodules(install):
    """A submodule whose name begins as a hook's does is no hook."""
    install(
        groups={"nnplug.layers": {"twice": "nnplug_acme"}},
        modules={"nnplug_acme": "import nnplug_builtins\nimport nnplug_builtins.relu\n" + LAYER + HOOK},
    )
    assert Registry().get("layer", "twice").__name__ == "Twice"


def test_the_test_folder_is_a_real_distribution(install):
    """What these tests build is what importlib.metadata finds."""
    import importlib.metadata

    info = install()
    assert importlib.metadata.version("acme") == "1.0"
    assert Path(str(importlib.metadata.distribution("acme").locate_file(""))) == info.parent
