"""The registry: names and conflicts, switches, registration in process, components and tables."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from attrs import define, field, frozen

import nnplug
from nnplug import Callback, ConfigError, Initializer, Layer, Metric, PluginError, Registry, RegistryError, hookimpl
from nnplug.chain import Chain
from nnplug.hookspecs import KINDS
from nnplug.switches import Switches
from nnplug_builtins.adam import Adam
from nnplug_builtins.affine import Affine
from nnplug_builtins.arrays import Arrays
from nnplug_builtins.csv_log import CsvLog
from nnplug_builtins.early_stopping import EarlyStopping
from nnplug_builtins.he import He
from nnplug_builtins.relu import Relu
from tests.core.conftest import HOOK, LAYER

LAYERS = ", ".join(Registry().names("layer"))


@pytest.fixture(autouse=True)
def _no_preferences(monkeypatch):
    """Nobody's own environment decides."""
    monkeypatch.delenv("NNPLUG_PREFER", raising=False)


@frozen
class Same(Layer):
    """Out is x."""

    def plan(self, x):
        """The shape stays."""
        return nnplug.Plan(out=x)

    def forward(self, params, x, ctx):
        """Return x."""
        return x, None

    def backward(self, params, grads, cache, dout, ctx):
        """Return dout."""
        return dout


def told(kind, name, registry=None):
    """The message about a name that cannot be found."""
    with pytest.raises(RegistryError) as caught:
        (registry or Registry()).get(kind, name)
    return str(caught.value)


# Unknown names


def test_every_kind_has_built_ins_and_they_load():
    """Each name that is listed leads to a class of its contract."""
    registry = Registry()
    for kind in KINDS.values():
        names = registry.names(kind.name)
        assert names == sorted(names) != []
        for name in names:
            assert issubclass(registry.get(kind.name, name), kind.contract)


def test_an_unknown_name_suggests_the_nearest_and_lists_all():
    """The typo is quoted, the likely meaning is offered, and the choice shown."""
    assert told("layer", "afine") == f"no layer is called 'afine'; did you mean 'affine'? There are: {LAYERS}"


def test_an_unknown_name_that_is_near_to_nothing():
    """Then only the choice is shown."""
    assert told("layer", "zzz") == f"no layer is called 'zzz'. There are: {LAYERS}"


def test_a_name_of_another_kind():
    """It is told what the name is."""
    assert told("layer", "adam") == f"no layer is called 'adam'; 'adam' is an update rule. There are: {LAYERS}"


def test_an_unknown_qualified_name_suggests_qualified_names():
    """Whether the name is wrong or the distribution is not installed."""
    message = told("layer", "nnplug:afine")
    assert message.startswith("no layer is called 'nnplug:afine'; did you mean 'nnplug:affine'? There are: nnplug:")
    assert "There are: nnplug:affine, " in told("layer", "not-installed:affine")


def test_an_unknown_kind():
    """Kinds are suggested like names."""
    registry = Registry()
    for ask in (registry.names, lambda kind: registry.get(kind, "relu"), lambda kind: registry.create(kind, "relu")):
        with pytest.raises(RegistryError, match=r"there is no kind 'layers'; did you mean 'layer'\?; the kinds are "):
            ask("layers")


def test_an_empty_registry():
    """It says that there is nothing."""
    registry = Registry(autoload=False)
    assert told("layer", "affine", registry) == "no layer is called 'affine'. There are: none"
    assert registry.listing() == []


# Conflicts


@pytest.fixture
def rivals(install):
    """Two strangers that both provide ``twice``, and one of them ``relu`` too."""
    install("Rival_One", "1.0", groups={"nnplug.layers": {"twice": "rival_one"}}, modules={"rival_one": LAYER + HOOK})
    install(
        "rival-two",
        "2.0",
        groups={"nnplug.layers": {"twice": "rival_two", "relu": "rival_two"}},
        modules={"rival_two": LAYER + HOOK.replace('{"twice"', '{"relu": Twice, "twice"')},
    )


