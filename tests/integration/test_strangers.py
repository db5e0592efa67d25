"""Twenty distributions by strangers, good and broken, really installed by pip: who is harmed, and what is said."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from attrs import frozen

from tests.integration.conftest import CONFIG, Environment

pytestmark = pytest.mark.install

PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "{version}"

[project.entry-points."nnplug.{group}"]
{name} = "{module}"

[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""

# Every module leaves a mark when it is imported, so that the tests see who was.
MARK = """
import os, pathlib
if "MARKS" in os.environ:
    (pathlib.Path(os.environ["MARKS"]) / __name__).touch()
"""

LAYER = '''
from attrs import frozen
from nnplug import Layer, Plan, hookimpl

@frozen
class Stranger(Layer):
    """Scales what it is given.

    Args:
        factor: by how much.
    """

    factor: float = 0.5

    def plan(self, x):
        return Plan(out=x)

    def forward(self, params, x, ctx):
        out = ctx.empty(x.shape, x.dtype)
        out[...] = x
        out *= self.factor
        return out, None

    def backward(self, params, grads, cache, dout, ctx):
        return dout * self.factor

@hookimpl
def nnplug_layers():
    return {"NAME": Stranger}
'''

RULE = '''
from attrs import frozen
from nnplug import UpdateRule, hookimpl

@frozen
class Plain(UpdateRule):
    """Gradient descent once more."""

    def apply(self, w, dw, slots, step):
        dw *= step.learning_rate
        w -= dw

@hookimpl
def nnplug_update_rules():
    return {"NAME": Plain}
'''


@frozen
class Stranger:
    """A distribution with one plugin.

    Args:
        name: its registry name.
        code: its module.
        cause: why it cannot be used, as a regular expression; empty if it can.
        version: its version.
        group: its entry-point group.
    """

    name: str
    code: str
    cause: str = ""
    version: str = "1.0"
    group: str = "layers"


STRANGERS = {
    "good-layer": Stranger("scaled", LAYER, version="2.1"),
    "good-rule": Stranger("plain", RULE, group="update_rules"),
    "chatty": Stranger("chatty", 'print("hello from chatty")' + LAYER),
    "shadow": Stranger("relu", LAYER),
    "twin-one": Stranger("twin", LAYER),
    "twin-two": Stranger("twin", LAYER.replace("0.5", "0.25"), version="2.0"),
    "slow": Stranger("slow", "import time; time.sleep(1.5)" + LAYER),
    "raises": Stranger("raises", "1 / 0", "importing raises_module failed: ZeroDivisionError: division by zero"),
    "exits": Stranger("exits", "import sys; sys.exit('no licence')", "importing .* failed: SystemExit: no licence"),
    "lists": Stranger(
        "lists",
        LAYER.replace('{"NAME": Stranger}', "[Stranger]"),
        r"nnplug_layers\(\) must return a dict of names and classes, it returned \[<class .*>\]",
    ),
    "instance": Stranger(
        "instance",
        LAYER.replace("Stranger}", "Stranger()}"),
        r"'instance' must be a class, not Stranger\(.*\); return the class itself, without calling it",
    ),
    "misspelt": Stranger(
        "misspelt",
        LAYER.replace("nnplug_layers", "nnplug_layer"),
        "nnplug_layer is no hook of nnplug; did you mean 'nnplug_layers'?",
    ),
    "bare-misspelt": Stranger(
        "bare",
        LAYER.replace("nnplug_layers", "nnplug_layer").replace("@hookimpl", ""),
        "nnplug_layer is no hook of nnplug; did you mean 'nnplug_layers'?",
    ),
    "wraps": Stranger(
        "wraps",
        LAYER.replace("@hookimpl", "@hookimpl(wrapper=True)").replace("return {", "return (yield) or {"),
        "nnplug_layers is a hook wrapper, which nnplug refuses; write a plain @nnplug.hookimpl",
    ),
    "newer": Stranger(
        "newer",
        "NNPLUG_API = 2\nfrom nnplug import of_the_future\n",
        "it was written for version 2 of the plugin API, this nnplug has version 1; install releases of both",
    ),
    "needy": Stranger(
        "needy",
        "import no_such_numba",
        "importing needy_module failed: ModuleNotFoundError: No module named 'no_such_numba'",
    ),
    "undeclared": Stranger(
        "undeclared",
        LAYER.replace("NAME", "other"),
        r"its entry points declare the layer 'undeclared', but nnplug_layers\(\) does not return it",
    ),
    "aborts": Stranger("aborts", "import os; os.abort()"),
    "quits": Stranger("quits", "import os; os._exit(7)"),
    "hangs": Stranger("hangs", "import time; time.sleep(600)"),
    "corrupt": Stranger("corrupt", LAYER),
}
BROKEN = {name: stranger for name, stranger in STRANGERS.items() if stranger.cause}
DEADLY = {  # what becomes of the process that imports them, as the doctor tells it
    "aborts": "importing aborts_module ended the interpreter with " + ("exit code" if os.name == "nt" else "SIGABRT"),
    "quits": "importing quits_module ended the interpreter with exit code 7",
    "hangs": "importing hangs_module did not end within 8 seconds",
}


def module_of(distribution: str) -> str:
    """The module of a distribution."""
    return f"{distribution.replace('-', '_')}_module"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment of its own in which all of them are installed."""
    environment = Environment(tmp_path_factory.mktemp("crowd"))
    sources = tmp_path_factory.mktemp("sources")
    for distribution, stranger in STRANGERS.items():
        folder, module = sources / distribution, module_of(distribution)
        folder.mkdir()
        project = PYPROJECT.format(
            distribution=distribution, version=stranger.version, group=stranger.group, name=stranger.name, module=module
        )
        (folder / "pyproject.toml").write_text(project, encoding="utf-8")
        code = MARK + stranger.code.replace("NAME", stranger.name)
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
    environment.install(*(sources / distribution for distribution in STRANGERS))
    (metadata,) = environment.folder.rglob("corrupt-1.0.dist-info/METADATA")
    metadata.write_bytes(b"Name: corrupt\xff\xfe\x00")
    return environment


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where imported modules leave their marks."""
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("MARKS", str(folder))
    return folder


def imported(marks: Path) -> set[str]:
    """The distributions whose modules were imported."""
    found = {path.name for path in marks.iterdir()}
    return {distribution for distribution in STRANGERS if module_of(distribution) in found}


@pytest.fixture
def train(crowd, tmp_path):
    """Train a small network with one more layer after its first."""

    def run(layer, *changes, plugins=""):
        text = CONFIG.replace('"relu"', f'"relu", "{layer}"') + plugins
        (tmp_path / "small.toml").write_text(text, encoding="utf-8")
        sets = [word for change in changes for word in ("--set", change)]
        return crowd.run("nnplug", "train", "small.toml", "--json", *sets, cwd=tmp_path)

    return run


# The good ones


def test_a_config_that_uses_only_good_ones_trains(train, marks):
    """Beside all that is broken: it trains, and nobody else is imported."""
    done = train("good-layer:scaled", "update.type=plain", "update.learning_rate=0.5")
    assert done.code == 0, done.err
    assert json.loads(done.out)["test"]["accuracy"] > 0.5
    assert imported(marks) == {"good-layer", "good-rule"}


def test_what_a_plugin_prints_is_no_result(train, marks):
    """Standard output holds the result alone."""
    done = train("chatty")
    assert done.code == 0, done.err
    assert json.loads(done.out)["steps"] > 0
    assert "hello from chatty" in done.err


def test_a_slow_one_works(train, marks):
    """It is waited for, once."""
    done = train("slow", "train.epochs=1")
    assert done.code == 0, done.err
    assert imported(marks) == {"slow"}


# The broken ones


@pytest.mark.parametrize("distribution", BROKEN)
def test_a_broken_one_is_named_with_its_cause_when_asked_for(crowd, tmp_path, distribution):
    """Kind, name, distribution, version, module, cause and what to do; no traceback, in Python the original one."""
    stranger = BROKEN[distribution]
    done = crowd.run("nnplug", "show", "layer", stranger.name, cwd=tmp_path)
    assert done.code == 1
    assert re.search(
        rf"the layer '{stranger.name}' of {distribution} 1\.0 \(module {module_of(distribution)}\) cannot be used: "
        rf"(?:{stranger.cause.replace('?', '[?]')}).*; update or uninstall {distribution}",
        done.err,
    ), done.err
    assert "Traceback" not in done.err


def test_a_config_that_names_broken_ones_is_told_of_all(train, crowd, tmp_path):
    """Every problem with its path, in one run."""
    layers = '["raises", "exits", "needy", { type = "affine", units = 10 }]'
    done = train("relu", f"model.layers={layers}")
    assert done.code == 2
    for index, name in enumerate(("raises", "exits", "needy")):
        assert (
            f"model.layers[{index}]: the layer '{name}' of {name} 1.0 (module {name}_module) cannot be used" in done.err
        )


CHAINED = """
from nnplug import PluginError, Registry
registry = Registry()
for name in ("raises", "exits", "needy", "lists"):
    try:
        registry.get("layer", name)
    except PluginError as error:
        print(type(error.__cause__).__name__)
