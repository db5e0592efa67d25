"""What can be checked: names, qualified names, classes, components, distributions; and what the report says of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from attrs import frozen

from nnplug import ArraySpec, Layer, Plan, Registry, RegistryError, ShapeError
from nnplug.cli.main import main
from nnplug.testing import check, examine
from nnplug_builtins.affine import Affine
from nnplug_builtins.relu import Relu

GOOD = """
@frozen
class Good(Same, Layer):
    pass
"""
BAD = """
@frozen
class Bad(Same, Layer):
    def backward(self, params, grads, cache, dout, ctx):
        return -dout
"""
RUIN = "raise RuntimeError('no such device')\n"
TEXT = """
@frozen
class Text(Same, Layer):
    language: str
"""


def statuses(report):
    """Check -> status of a report about one component."""
    (component,) = report.components
    return {result.check: result.status for result in component.results}


def details(report):
    """Check -> detail of a report about one component."""
    (component,) = report.components
    return {result.check: result.detail for result in component.results}


def test_a_name_a_class_and_a_component_lead_to_the_same():
    """All of them are known by name and distribution, and their import is timed."""
    for target in ("relu", "nnplug:relu", Relu, Relu()):
        (component,) = examine(target).components
        assert (component.kind, component.name) == ("layer", "relu")
        assert component.origin.startswith("nnplug 0.")
        assert component.passed


def test_a_component_is_its_own_example():
    """Given a component, that one is checked and no other is made up."""
    (component,) = examine(Affine(2)).components
    assert component.examples == ("Affine(units=2)",)


def test_a_name_of_two_kinds_needs_the_kind():
    """``constant`` is an initializer and a schedule."""
    with pytest.raises(RegistryError, match=r"an initializer and a schedule; say which: kind='initializer'"):
        check("constant")
    assert check("constant", kind="schedule").components[0].kind == "schedule"


def test_a_name_that_nobody_has():
    """A typing error is met with a suggestion; what is no component at all, with what to give."""
    with pytest.raises(RegistryError, match=r"called 'afine'; did you mean 'affine'\?"):
        check("afine")
    with pytest.raises(RegistryError, match=r"cannot check 3: give a registry name"):
        check(3)


def test_a_distribution(install):
    """Every component that it declares is checked; one that cannot be loaded fails, and the others are checked."""
    install("acme-layers", good=GOOD, bad=BAD, ruin=RUIN)
    report = examine("Acme_Layers", registry=Registry())
    assert [(c.name, c.passed) for c in report.components] == [("bad", False), ("good", True), ("ruin", False)]
    assert "no such device" in report.components[2].results[0].detail
    text = str(report)
    assert "layer 'good' (acme-layers 1.0)" in text
    assert text.endswith("Acme_Layers: 3 components, failed: layer 'bad', layer 'ruin'")
    with pytest.raises(ValueError, match="belong to one component"):
        examine("acme-layers", inputs=[(3,)], registry=Registry())


def test_an_old_name_is_no_component_of_its_own(install):
    """A component that was renamed is checked once, under its new name."""
    hook = (
        '@hookimpl\ndef nnplug_layers():\n    return {"good": Good, "fine": Good}\nNNPLUG_RENAMED = {"fine": "good"}\n'
    )
    install("acme-layers", old_names="fine = acme_layers_good\n", good=GOOD + hook)
    registry = Registry()
    assert [c.name for c in examine("acme-layers", registry=registry).components] == ["good"]
    assert examine(registry.get("layer", "good"), registry=registry).components[0].name == "good"
    with pytest.warns(FutureWarning, match="is now called 'good'"):
        check("fine", registry=registry)


def test_the_report_as_json(install):
    """It survives JSON, and says of every check what became of it."""
    install("acme-layers", bad=BAD)
    told = json.loads(json.dumps(examine("acme-layers", registry=Registry()).as_dict()))
    assert (told["target"], told["passed"]) == ("acme-layers", False)
    (component,) = told["components"]
    assert component["origin"] == "acme-layers 1.0"
    found = {result["check"]: (result["status"], result["detail"]) for result in component["results"]}
    assert found["input_gradient"][0] == "failed"
    assert "its sign is wrong" in found["input_gradient"][1]
    assert found["children"] == ("skipped", "the layer plans no children")


def test_a_registry_of_this_process():
    """What is registered in a notebook is found by name; there is no plugin whose import could be timed."""
    registry = Registry()

    @registry.register
    @frozen
    class MyRelu(type(registry.create("layer", "relu"))):
        pass

    report = examine("my_relu", registry=registry)
    assert details(report)["import_time"] == "no installed distribution declares it, so there is no plugin to import"
    assert statuses(report)["copies"] == "failed"  # it is defined inside a function
    assert "define the class at the top of its module" in details(report)["copies"]


# Examples and inputs


@frozen
class Named(Layer):
    """Needs an option that nobody can guess, and a sample that nobody would."""

    language: str

    def plan(self, x):
        if x.shape != (2, 11):
            raise ShapeError(f"needs samples (2, 11), given {x}")
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return np.sqrt(x), x

    def backward(self, params, grads, cache, dout, ctx):
        return dout / (2 * np.sqrt(cache))


BATCH = np.random.default_rng(0).uniform(1, 2, (5, 2, 11))
NNPLUG_EXAMPLES: list = []


def test_examples_and_inputs():
    """Given as arguments: components, and batches, shapes or specs of samples."""
    report = check(Named, examples=[Named("de"), Named("fr")], inputs=[BATCH])
    assert report.components[0].examples == ("Named(language='de')", "Named(language='fr')")
    check("relu", inputs=[(2, 11), ArraySpec((3,), "float32"), ArraySpec((3,), "int64")])
    refused = examine(Named("de"), inputs=[(3,)])
    assert "plan refuses the input given: needs samples (2, 11)" in details(refused)["examples"]


def test_pairs_of_an_example_and_its_input():
    """Each component may come with an input of its own."""
    assert details(check(Named, examples=[(Named("de"), BATCH)]))["examples"] == "1 component, 1 case"


def test_examples_beside_the_class(monkeypatch):
    """``NNPLUG_EXAMPLES`` in the module holds examples of any of its components, for the command line."""
    assert "needs the option 'language'" in details(examine(Named))["examples"]
    monkeypatch.setattr(f"{__name__}.NNPLUG_EXAMPLES", [(Named("en"), BATCH), Affine(2)])
    assert check(Named).components[0].examples == ("Named(language='en')",)
    monkeypatch.setattr(f"{__name__}.NNPLUG_EXAMPLES", "Named")
    assert "must be a list of components, it is str" in details(examine(Named))["examples"]


def test_an_example_of_something_else():
    """A component of another class is refused by name."""
    assert "an example must be a Named" in details(examine(Named, examples=[Affine(2)]))["examples"]


def test_nothing_is_checked_without_examples():
    """A component that cannot be made is no pass."""
    report = examine(Named)
    assert not report.passed
    assert set(statuses(report)) == {"loads", "examples", "import_time"}


def test_options_make_examples():
    """Every choice of a Literal, both values of a bool, and sizes that differ."""
    xavier = examine("xavier").components[0].examples
    assert xavier == (
        "Xavier()",
        "Xavier(mode='fan_in')",
        "Xavier(mode='fan_out')",
        "Xavier(distribution='normal')",
    )
    assert "Momentum(nesterov=True)" in examine("momentum").components[0].examples
    assert examine("csv").components[0].examples[0].endswith("task='classification')")


@frozen
class IntegersOnly(Layer):
    """Counts as gradient-free: integers go in and come out."""

    def plan(self, x):
        if x.dtype.kind not in "iu":
            raise ShapeError(f"needs integers, given {x}")
        return Plan(out=x)

    def forward(self, params, x, ctx):
        return x, None

    def backward(self, params, grads, cache, dout, ctx):
        return None


def test_too_little_ran():
    """A layer of which no gradient at all can be checked does not pass."""
    report = examine(IntegersOnly)
    assert statuses(report)["enough"] == "failed"
    assert "too little ran to say anything about it (parameter_gradients: the layer has no parameters;" in str(
        details(report)["enough"]
    )


# Import time


def test_a_slow_import(install):
    """Half a second is the budget; the message says how long it took, and what took longest."""
    slow = "import time; time.sleep(0.7)\n" + GOOD.replace("Good", "Slow")
    install("acme-slow", slow=slow)
    told = details(examine("slow", registry=Registry()))["import_time"]
    assert "importing it takes 0.7" in told
    assert "the budget is 0.5 s; import what is heavy inside the function that needs it" in told
    assert statuses(examine("slow", registry=Registry(), import_seconds=5))["import_time"] == "passed"


def test_what_takes_long_is_named(install):
    """A heavy dependency is told by its name."""
    install("acme-engine", engine="import time; time.sleep(0.7)\n" + GOOD.replace("Good", "Engine"))
    install("acme-laden", laden="import acme_engine_engine\n" + GOOD.replace("Good", "Laden"))
    told = details(examine("laden", registry=Registry()))["import_time"]
    assert "most of it in acme_engine_engine (0.7" in told


# The command


def test_command_passes(capsys):
    """Exit code 0, the report on stdout."""
    assert main(["check", "relu"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("layer 'relu' (nnplug 0.")
    assert err == ""


def test_command_fails(install, capsys, monkeypatch):
    """Exit code 1; with --json one object on one line."""
    install("acme-layers", good=GOOD, bad=BAD)
    monkeypatch.setattr("nnplug.testing.examination.default_registry", Registry)
    assert main(["check", "acme-layers", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(c["name"], c["passed"]) for c in told["components"]] == [("bad", False), ("good", True)]


def test_command_with_a_wrong_name(capsys):
    """Exit code 2 and a suggestion."""
    assert main(["check", "reluu"]) == 2
    assert "did you mean 'relu'?" in capsys.readouterr().err
    assert main(["check", "constant"]) == 2
    assert "--kind initializer" in capsys.readouterr().err