def test_two_strangers_with_one_name_are_an_error_only_when_it_is_used(rivals):
    """The rest works; the message says what to write; neither has been imported."""
    registry = Registry()
    assert registry.names("layer").count("twice") == 1
    assert registry.get("layer", "affine") is Affine
    assert told("layer", "twice", registry) == (
        "several plugins provide the layer 'twice'; write 'rival-one:twice' or 'rival-two:twice'"
    )
    assert not {"rival_one", "rival_two"} & set(sys.modules)
    statuses = {listed.entry.qualified: listed for listed in registry.listing()}
    assert statuses["rival-one:twice"].status == statuses["rival-two:twice"].status == "conflict"
    assert "write 'rival-one:twice' or" in statuses["rival-one:twice"].error


def test_a_conflict_in_a_config_is_told_with_its_path(rivals):
    """Like any other mistake."""
    with pytest.raises(ConfigError, match=r"^layers\[1\]: several plugins provide the layer 'twice'; write "):
        Registry().create("layer", {"type": "chain", "layers": ["relu", "twice"]})


def test_qualified_names_work(rivals):
    """Each gets its own class, which is written down by its qualified name again."""
    registry = Registry()
    first, second = registry.create("layer", "rival-one:twice"), registry.create("layer", {"type": "Rival.Two:twice"})
    assert (type(first).__module__, type(second).__module__) == ("rival_one", "rival_two")
    assert registry.describe(first)["type"] == "rival-one:twice"
    assert registry.create("layer", registry.describe(second)) == second


def test_a_built_in_keeps_its_bare_name(rivals):
    """The stranger's is there by its qualified name, and listed as such."""
    registry = Registry()
    assert registry.get("layer", "relu") is Relu
    assert registry.get("layer", "rival-two:relu").__module__ == "rival_two"
    assert registry.name_of(Relu()) == "relu"
    listed = next(listed for listed in registry.listing() if listed.entry.qualified == "rival-two:relu")
    assert (listed.status, listed.error) == ("conflict", "'relu' means 'nnplug:relu'; write 'rival-two:relu'")


@pytest.mark.parametrize("spelling", ["rival-two", "Rival_Two", "RIVAL.two"])
def test_prefer_settles_conflicts_even_with_a_built_in(rivals, spelling):
    """What is preferred gets the bare names; the others keep their qualified ones."""
    registry = Registry(prefer=[spelling])
    assert registry.get("layer", "twice").__module__ == "rival_two"
    assert registry.get("layer", "relu").__module__ == "rival_two"
    assert registry.get("layer", "nnplug:relu") is Relu
    assert registry.name_of(Relu()) == "nnplug:relu"
    assert registry.get("layer", "affine") is Affine


@pytest.mark.parametrize("value", ["rival-two", " other, Rival_Two ", "other rival-two", "rival-two,rival-one"])
def test_prefer_by_environment(rivals, monkeypatch, value):
    """NNPLUG_PREFER is a list, parted by commas or blanks; earlier names win."""
    monkeypatch.setenv("NNPLUG_PREFER", value)
    assert Registry().get("layer", "twice").__module__ == "rival_two"


def test_prefer_in_the_registry_comes_before_the_environment(rivals, monkeypatch):
    """What the config says wins over what the machine says."""
    monkeypatch.setenv("NNPLUG_PREFER", "rival-two")
    assert Registry(prefer=["rival-one"]).get("layer", "twice").__module__ == "rival_one"


def test_disable_a_distribution(rivals):
    """It settles the conflict; its names are unknown, with the reason; it is not imported."""
    registry = Registry(disable=["Rival_One"])
    assert registry.get("layer", "twice").__module__ == "rival_two"
    assert told("layer", "rival-one:twice", registry) == (
        "the layer 'rival-one:twice' is switched off (it comes from rival-one 1.0 (module rival_one))"
    )
    assert "rival_one" not in sys.modules
    statuses = {listed.entry.qualified: listed.status for listed in registry.listing()}
    assert statuses["rival-one:twice"] == "disabled"
    assert statuses["rival-two:twice"] == "loaded"


