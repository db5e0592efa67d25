"""Loading plugins: real distributions in a folder on sys.path, well made and broken."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import nnplug
from nnplug import PluginError, Registry, RegistryError
from tests.core.conftest import HOOK, LAYER


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
        r"its entry points declare the layer 'twice', but the module has no nnplug_layers\(\)",
    ),
    "another name": (
        LAYER + HOOK.replace('"twice"', '"twise"'),
        r"its entry points declare the layer 'twice', but nnplug_layers\(\) does not return it, only 'twise'",
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
        "it was written for version '1' of the plugin API, this nnplug has version 1; write a whole number, .*",
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
            rf"{cause}; update or uninstall acme, or switch it off with NNPLUG_DISABLE=acme",
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


@pytest.mark.parametrize("line", ["NNPLUG_API = 2", "NNPLUG_API: int = 2  # of the next release"])
def test_a_plugin_of_another_time_is_refused_before_it_runs(install, line):
    """Its source states the API; what it then imports may not even exist here."""
    install(modules={"acme_twice": f"{line}\nfrom nnplug import something_of_the_future\n"})
    with pytest.raises(
        PluginError, match="it was written for version 2 of the plugin API, this nnplug has version 1; "
    ):
        Registry().get("layer", "twice")
    assert "acme_twice" not in sys.modules


@pytest.mark.parametrize(
    "line",
    ["NNPLUG_API = 1", "NNPLUG_API: Final = 1", "# NNPLUG_API = 2", "X = 'NNPLUG_API = 2'", '"""\nNNPLUG_API = 2\n"""'],
)
def test_a_plugin_of_this_time(install, line):
    """Said openly, or not said at all."""
    install(modules={"acme_twice": f"from typing import Final\n{line}\n" + LAYER + HOOK})
    assert Registry().get("layer", "twice").__name__ == "Twice"


RENAMED = (
    HOOK.replace('{"twice": Twice}', '{"twice": Twice, "double": Twice}') + "\nNNPLUG_RENAMED = {'twice': 'double'}"
)


@pytest.fixture
def renamed_plugin(install):
    """A plugin that calls its layer ``double`` now, and once called it ``twice``."""
    groups = {"nnplug.layers": {"twice": "acme_twice", "double": "acme_twice"}}

    def make(rest=RENAMED):
        install(groups=groups, modules={"acme_twice": LAYER + rest})

    return make


def test_an_old_name_works_and_says_the_new_one(renamed_plugin):
    """Once for every use; what is written down afterwards has the new name, and the new name is silent."""
    renamed_plugin()
    registry = Registry()
    with pytest.warns(FutureWarning, match="^the layer 'twice' of acme is now called 'double'; write that$"):
        layer = registry.create("layer", "twice")
    assert registry.name_of(layer) == "double"
    assert registry.create("layer", "double") == layer
    assert registry.get("layer", "acme:double") is type(layer)


@pytest.mark.parametrize(
    "value", ["['twice']", "{'old': 'double'}", "{'twice': 'new'}", "{'twice': []}", "{3: 'twice'}"]
)
def test_wrong_renames_are_refused(renamed_plugin, value):
    """Both names must be there; whatever else stands in their place."""
    renamed_plugin(RENAMED.partition("NNPLUG_RENAMED")[0] + f"NNPLUG_RENAMED = {value}")
    with pytest.raises(
        PluginError, match="cannot be used: NNPLUG_RENAMED must be a dict of old and new names that its "
    ):
        Registry().get("layer", "double")


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


ITEMS = """
from nnplug import hookimpl
class Odd(dict):
    def items(self): raise RuntimeError("no items")
@hookimpl
def nnplug_layers(): return Odd(twice=1)
"""


@pytest.mark.parametrize(
    "source",
    [
        "class Panic(BaseException): pass\nraise Panic('of another language')",
        "def __getattr__(name): raise RuntimeError('no names here')\ndef __dir__(): return ['nnplug_layers']",
        "def __dir__(): raise RuntimeError('no names here')",
        ITEMS,
    ],
)
def test_whatever_goes_wrong_is_the_plugins(install, source):
    """Exceptions that are none of Python's usual ones, and modules and results that are none."""
    install(modules={"acme_twice": source})
    registry = Registry()
    for _ in range(2):
        with pytest.raises(PluginError, match="acme_twice"):
            registry.get("layer", "twice")
