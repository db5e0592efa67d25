"""The config: TOML, dicts and Python objects give one Experiment; every mistake is told at once."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnplug import ConfigError, Registry, build
from nnplug.chain import Chain
from nnplug.config import (
    ModelConfig,
    PluginsConfig,
    TrainConfig,
    build_section,
    parse,
    read_toml,
    set_value,
    to_toml,
)
from nnplug_builtins.adam import Adam
from nnplug_builtins.affine import Affine
from nnplug_builtins.cosine import Cosine
from nnplug_builtins.digits import Digits
from nnplug_builtins.dropout import Dropout
from nnplug_builtins.early_stopping import EarlyStopping
from nnplug_builtins.normal import Normal
from nnplug_builtins.relu import Relu
from nnplug_builtins.softmax import Softmax

REGISTRY = Registry()
SMALLEST = {"data": "digits", "model": {"layers": ["relu"]}}


def experiment(raw):
    """The experiment of a raw config."""
    return parse(raw, REGISTRY)[0]


def problems(raw, source=""):
    """Every line of the error that a raw config gives."""
    with pytest.raises(ConfigError) as caught:
        parse(raw, REGISTRY, source)
    return str(caught.value).splitlines()


# Reading


def test_a_file_that_is_missing(tmp_path):
    """The file and the reason."""
    path = tmp_path / "mnist.toml"
    with pytest.raises(ConfigError, match=re.escape(f"{path}: cannot be read: ")):
        read_toml(path)


def test_a_folder_is_no_file(tmp_path):
    """Opening it fails, in words."""
    with pytest.raises(ConfigError, match=r": cannot be read: \w+"):
        read_toml(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"seed = 0\nx = \n", r"is not valid TOML: Invalid value \(at line 2, column 5\)"),
        (b"a = 1\na = 2\n", r"is not valid TOML: Cannot overwrite a value \(at line 2, column 6\)"),
        (b"a = '\xff'", "is not valid TOML, which is written in UTF-8; byte 6 is not$"),
        (b"a = " + b"1" * 5000, "is not valid TOML: .*4300 digits"),
        (b"a = " + b"[" * 100_000, r"is not valid TOML: nested more than 128 deep$"),
        (b"a = " + b"{a=" * 100_000, r"is not valid TOML: nested more than 128 deep$"),
        (b"\n" + b"a." * 100_000 + b"a = 1", r"is not valid TOML: a key of more than 128 parts \(at line 2\)$"),
        (b"[" + b"a." * 100_000 + b"a]", r"is not valid TOML: a key of more than 128 parts \(at line 1\)$"),
        (b"x = {" + b"''." * 100_000 + b"a = 1}", r"is not valid TOML: a key of more than 128 parts \(at line 1\)$"),
        (
            b"[" + b"k" * 10**5 + b"]\n[" + b"k" * 10**5 + b"]",
            r"is not valid TOML: .{150}\.\.\..* \(at line 2, column 100002\)$",
        ),
        (b"#" * (512 * 1024 + 1), r"is larger than 524,288 bytes, the most that nnplug reads$"),
    ],
    ids=["no value", "twice", "no UTF-8", "huge", "deep", "deep tables", "dots", "dots 2", "dots 3", "long", "large"],
)
def test_a_file_that_is_no_toml(tmp_path, content, told):
    """The file, and what is wrong in which line, on one line."""
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: {told}.*$"):
        read_toml(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
def test_what_is_no_file_is_not_waited_for(tmp_path):
    """A pipe may never say anything, and a device may never end."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for name in ("pipe.toml", "zero.toml"):
        with pytest.raises(ConfigError, match=rf"{name}: cannot be read: Not a regular file$"):
            read_toml(tmp_path / name)


def test_long_lists_of_numbers_are_no_dotted_keys(tmp_path):
    """Nor are long numbers, sentences and long keys."""
    content = "floats = [" + "1.5," * 1000 + "]\nb = '" + "It is so. But how? " * 100 + "'\n" + "k" * 1000 + " = 1.0\n"
    (tmp_path / "c.toml").write_text(content + ".".join("abc" * 40) + " = 1\n", encoding="utf-8")
    assert len(read_toml(tmp_path / "c.toml")["floats"]) == 1000


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfseed = 1\n", b"seed = 1\r\n"], ids=["mark", "CRLF"])
def test_files_as_windows_editors_write_them(tmp_path, content):
    """A byte order mark and carriage returns are no mistakes."""
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    assert read_toml(path) == {"seed": 1}