def test_disable_one_name(rivals):
    """The distribution's other names stay."""
    registry = Registry(disable=["Rival_Two:twice"])
    assert registry.get("layer", "twice").__module__ == "rival_one"
    assert registry.get("layer", "rival-two:relu").__module__ == "rival_two"


def test_disable_a_built_in(rivals):
    """A stranger then has the bare name to itself."""
    assert Registry(disable=["nnplug:relu"]).get("layer", "relu").__module__ == "rival_two"


def test_only(rivals):
    """Nothing but what is named, and nnplug itself."""
    registry = Registry(only=["rival_one"])
    assert registry.get("layer", "twice").__module__ == "rival_one"
    assert registry.get("layer", "affine") is Affine
    assert "is switched off" in told("layer", "rival-two:twice", registry)
    assert Registry(only=["rival-two"], disable=["rival-two"]).names("layer") == Registry(only=["x"]).names("layer")


def test_what_is_switched_off_is_not_offered(rivals):
    """Neither among the bare names nor among the qualified ones."""
    registry = Registry(disable=["rival-one", "rival-two"])
    assert told("layer", "twce", registry) == f"no layer is called 'twce'. There are: {LAYERS}"
    assert "rival" not in told("layer", "nnplug:twice", registry)


def test_a_module_of_this_process_is_switched_by_its_name():
    """Like a distribution, in whatever spelling; a list of distributions does not concern it."""
    module = make_module("my_module", same=Same)
    for disable in ("my_module", "my-module:same"):
        registry = Registry(disable=[disable])
        registry.register(module)
        assert "switched off (it comes from my_module (module my_module))" in told("layer", "same", registry)
    allowed = Registry(only=["other"])
    allowed.register(module)
    assert allowed.get("layer", "same") is Same
    both = Registry(prefer=["my_module"])
    both.register(module)
    both.register(Same)
    assert both.find("layer", "same").module == "my_module"


def test_the_listing_is_sorted():
    """By kind, name and distribution, whatever came last."""
    registry = Registry()
    registry.register(Same)
    entries = [listed.entry for listed in registry.listing()]
    assert entries == sorted(entries)
    assert len(entries) == sum(len(registry.names(kind)) for kind in KINDS)


def test_views_share_what_is_loaded(rivals):
    """A config's switches make another view of the same plugins, and leave the registry they came from as it was."""
    registry = Registry()
    view = registry.configured(Switches(prefer=["rival-one"]))
    cls = view.get("layer", "twice")
    assert registry.get("layer", "rival-one:twice") is cls
    assert "several plugins" in told("layer", "twice", registry)
    view.register(Same)
    assert registry.get("layer", "same") is Same


# Registration in process


def test_register_a_class():
    """It goes by its own name in snake case, at once, and is written down so."""
    registry = Registry()
    assert registry.register(Same) is Same
    assert registry.get("layer", "same") is Same
    assert registry.create("layer", {"type": "same", "trainable": False}) == Same(trainable=False)
    assert registry.describe(Same()) == {"type": "same", "trainable": True}
    assert registry.get("layer", f"{__name__}:same") is Same
    assert "same" not in Registry().names("layer")


def test_register_as_a_decorator():
    """Above ``@frozen`` it takes the finished class and gives it back."""
    registry = Registry(autoload=False)

    @registry.register
    @frozen
    class HalfOfIt(Metric):
        def __call__(self, scores, targets):
            return 0.5

    assert registry.create("metric", "half_of_it") == HalfOfIt()