print(registry.get("layer", "relu").__module__, registry.get("layer", "scaled").__module__)
status = {l.entry.distribution: (l.status, l.error) for l in registry.listing()}
print(status["raises"][0], status["needy"][1])
"""


def test_in_python_the_original_error_is_chained(crowd, tmp_path):
    """The listing remembers who failed, and everything else works."""
    done = crowd.run("python", "-c", CHAINED, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "ZeroDivisionError",
        "SystemExit",
        "ModuleNotFoundError",
        "PluginError",
        "nnplug_builtins.relu good_layer_module",
        "failed importing needy_module failed: ModuleNotFoundError: No module named 'no_such_numba'",
    ]


def test_corrupt_metadata_is_told_where_its_name_is_missed(crowd, tmp_path):
    """The folder and the cause."""
    done = crowd.run("nnplug", "show", "layer", "corrupt", cwd=tmp_path)
    assert done.code == 2
    assert "no layer is called 'corrupt'" in done.err
    assert re.search(r"corrupt-1\.0\.dist-info cannot be read: UnicodeDecodeError: .*; reinstall it", done.err)


# The listing


def test_the_listing_imports_nothing(crowd, tmp_path, marks):
    """All are there, from metadata alone; whose metadata cannot be read is failed."""
    done = crowd.run("nnplug", "plugins", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    listed = {p["distribution"]: p for p in json.loads(done.out) if p["distribution"] != "nnplug"}
    corrupt = listed.pop("corrupt-1.0.dist-info")
    assert set(listed) == set(STRANGERS) - {"corrupt"}
    assert (corrupt["status"], corrupt["kind"]) == ("failed", "distribution")
    assert re.fullmatch(r"cannot be read: UnicodeDecodeError: .*; reinstall it", corrupt["error"])
    conflicts = {name: p["error"] for name, p in listed.items() if p["status"] == "conflict"}
    assert conflicts == {
        "shadow": "'relu' means 'nnplug:relu'; write 'shadow:relu'",
        "twin-one": "several plugins provide the layer 'twin'; write 'twin-one:twin' or 'twin-two:twin'",
        "twin-two": "several plugins provide the layer 'twin'; write 'twin-one:twin' or 'twin-two:twin'",
    }
    assert {p["status"] for name, p in listed.items() if name not in conflicts} == {"available"}
    assert {p["version"] for p in listed.values()} == {"1.0", "2.0", "2.1"}
    assert imported(marks) == set()


def test_the_doctor_names_each_with_its_cause(crowd, tmp_path):
    """Those that crash, quit or hang, too; the doctor survives them all and says who is well."""
    done = crowd.run("nnplug", "plugins", "doctor", "--json", "--timeout", "8", cwd=tmp_path)
    assert done.code == 1, done.err
    told = {d["distribution"]: d for d in json.loads(done.out) if d["distribution"] != "nnplug"}
    builtins = [d for d in json.loads(done.out) if d["distribution"] == "nnplug"]
    assert {d["status"] for d in builtins} == {"ok"}
    for name, stranger in BROKEN.items():
        assert told[name]["status"] == "failed", told[name]
        assert re.search(stranger.cause.replace("?", "[?]"), told[name]["advice"]), told[name]
        assert told[name]["advice"].endswith(
            f"; update or uninstall {name}, or switch it off with NNPLUG_DISABLE={name}"
        )
        assert told[name]["version"] == "1.0"
        assert told[name]["names"] == [f"layer {stranger.name}"]
    for name, cause in DEADLY.items():
        assert told[name]["status"] == "failed", told[name]
        assert told[name]["advice"].startswith(cause), told[name]
        assert told[name]["seconds"] is None
    assert told["slow"]["status"] == "slow"
    assert told["slow"]["seconds"] > 1.4
    assert "import heavy things when used" in told["slow"]["advice"]
    assert told["corrupt-1.0.dist-info"]["status"] == "failed"
    assert {told[name]["status"] for name in ("shadow", "twin-one", "twin-two")} == {"conflict"}
    assert {told[name]["status"] for name in ("good-layer", "good-rule", "chatty")} == {"ok"}
    assert set(told) == set(STRANGERS) - {"corrupt"} | {"corrupt-1.0.dist-info"}


# Names


def test_a_name_that_two_provide_is_an_error_that_lists_both(train):
    """It is no matter until it is used."""
    done = train("twin")
    assert done.code == 2
    assert "several plugins provide the layer 'twin'; write 'twin-one:twin' or 'twin-two:twin'" in done.err


WHICH = 'import nnplug; print(nnplug.Registry().get("layer", "{}").__module__)'


@pytest.mark.parametrize(
    ("name", "prefer", "module"),
    [
        ("twin-one:twin", "", "twin_one_module"),
        ("Twin_Two:twin", "", "twin_two_module"),
        ("twin", "twin-two", "twin_two_module"),
        ("twin", "other, twin-one twin-two", "twin_one_module"),
        ("relu", "", "nnplug_builtins.relu"),
        ("shadow:relu", "", "shadow_module"),
        ("relu", "shadow", "shadow_module"),
        ("nnplug:relu", "shadow", "nnplug_builtins.relu"),
    ],
)
def test_qualified_names_and_prefer_decide(crowd, tmp_path, monkeypatch, name, prefer, module):
    """A built-in keeps its bare name unless somebody prefers another."""
    monkeypatch.setenv("NNPLUG_PREFER", prefer)
    done = crowd.run("python", "-c", WHICH.format(name), cwd=tmp_path)
    assert (done.code, done.out.strip()) == (0, module), done.err


def test_prefer_in_a_config(train, tmp_path):
    """The saved model says which one it was, whoever is preferred when it is loaded."""
    done = train("twin", "train.epochs=1", plugins='\n[plugins]\nprefer = ["twin-two"]\n')
    assert done.code == 0, done.err
    model = Path(json.loads(done.out)["model"])
    assert b"twin-two" in (tmp_path / model).read_bytes()


# Switching off


@pytest.mark.parametrize(
    ("plugins", "told"),
    [
        ('disable = ["good-layer"]', "is switched off (it comes from good-layer 2.1"),
        ('disable = ["good-layer:scaled"]', "is switched off (it comes from good-layer 2.1"),
        ('only = ["good-rule"]', "is switched off (it comes from good-layer 2.1"),
        ('autoload = false\nonly = ["nnplug"]', "is switched off (it comes from good-layer 2.1"),
    ],
)
def test_the_config_switches_off_before_import(train, marks, plugins, told):
    """The name is known, the module is never imported."""
    done = train("scaled", plugins=f"\n[plugins]\n{plugins}\n")
    assert done.code == 2
    assert f"model.layers[2]: the layer 'scaled' {told}" in done.err
    assert imported(marks) == set()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NNPLUG_DISABLE", "other Good_Layer"),
        ("NNPLUG_DISABLE", "good-layer:scaled"),
        ("NNPLUG_ONLY", "good-rule"),
        ("NNPLUG_AUTOLOAD", "0"),
    ],
)
def test_the_environment_switches_off_before_import(crowd, tmp_path, monkeypatch, marks, variable, value):
    """Whatever a config or a program says."""
    monkeypatch.setenv(variable, value)
    done = crowd.run("nnplug", "show", "layer", "scaled", cwd=tmp_path)
    assert done.code == 2
    assert "the layer 'scaled' is switched off (it comes from good-layer 2.1 (module good_layer_module))" in done.err
    assert imported(marks) == set()


def test_switched_off_is_listed_as_disabled(crowd, tmp_path, monkeypatch):
    """By the listing and by the doctor, who leaves them alone: all that is broken is away."""
    monkeypatch.setenv("NNPLUG_ONLY", "good-layer")
    listed = json.loads(crowd.run("nnplug", "plugins", "--json", cwd=tmp_path).out)
    status = {p["distribution"]: p["status"] for p in listed}
    assert status["good-layer"] == "available"
    assert {status[name] for name in STRANGERS if name not in ("good-layer", "corrupt")} == {"disabled"}
    monkeypatch.setenv("NNPLUG_DISABLE", "nnplug")
    done = crowd.run("nnplug", "plugins", "doctor", "--json", cwd=tmp_path)
    status = {d["distribution"]: d["status"] for d in json.loads(done.out)}
    assert status.pop("good-layer") == "ok"
    assert status.pop("corrupt-1.0.dist-info") == "failed"
    assert set(status.values()) == {"disabled"}


# Saved models


def test_a_saved_model_needs_its_plugin(train, crowd, tmp_path, monkeypatch):
    """With it the model evaluates as it was trained; without it there is one error that says what is missing."""
    done = train("scaled")
    assert done.code == 0, done.err
    trained = json.loads(done.out)
    arguments = ["evaluate", trained["model"], "--data", "digits", "--json"]
    done = crowd.run("nnplug", *arguments, cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["results"] == trained["test"]
    monkeypatch.setenv("NNPLUG_DISABLE", "good-layer")
    done = crowd.run("nnplug", *arguments, cwd=tmp_path)
    assert done.code in (1, 2)
    (line,) = done.err.splitlines()
    assert "the layer 'scaled' is switched off (it comes from good-layer 2.1" in line