# Defaults


def test_the_smallest_config():
    """Data and layers suffice; all else has a default, and names are resolved."""
    config = experiment(SMALLEST)
    assert config.data == Digits()
    assert config.model == ModelConfig((Relu(name="relu1"),), Softmax())
    assert config.train == TrainConfig()
    assert (config.seed, config.dtype) == (0, "float32")
    assert config.update == REGISTRY.create("update_rule", "sgd")


def test_parse_leaves_what_it_is_given_alone():
    """The raw dict can be used again."""
    raw = {"data": {"type": "digits"}, "model": {"layers": [{"type": "affine", "units": 3}]}, "plugins": {"only": []}}
    kept = deepcopy(raw)
    experiment(raw)
    assert raw == kept


# Mistakes


def test_all_mistakes_of_a_config_at_once():
    """One run of the command tells everything: source, path, what was given, what was expected, what to do."""
    raw = {
        "sed": 1,
        "dtype": "float16",
        "data": {"type": "digits", "flaten": True},
        "model": {
            "layers": [
                "relu",
                {"type": "affine", "units": 0, "name": "a.b"},
                {"type": "affine", "unit": 3},
                "afine",
                5,
            ],
            "l2": -1,
            "loss": "hinge",
        },
        "update": {"type": "adam", "beta1": 1, "schedule": {"type": "cosine", "warmup": -1}},
        "train": {"batch_size": "x", "validation": 1.5, "evaluate": ["train", "tset"], "metrics": ["acuracy"]},
        "plugins": {"prefer": "nnplug-numba", "disabled": []},
    }
    assert problems(raw, "mnist.toml") == [
        "mnist.toml: sed: the config has no option 'sed'; did you mean 'seed'?",
        "mnist.toml: data.flaten: digits has no option 'flaten'; did you mean 'flatten'?",
        "mnist.toml: model.layers[1].name: must match regex '[A-Za-z_][A-Za-z0-9_-]*' ('a.b' doesn't)",
        "mnist.toml: model.layers[1].units: must be >= 1: 0",
        "mnist.toml: model.layers[2].unit: affine has no option 'unit'; did you mean 'units'?",
        "mnist.toml: model.layers[2]: affine needs option 'units', an integer",
        "mnist.toml: model.layers[3]: no layer is called 'afine'; did you mean 'affine'? There are: "
        + ", ".join(REGISTRY.names("layer")),
        "mnist.toml: model.layers[4]: expected the name of a layer or a table with a 'type', got 5",
        "mnist.toml: model.loss: no loss is called 'hinge'; did you mean 'svm'? There are: "
        + ", ".join(REGISTRY.names("loss")),
        "mnist.toml: model.l2: must be >= 0: -1.0",
        "mnist.toml: update.schedule.warmup: must be >= 0: -1",
        "mnist.toml: update.beta1: must be < 1: 1.0",
        "mnist.toml: train.batch_size: expected an integer, got 'x'",
        "mnist.toml: train.validation: must be < 1: 1.5",
        "mnist.toml: train.metrics[0]: no metric is called 'acuracy'; did you mean 'accuracy'? There are: "
        + ", ".join(REGISTRY.names("metric")),
        "mnist.toml: train.evaluate[1]: expected one of 'train', 'validation', 'test', got 'tset'",
        "mnist.toml: plugins.disabled: [plugins] has no option 'disabled'; did you mean 'disable'?",
        "mnist.toml: plugins.prefer: expected a list, each a text, got 'nnplug-numba'",
        "mnist.toml: dtype: expected one of 'float32', 'float64', got 'float16'",
    ]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"model": {}}, "model: [model] needs option 'layers', a list, each the name or table of a layer"),
        ({"model": {"layers": []}}, "model.layers: Length of 'layers' must be >= 1: 0"),
        (
            {"model": {"layers": "relu"}},
            "model.layers: expected a list, each the name or table of a layer, got 'relu'",
        ),
        ({"model": ["relu"]}, "model: expected a table, got ['relu']"),
        ({"train": 3}, "train: expected a table, got 3"),
        ({"plugins": 3}, "plugins: expected a table, got 3"),
        (
            {"update": "relu"},
            "update: no update rule is called 'relu'; 'relu' is a layer. There are: "
            + ", ".join(REGISTRY.names("update_rule")),
        ),
        (
            {"data": "adam"},
            "data: no data loader is called 'adam'; 'adam' is an update rule. There are: "
            + ", ".join(REGISTRY.names("data_loader")),
        ),
        ({"train": {"epochs": 0}}, "train.epochs: must be >= 1: 0"),
        ({"train": {"epochs": 3, "iterations": 7}}, "train: give 'epochs' or 'iterations', not both"),
        ({"seed": True}, "seed: expected an integer, got True"),
        (
            {"model": {"layers": ["relu"], "loss": {"type": "softmax", "margin": 1}}},
            "model.loss.margin: softmax has no option 'margin'; it has none",
        ),
        ({"train": {"class_weights": [1, "x"]}}, "train.class_weights[1]: expected a number, got 'x'"),
        (
            {"train": {"callbacks": [{"type": "early_stopping", "patience": 0}]}},
            "train.callbacks[0].patience: must be >= 1: 0",
        ),
    ],
)
def test_single_mistakes(raw, told):
    """Each is told with its path, and nothing else is."""
    assert problems({**SMALLEST, **raw}) == [told]