def test_register_under_another_name():
    """The name is the user's choice, within the rules for names."""
    registry = Registry(autoload=False)
    registry.register(Same, name="identity-2")
    assert registry.names("layer") == ["identity-2"]
    assert registry.name_of(Same()) == "identity-2"


@pytest.mark.parametrize("name", ["Same", "a b", "a:b", "_a", "1a", "a.b", "ä", "a\n"])
def test_names_that_cannot_be_registered(name):
    """A name must be usable in a config and in a qualified name."""
    with pytest.raises(PluginError, match="cannot be a registry name; names match"):
        Registry(autoload=False).register(Same, name=name)


def test_registering_again_replaces_ones_own():
    """A notebook's cell may run twice: the second class is the one that counts, and nothing conflicts."""
    registry = Registry()

    def cell(factor):
        @registry.register
        @frozen
        class Scale(Same):
            def forward(self, params, x, ctx):
                return factor * x, None

        return Scale

    first = cell(2)
    second = cell(3)
    assert registry.get("layer", "scale") is second
    assert registry.names("layer").count("scale") == 1
    cell(4)
    assert registry.name_of(first()) == registry.name_of(second()) == "scale"  # models from before can still be saved
    with pytest.raises(RegistryError, match=r"^Same has no registry name"):
        registry.name_of(Same())


def test_two_modules_with_one_name_conflict():
    """What another module registered is not replaced in silence."""
    registry = Registry()
    registry.register(Same)
    other = type("Same", (Same,), {"__module__": "elsewhere"})
    registry.register(frozen(other))
    assert told("layer", "same", registry) == (
        f"several plugins provide the layer 'same'; write '{__name__}:same' or 'elsewhere:same'"
    )
    assert registry.get("layer", "elsewhere:same").__module__ == "elsewhere"


@pytest.mark.parametrize("name", ["relu", "chain"])
def test_a_built_ins_name_is_refused(name):
    """Replacing a built-in must be said openly, with prefer."""
    registry = Registry()
    with pytest.raises(RegistryError, match=f"^'{name}' is a built-in layer; register yours under another name$"):
        registry.register(Same, name=name)
    assert registry.get("layer", name) is not Same


def test_a_built_ins_name_of_another_kind_is_free():
    """Names are per kind: a metric may be called relu."""
    registry = Registry()

    @frozen
    class Relu(Metric):
        def __call__(self, scores, targets):
            return 0.0

    registry.register(Relu)
    assert registry.get("metric", "relu") is Relu


def make_module(name="my_module", **names):
    """A module with a hook that returns layers by name."""
    module = ModuleType(name)

    @hookimpl
    def nnplug_layers():
        return names

    module.nnplug_layers = nnplug_layers
    return module


def test_register_a_module():
    """Its hooks are called at once; doing it again replaces."""
    registry = Registry()
    module = make_module(same=Same)
    assert registry.register(module) is module
    assert registry.get("layer", "same") is Same
    other = frozen(type("Other", (Same,), {}))
    registry.register(make_module(same=other))
    assert registry.get("layer", "same") is other
    registry.register(module)
    assert registry.get("layer", "my_module:same") is Same


def test_register_an_object_with_hooks():
    """Methods are hooks too."""

    class Plugin:
        @hookimpl
        def nnplug_layers(self):
            return {"same": Same}

    registry = Registry()
    registry.register(Plugin())
    assert registry.get("layer", "same") is Same


def test_a_module_is_registered_as_a_whole_or_not_at_all():
    """If one of its names is refused, none of the others is there."""
    registry = Registry()
    with pytest.raises(RegistryError, match="'relu' is a built-in layer"):
        registry.register(make_module(fine=Same, relu=Same))
    assert "fine" not in registry.names("layer")


def test_a_built_ins_own_module_is_refused_before_and_after_it_was_loaded():
    """It is there already."""
    import nnplug_builtins.relu as module

    for registry in (Registry(), Registry()):
        with pytest.raises(RegistryError, match="'relu' is a built-in layer"):
            registry.register(module)
        assert registry.get("layer", "relu") is Relu
        with pytest.raises(RegistryError, match="'relu' is a built-in layer"):
            registry.register(module)


def test_registering_an_installed_plugins_module_replaces_it(install):
    """Its author reloads it in a notebook: the new class counts, under the distribution's name, without a conflict."""
    install()
    registry = Registry()
    before = registry.get("layer", "twice")
    import importlib

    module = importlib.reload(sys.modules["acme_twice"])
    registry.register(module)
    after = registry.get("layer", "twice")
    assert after is module.Twice is not before
    assert registry.get("layer", "acme:twice") is after


def test_a_repaired_plugin_can_be_registered(install):
    """A module whose import failed is repaired, imported and registered: the failure is forgotten."""
    info = install(modules={"acme_twice": "1 / 0"})
    registry = Registry()
    with pytest.raises(PluginError):
        registry.get("layer", "twice")
    (info.parent / "acme_twice.py").write_text(LAYER + HOOK + "\n# repaired\n")
    import importlib

    importlib.invalidate_caches()
    registry.register(importlib.import_module("acme_twice"))
    assert registry.create("layer", "twice").times == 1


@pytest.mark.parametrize("plugin", [Same(), 42, "same", None, dict, Path], ids=repr)
def test_what_is_no_plugin(plugin):
    """An instance, above all: the message shows what was given."""
    with pytest.raises(PluginError, match=r" is neither a component class nor a module with hooks of nnplug$"):
        Registry().register(plugin)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: type("Plain", (Same,), {}), r"'plain': Plain is no attrs class; write @attrs\.frozen above it"),
        (
            lambda: frozen(type("Half", (Layer,), {"plan": Same.plan, "__annotations__": {}})),
            r"'half': Half lacks what nnplug\.Layer asks for: backward, forward",
        ),
        (
            lambda: make_module(same=Same()),
            r"'same' must be a class, not Same\(.*\); return the class itself, without calling it",
        ),
        (lambda: make_module(same=Adam), r"'same': Adam does not derive from nnplug\.Layer"),
    ],
    ids=["plain", "abstract", "instance", "kind"],
)
def test_broken_contracts_are_refused(make, message):
    """In process as when loading; nothing is registered."""
    registry = Registry()
    with pytest.raises(PluginError, match=f"^{message}$"):
        registry.register(make())
    assert registry.names("layer") == Registry().names("layer")