def test_an_empty_config():
    """It says what it needs."""
    assert problems({}) == [
        "the config needs option 'data', the name or table of a data loader",
        "the config needs option 'model', a table",
    ]


@pytest.mark.parametrize(
    ("path", "smallest", "too_small"),
    [
        ("train.epochs", 1, 0),
        ("train.iterations", 1, 0),
        ("train.batch_size", 1, 0),
        ("train.validation", 0, -0.1),
        ("train.max_seconds", 1e-9, 0),
        ("model.l2", 0, -1e-9),
        ("model.input_shape", [1, 1], [1, 0]),
        ("seed", 0, -1),
    ],
)
def test_bounds(path, smallest, too_small):
    """The smallest value that makes sense is taken, the next one down is refused at its path."""
    raw = deepcopy(SMALLEST)
    set_value(raw, f"{path}={smallest}")
    experiment(raw)
    set_value(raw, f"{path}={too_small}")
    told = problems(raw)
    assert len(told) == 1
    assert told[0].startswith(f"{path}: ")


def test_epochs_xor_iterations():
    """Either alone is fine, and so is neither."""
    assert experiment({**SMALLEST, "train": {"iterations": 7}}).train.epochs is None
    assert experiment({**SMALLEST, "train": {"epochs": 7}}).train.iterations is None
    assert experiment({**SMALLEST, "train": {}}).train == TrainConfig()


@pytest.mark.parametrize(
    "layers",
    [
        [{"type": "affine", "units": 3, "name": "a"}, {"type": "relu", "name": "a"}],
        [{"type": "affine", "units": 3, "name": "affine2"}, {"type": "affine", "units": 3}],
        [Affine(3, name="a"), Relu(name="a")],
    ],
    ids=["given", "counted", "objects"],
)
def test_two_layers_of_one_name(layers):
    """They would share their parameters, so they are refused: in a model and in a chain inside it, from TOML or not."""
    told = problems({**SMALLEST, "model": {"layers": layers}})
    assert len(told) == 1
    assert re.fullmatch(r"model\.layers: two layers are called '(a|affine2)'; names must differ", told[0])
    inner = problems({**SMALLEST, "model": {"layers": [{"type": "chain", "layers": layers}]}})
    assert inner == [told[0].replace("model.layers", "model.layers[0].layers")]


def test_layers_are_named_by_type_and_count():
    """Chains count for themselves; a qualified name counts as the bare one."""
    layers = ["relu", {"type": "nnplug:relu"}, {"type": "chain", "layers": ["relu", {"type": "affine", "units": 2}]}]
    config = experiment({**SMALLEST, "model": {"layers": layers}})
    assert [layer.name for layer in config.model.layers] == ["relu1", "relu2", "chain1"]
    assert [layer.name for layer in config.model.layers[2].layers] == ["relu1", "affine1"]


@pytest.mark.parametrize("name", ["a.b", "", "1a", "a b", "ä", "a\n", "a/b"])
def test_layer_names_that_are_refused(name):
    """A name is part of a path, a file's key and an attribute in messages."""
    told = problems({**SMALLEST, "model": {"layers": [{"type": "relu", "name": name}]}})
    assert told[0].startswith("model.layers[0].name: must match regex ")


# Too much


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"model": {"layers": ["relu"] * 10**6}}, "holds more than 25,000 values, the most that nnplug reads"),
        (
            {"x" * 10**6: 1},
            "x" * 77 + "...: the config has no option '" + "x" * 76 + "...; it has data, model, update, ",
        ),
        ({"model": {"layers": ["x" * 10**6]}}, "model.layers[0]: has 1,000,000 characters, 10,000 is the most that "),
        ({"seed": 16**10000}, "seed: is an integer of more than 300 digits, the most that nnplug reads"),
        (
            {"model": {"layers": ["relu"], "input_shape": [1] * 64}},
            "model.input_shape: a sample has at most 63 dimensi",
        ),
        ({"model": {"layers": ["x" * 9999]}}, "model.layers[0]: no layer is called that, and none can be. There are: "),
    ],
    ids=range(6),
)
def test_too_much(raw, told):
    """It is told in few words, whatever was too much."""
    lines = problems({**SMALLEST, **raw})
    assert lines[0].startswith(told)
    assert len(lines) == 1
    assert len(lines[0]) < 300


def test_what_a_model_file_cannot_hold_is_refused_before_training():
    """Not after hours, when the model is to be saved."""
    layers = [{"type": "affine", "units": 3, "weight_init": {"type": "normal", "std": float("inf")}}]
    assert problems({**SMALLEST, "model": {"layers": layers}}) == [
        "model.layers[0].weight_init.std: must be a finite number, since a model file holds no other: inf"
    ]


def test_many_mistakes_are_not_all_told():
    """Nobody reads on after a hundred, and looking for the others would take its time."""
    told = problems({**SMALLEST, "model": {"layers": [f"relu{i}" for i in range(20_000)]}}, "c.toml")
    assert len(told) == 101
    assert told[99].startswith("c.toml: model.layers[99]: no layer is called 'relu99'")
    assert told[100] == "c.toml: and more"


def test_many_unknown_options_of_one_table():
    """The first twenty are named, the others counted."""
    told = problems({**SMALLEST, "train": {f"x{i}": 0 for i in range(1000)}})
    assert len(told) == 21
    assert told[20] == "train: [train] has no option of 980 further names, either"


# Plugins switched


def test_the_registry_comes_back_switched():
    """What [plugins] switches off is off for the rest of the config and for whoever uses the registry returned."""
    config, registry = parse({**SMALLEST, "plugins": {"disable": ["nnplug:tanh"]}}, REGISTRY)
    assert "tanh" not in registry.names("layer")
    assert "tanh" in REGISTRY.names("layer")
    assert config.plugins == PluginsConfig(disable=("nnplug:tanh",))


def test_what_is_switched_off_cannot_be_used():
    """The message says that it is there, and off."""
    raw = {**SMALLEST, "plugins": {"disable": ["nnplug:relu"]}}
    assert problems(raw) == [
        f"model.layers[0]: the layer 'relu' is switched off (it comes from {REGISTRY.find('layer', 'relu').provenance})"
    ]


def test_plugins_as_a_python_object():
    """A section given as an object switches like a table."""
    _, registry = parse({**SMALLEST, "plugins": PluginsConfig(disable=("nnplug:tanh",))}, REGISTRY)
    assert "tanh" not in registry.names("layer")


# One config in three forms