def test_threads_load_a_plugin_once(install):
    """Many threads that ask at once get one class."""
    install(modules={"acme_twice": "import time; time.sleep(0.05)\n" + LAYER + HOOK})
    registry = Registry()
    found = []
    threads = [threading.Thread(target=lambda: found.append(registry.get("layer", "twice"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


# What a model file may say


@frozen
class Nested:
    """A table."""

    inner: tuple[Path | None, ...] = ()


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Path, "a path"),
        (Path | str | None, "a path or a text or nothing"),
        (tuple[Path, ...], "a list, each a path"),
        (PurePosixPath, "PurePosixPath"),
        (os.PathLike[str] | None, "PathLike or nothing"),
        (Nested | None, "a table or nothing"),
        (nnplug.DataLoader | str | None, "the name or table of a data loader or nothing"),
        (tuple[Callback | str, ...], "a list, each the name or table of a callback"),
        (nnplug.UpdateRule | None, "the name or table of an update rule or nothing"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [Layer, nnplug.Loss, Initializer])
def test_what_stands_in_a_model_file_names_no_file(kind, hint, words):
    """Who loads a stranger's model has not chosen what it says: so no layer, loss or initializer takes a path."""
    cls = define(type("Odd", (kind,), {"__annotations__": {"option": hint}, "option": None}), frozen=True)
    cls.__abstractmethods__ = frozenset()
    with pytest.raises(PluginError) as caught:
        Registry().register(cls)
    assert str(caught.value) == (
        f"'odd': the option 'option' is {words}; what stands in a model file can name neither files nor components "
        "that use them: take the content, or leave it to a data loader"
    )


def test_data_loaders_and_callbacks_may_name_files():
    """Nobody loads them from a file that is not their own config."""
    assert Registry().get("data_loader", "arrays") is Arrays
    assert Registry().get("callback", "csv_log") is CsvLog


@frozen
class Tree:
    """A table that holds tables like itself."""

    weight: float = 1.0
    branches: tuple[Tree, ...] = ()


@frozen
class Rich(Same):
    """A layer with options of every other kind."""

    inner: tuple[Layer | str, ...] = ()
    loss: nnplug.Loss | str | None = None
    init: Initializer | str = "he"
    tree: Tree = Tree()
    function: Callable[[int], float] | None = None
    anything: Any = None


def test_layers_may_hold_layers_losses_and_initializers():
    """And functions, numbers, tables of them; a table that holds its like is looked through once."""
    registry = Registry()
    registry.register(Rich)
    assert registry.create("layer", {"type": "rich", "inner": ["relu"], "loss": "mse"}).inner == (Relu(name="relu1"),)


# Components by hand


def test_a_component_given_whole_is_used():
    """Nothing is copied that needs no change."""
    registry = Registry()
    rule = registry.create("update_rule", "adam")
    assert registry.create("update_rule", rule) == rule
    relu = Relu()
    assert registry.create("layer", relu) is relu


def test_names_in_a_component_are_resolved_at_any_depth():
    """A chain built by hand may hold names and tables; its layers are named like a config's."""
    chain = Registry().create("layer", Chain((Affine(5), "relu", Chain([{"type": "affine", "units": 2}, "relu"]))))
    assert chain == Chain(
        (
            Affine(5, name="affine1", weight_init=He()),
            Relu(name="relu1"),
            Chain((Affine(2, name="affine1", weight_init=He()), Relu(name="relu1")), name="chain1"),
        )
    )


def test_a_component_by_hand_is_held_to_its_types():
    """Python does not check annotations, so the registry does: with the path, every problem at once."""
    with pytest.raises(ConfigError) as caught:
        Registry().create("layer", Chain((Affine(3.7), Affine(2, trainable="no"), Affine(2, weight_init="hee"))))
    first, second, third = str(caught.value).splitlines()
    assert first == "layers[0].units: expected an integer, got 3.7"
    assert second == "layers[1].trainable: expected true or false, got 'no'"
    assert third.startswith("layers[2].weight_init: no initializer is called 'hee'; did you mean 'he'?")


def test_numpy_numbers_in_a_component_become_pythons():
    """They would not survive the way to TOML or a model file."""
    layer = Registry().create("layer", Affine(np.int64(3)))
    assert type(layer.units) is int


def test_a_callback_stays_the_object_it_is():
    """Whoever made it may look at it after the run; its options are held to their types all the same."""
    registry = Registry()
    for callback in (EarlyStopping(patience=3), CsvLog("x.csv")):
        assert registry.create("callback", callback) is callback
    with pytest.raises(ConfigError, match=r"^patience: expected an integer, got 2\.5$"):
        registry.create("callback", EarlyStopping(patience=2.5))


def test_names_in_a_callback_are_resolved():
    """Then it is another object, for a callback's options are set when it is made."""

    @define
    class Watcher(Callback):
        metric: Metric | str = "accuracy"
        others: tuple[Metric | str, ...] = ("r2",)

    registry = Registry()
    made = registry.create("callback", Watcher())
    assert made == Watcher(registry.create("metric", "accuracy"), (registry.create("metric", "r2"),))
    assert registry.create("callback", made) is made


def test_a_component_of_ones_own_may_hold_anything():
    """An unregistered class with options that no config could hold works from Python."""

    @define
    class Recorder(Callback):
        seen: list = field(factory=list)
        function: object = print

    @frozen
    class Stream(nnplug.DataLoader):
        x: nnplug.Array

        def load(self):
            return nnplug.Dataset((self.x, self.x))

    registry = Registry()
    recorder = Recorder()
    assert registry.create("callback", recorder) is recorder
    x = np.zeros((2, 2))
    assert registry.create("data_loader", Stream(x)).x is x


def test_paths_by_hand_equal_those_of_a_config():
    """A text that stands for a path is one, whichever way the component is made."""
    registry = Registry()
    assert registry.create("data_loader", Arrays("x.npz")) == registry.create(
        "data_loader", {"type": "arrays", "path": "x.npz"}
    )


# Names and tables of components


def test_name_of_an_unregistered_class():
    """The message says what to do; a default takes its place where one is given."""
    with pytest.raises(RegistryError, match=r"^Same has no registry name, .*; call registry\.register\(Same\)"):
        Registry().name_of(Same())
    assert Registry().name_of(Same(), default="mine") == "mine"


def test_name_of_imports_nothing_of_others(run_python):
    """Only what comes from the class's own package is looked into."""
    loaded = run_python(
        """
        import sys
        from nnplug import Callback, Registry
        print(Registry().name_of(Callback(), default="mine"))
        print([module for module in sys.modules if module.startswith("nnplug_builtins")])
        """
    )
    assert loaded.split() == ["mine", "[]"]


def test_name_of_a_class_whose_plugin_is_broken(install):
    """It has no name; with a default nothing is raised, for the class itself may be fine."""
    install(modules={"acme_twice": LAYER + HOOK.replace("twice", "wrong")})
    from acme_twice import Twice

    registry = Registry()
    assert registry.name_of(Twice(), default="twice") == "twice"
    with pytest.raises(RegistryError, match="Twice has no registry name"):
        registry.name_of(Twice())


def test_name_of_a_class_that_is_switched_off(install):
    """A name that cannot be used is no name."""
    install()
    from acme_twice import Twice

    assert Registry().name_of(Twice()) == "twice"
    with pytest.raises(RegistryError, match="Twice has no registry name"):
        Registry(disable=["acme"]).name_of(Twice())


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "affine", "units": 3, "name": "x", "trainable": False, "weight_init": {"type": "normal", "std": 0.5}},
        {"type": "chain", "layers": ["relu", {"type": "chain", "layers": []}, {"type": "dropout", "rate": 0}]},
    ],
)
def test_describe_and_create_are_inverse(spec):
    """A component's table builds an equal component, and its table is the same again."""
    registry = Registry()
    layer = registry.create("layer", spec)
    table = registry.describe(layer)
    assert registry.create("layer", table) == layer
    assert registry.describe(registry.create("layer", table)) == table


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in Registry().names(kind)])
def test_every_built_in_with_defaults_survives_describe(kind, name):
    """What the defaults make can be written down and built again."""
    registry = Registry()
    required = {
        "affine": {"units": 2},
        "chain": {"layers": ["relu"]},
        "rescale": {"factor": 2.0},
        "arrays": {"path": "x"},
        "shards": {"path": "x"},
        "csv": {"path": "x", "task": "regression"},
        "step": {"milestones": [3, 5]},
    }
    component = registry.create(kind, {"type": name, **required.get(name, {})})
    assert registry.create(kind, registry.describe(component)) == component


def test_describe_names_no_class_and_no_module():
    """A saved model holds registry names alone: nothing in it can be imported."""
    text = str(Registry().describe(Registry().create("layer", Chain((Affine(3), "relu")))))
    assert "nnplug_builtins" not in text
    assert "class" not in text


def test_the_default_registry_is_one():
    """It is made when it is first asked for, and then stays."""
    assert nnplug.default_registry() is nnplug.default_registry()
    assert isinstance(nnplug.default_registry().create("initializer", "he"), Initializer)