TOML = """
seed = 7
dtype = "float64"
data = { type = "digits", flatten = true }

[model]
loss = "softmax"
l2 = 1
layers = [
  { type = "affine", units = 20, name = "hidden", weight_init = { type = "normal", std = 0.5 } },
  "relu",
  { type = "chain", trainable = false, layers = [{ type = "dropout", rate = 0.25 }, { type = "affine", units = 9 }] },
  { type = "affine", units = 10 },
]

[update]
type = "adam"
learning_rate = 1
schedule = { type = "cosine", warmup = 3 }

[train]
epochs = 2
class_weights = [1, 2.5]
callbacks = [{ type = "early_stopping", patience = 3 }]
"""

OBJECTS = {
    "seed": 7,
    "dtype": "float64",
    "data": Digits(flatten=True),
    "model": ModelConfig(
        layers=(
            Affine(20, name="hidden", weight_init=Normal(0.5)),
            Relu(),
            Chain((Dropout(0.25), Affine(9)), trainable=False),
            Affine(10),
        ),
        l2=1,
    ),
    "update": Adam(learning_rate=1, schedule=Cosine(warmup=3)),
    "train": TrainConfig(epochs=2, class_weights=(1, 2.5), callbacks=(EarlyStopping(patience=3),)),
}


def test_toml_dict_and_objects_are_equal():
    """The file, the dict and the Python objects make one and the same experiment."""
    from_toml = experiment(tomllib.loads(TOML))
    assert experiment({**OBJECTS, "model": {**tomllib.loads(TOML)["model"]}}) == from_toml
    from_objects = experiment({**OBJECTS, "model": {"layers": OBJECTS["model"].layers, "l2": 1}})
    assert from_objects == from_toml


def test_sections_as_objects():
    """ModelConfig and TrainConfig may be given as they are: names in them are resolved, layers named."""
    assert experiment(OBJECTS) == experiment(tomllib.loads(TOML))


def test_a_hand_built_config_is_resolved_by_build():
    """Names left in a chain built by hand are resolved, whatever the depth."""
    model = build(
        [Chain((Affine(5), "relu", Chain(({"type": "affine", "units": 4}, "relu")))), Affine(3)], input_shape=2
    )
    assert list(model.params) == [
        "chain1.affine1.W",
        "chain1.chain1.affine1.W",
        "affine1.W",
        "chain1.affine1.b",
        "chain1.chain1.affine1.b",
        "affine1.b",
    ]


# Back to TOML


def round_trip(config):
    """An experiment written to TOML and read again."""
    return experiment(tomllib.loads(to_toml(config, REGISTRY)))


def test_round_trip():
    """What is written makes an equal experiment."""
    config = experiment(tomllib.loads(TOML))
    assert round_trip(config) == config


def test_every_default_is_written_out():
    """A run's config says what was used, whatever the defaults of later versions."""
    written = tomllib.loads(to_toml(experiment(SMALLEST), REGISTRY))
    assert written["train"]["batch_size"] == 128
    assert written["update"]["schedule"] == {"type": "constant", "warmup": 0}
    assert written["model"]["layers"] == [{"type": "relu", "name": "relu1", "trainable": True}]


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
floats = st.floats(min_value=1e-300, max_value=1e300)
fractions = st.floats(min_value=0, max_value=0.99)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def tables(kind, **options):
    """A component's table with some of its options; the name alone where there are none."""
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=options)


initializers = (
    st.sampled_from(["he", "xavier", "zeros"]) | tables("normal", std=floats) | tables("constant", value=floats)
)
common = {"name": names, "trainable": st.booleans()}
simple_layers = (
    st.sampled_from(["relu", "tanh", "sigmoid", "flatten", "nnplug:relu"])
    | tables("dropout", rate=fractions, **common)
    | tables("leaky_relu", **common)
    | st.builds(
        lambda units, rest: {"type": "affine", "units": units, **rest},
        st.integers(1, 2**40),
        st.fixed_dictionaries({}, optional={"weight_init": initializers, **common}),
    )
)
layers = st.recursive(
    simple_layers, lambda inner: tables("chain", **common).flatmap(
        lambda table: st.lists(inner, max_size=3).map(lambda rows: {**table, "layers": rows})
    ), max_leaves=6,
)  # fmt: skip
schedules = st.sampled_from(["constant", "cosine"]) | tables("cosine", warmup=st.integers(0, 10**6))
rule_options = {"learning_rate": floats, "schedule": schedules, "clip_norm": floats}
configs = st.fixed_dictionaries(
    {
        "data": st.just("digits")
        | tables("digits", flatten=st.booleans())
        | st.builds(lambda path: {"type": "arrays", "path": path}, texts),
        "model": st.fixed_dictionaries(
            {"layers": st.lists(layers, min_size=1, max_size=4)},
            optional={
                "loss": st.sampled_from(["softmax", "svm", "mse"]),
                "l2": fractions,
                "input_shape": st.lists(st.integers(1, 999), max_size=3),
                "input_dtype": st.sampled_from(["float32", "int64"]),
            },
        ),
    },
    optional={
        "seed": st.integers(0, 2**128),
        "dtype": st.sampled_from(["float32", "float64"]),
        "update": st.just("sgd") | tables("adam", beta1=fractions, **rule_options) | tables("momentum", **rule_options),
        "train": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 10**9),
                "batch_size": st.integers(1, 10**9),
                "validation": fractions,
                "monitor": texts,
                "metrics": st.lists(st.sampled_from(["accuracy", "r2"]), max_size=2),
                "evaluate": st.lists(st.sampled_from(["train", "validation", "test"]), max_size=3),
                "class_weights": st.just("balanced") | st.lists(floats, max_size=3),
                "callbacks": st.lists(tables("early_stopping", patience=st.integers(1, 99)), max_size=2),
                "max_seconds": floats,
            },
        ),
        "plugins": st.fixed_dictionaries({}, optional={"prefer": st.lists(texts), "disable": st.lists(st.just("x:y"))}),
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(configs)
def test_any_valid_config_survives_the_round_trip(raw):
    """parse -> to_toml -> parse gives an equal experiment, whatever was configured."""
    try:
        config = experiment(raw)
    except ConfigError as error:
        assert "two layers are called" in str(error)  # noqa: PT017
        return
    assert round_trip(config) == config


# --set


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("seed=5", {"seed": 5}),
        ("train.epochs=5", {"train": {"epochs": 5}}),
        ("train.epochs = 5", {"train": {"epochs": 5}}),
        ("model.l2=1e-3", {"model": {"l2": 1e-3}}),
        ("update=adam", {"update": "adam"}),
        ("update.type=adam", {"update": {"type": "adam"}}),
        ("a.b.c.d=true", {"a": {"b": {"c": {"d": True}}}}),
        ('x="5"', {"x": "5"}),
        ("x=5 apples", {"x": "5 apples"}),
        ("x=", {"x": ""}),
        ("x=a=b", {"x": "a=b"}),
        ("x=[1, 2]", {"x": [1, 2]}),
        ('x={type = "adam", beta1 = 0.5}', {"x": {"type": "adam", "beta1": 0.5}}),
        (r"data.path=C:\data\x.npz", {"data": {"path": r"C:\data\x.npz"}}),
        ("x=" + "1" * 5000, {"x": "1" * 5000}),
    ],
)
def test_set_makes_what_is_missing(assignment, expected):
    """Tables on the way are made; the value is TOML where it can be read as such, else a text."""
    raw = {}
    set_value(raw, assignment)
    assert raw == expected


def test_set_reaches_into_lists_and_turns_names_into_tables():
    """A layer that is only a name becomes a table when an option of it is set."""
    raw = {
        "update": "adam",
        "model": {"layers": ["relu", {"type": "affine", "units": 3}, {"type": "chain", "layers": ["tanh"]}]},
    }
    for assignment in (
        "update.learning_rate=0.5",
        "model.layers[0].name=first",
        "model.layers[1].units=64",
        "model.layers[2].layers[0]=sigmoid",
    ):
        set_value(raw, assignment)
    assert raw == {
        "update": {"type": "adam", "learning_rate": 0.5},
        "model": {
            "layers": [
                {"type": "relu", "name": "first"},
                {"type": "affine", "units": 64},
                {"type": "chain", "layers": ["sigmoid"]},
            ]
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("epochs", "expected key=value, such as train.epochs=5"),
        ("=5", "expected key=value, such as train.epochs=5"),
        ("train..epochs=5", "expected key=value, such as train.epochs=5"),
        ("train.=5", "expected key=value, such as train.epochs=5"),
        ("model.layers[0=5", "expected key=value, such as train.epochs=5"),
        ("model.layers[2]=relu", "'2' is no position in a list of 2, counted from 0"),
        ("model.layers[-1].units=5", "'-1' is no position in a list of 2, counted from 0"),
        ("model.layers.units=5", "'units' is no position in a list of 2, counted from 0"),
        ("seed.x=5", "seed is 3, which has no 'x'"),
    ],
)
def test_set_refuses_what_leads_nowhere(assignment, told):
    """The assignment is quoted, and what is wrong with it."""
    raw = {"seed": 3, "model": {"layers": ["relu", "relu"]}}
    with pytest.raises(ConfigError) as caught:
        set_value(raw, assignment)
    assert str(caught.value) == f"--set {assignment}: {told}"


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("a." * 100_000 + "a=1", "a key of more than 128 parts"),
        ("[a]" * 100_000, "a key of more than 128 parts"),
        ("model.layers[" + "9" * 10_000 + "]=1", "'" + "9" * 76 + "... is no position in a list of 2, counted from 0"),
        ("model.layers[\u0661]=1", "'\u0661' is no position in a list of 2, counted from 0"),
        ("seed." + "x" * 10**6 + "=1", "seed is 3, which has no '" + "x" * 76 + "..."),
        ("\x1b[2J" * 10 + "=1", "expected key=value, such as train.epochs=5"),
    ],
    ids=range(6),
)
def test_set_refuses_what_nobody_types(assignment, told):
    """At once, and in few words."""
    raw = {"seed": 3, "model": {"layers": ["relu", "relu"]}}
    with pytest.raises(ConfigError) as caught:
        set_value(raw, assignment)
    assert str(caught.value).endswith(f": {told}")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["[" * 100_000, "{a." + "a." * 100_000 + "a=1}", "0x" + "f" * 10_000])
def test_values_of_set_that_nobody_types(value):
    """What is no TOML is a text as ever; what is too large is refused with everything else."""
    raw = deepcopy(SMALLEST)
    set_value(raw, f"seed={value}")
    assert len(problems(raw)) == 1


def test_a_mistake_in_set_is_told_like_one_in_the_file():
    """What was set goes through the same validator."""
    raw = deepcopy(SMALLEST)
    set_value(raw, "train.epoch=5")
    assert problems(raw) == ["train.epoch: [train] has no option 'epoch'; did you mean 'epochs'?"]


# Sections


def test_a_section_by_itself():
    """The Solver validates its options as the config's [train] table."""
    with pytest.raises(ConfigError) as caught:
        build_section(TrainConfig, {"epochs": "x", "batch": 3}, REGISTRY, "train")
    assert str(caught.value).splitlines() == [
        "train.batch: [train] has no option 'batch'; did you mean 'batch_size'?",
        "train.epochs: expected an integer or nothing, got 'x'",
    ]


def test_experiments_do_not_change():
    """A validated config stays valid."""
    config = experiment(SMALLEST)
    with pytest.raises(AttributeError):
        config.seed = 3


@pytest.mark.parametrize("text", ["2\nseed = 3", "[1,\n2]"])
def test_set_takes_one_value(text):
    """A value that goes on to another key is no value, one of several lines may be."""
    raw = {"train": {}}
    set_value(raw, f"train.epochs={text}")
    assert raw == {"train": {"epochs": [1, 2] if text.startswith("[") else text}}


@pytest.mark.parametrize(
    ("key", "wrong"), [("update", {"type": "adam", "learning_rate": float("inf")}), ("model", {"l2": float("inf")})]
)
def test_infinite_rates_are_refused(key, wrong):
    """Infinity is no learning rate and no weight of a penalty; it would only look like divergence."""
    raw = {"data": "digits", "model": {"layers": ["relu"]}}
    raw[key] = {**raw.get(key, {}), **wrong}
    with pytest.raises(ConfigError, match="must be < inf: inf"):
        parse(raw, Registry())
