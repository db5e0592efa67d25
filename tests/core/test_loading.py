"""Loading: data by name, whole models, parts of models, and files that contradict themselves."""

from __future__ import annotations

import copy
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from attrs import frozen

import nnplug
from nnplug import (
    Array,
    ArraySpec,
    ConfigError,
    Context,
    DataError,
    DataLoader,
    Dataset,
    Layer,
    Model,
    ModelFileError,
    NnplugError,
    Params,
    ParamSpec,
    Plan,
    PluginError,
    Registry,
    StateSpec,
)


@frozen
class Tracker(Layer):
    """A stranger's layer with a parameter, a running mean and a count of steps.

    Args:
        rate: how fast the mean follows.
    """

    rate: float = 0.1

    def plan(self, x: ArraySpec) -> Plan:
        """A scalar, a vector and an integer."""
        state = {"mean": StateSpec(x.shape, fill=1.0), "steps": StateSpec((), dtype="int64")}
        return Plan(out=x, params={"scale": ParamSpec((), 2.0)}, state=state)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        """Return ``(x - mean) * scale``."""
        if ctx.training:
            params["mean"][...] += self.rate * (x.mean(axis=0) - params["mean"])
            params["steps"][...] += 1
        centred = x - params["mean"]
        return centred * params["scale"], centred

    def backward(self, params: Params, grads: Params, cache: Array, dout: Array, ctx: Context) -> Array:
        """As if the mean stood still."""
        grads["scale"][...] = (dout * cache).sum()
        return dout * params["scale"]


@pytest.fixture
def registry() -> Registry:
    """What is installed, and Tracker."""
    registry = Registry()
    registry.register(Tracker)
    return registry


LAYERS = [
    {"type": "affine", "units": 6, "name": "hidden"},
    {"type": "tracker", "rate": 0.25},
    {"type": "chain", "layers": ["tanh", {"type": "dropout", "rate": 0.2}, {"type": "affine", "units": 5}]},
    {"type": "affine", "units": 3, "name": "out"},
]


@pytest.fixture
def trained(registry: Registry) -> Model:
    """A model that has state, scale and names, after some steps."""
    model = nnplug.build(
        {"layers": LAYERS, "l2": 0.01},
        input_shape=(2, 2),
        seed=3,
        scale=(2.0, 0.125),
        classes=3,
        class_names=["a", "b", "c"],
        registry=registry,
    )
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 16, (20, 2, 2), np.uint8), rng.integers(0, 3, 20)
    nnplug.Solver(model, (x, y), iterations=5, batch_size=8, update="adam").fit()
    return model


@pytest.fixture
def path(trained: Model, tmp_path: Path) -> Path:
    """The file of ``trained``."""
    path = tmp_path / "m.safetensors"
    trained.save(path)
    return path


RAW = np.random.default_rng(5).integers(0, 16, (9, 2, 2), np.uint8)


# Whole models


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loaded_model_gives_the_same_bytes(dtype: str, registry: Registry, tmp_path: Path) -> None:
    """Scores of raw input are the same bytes before saving and after loading, in both dtypes."""
    model = nnplug.build(LAYERS, input_shape=4, dtype=dtype, scale=(1.0, 0.1), registry=registry)
    model.state["tracker1.mean"][...] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    x = np.random.default_rng(0).integers(0, 256, (1500, 4), np.uint8)
    model.save(tmp_path / "m")
    loaded = nnplug.load(tmp_path / "m", registry=registry)
    assert loaded.dtype == dtype
    assert loaded.scores(x).tobytes() == model.scores(x).tobytes()
    assert loaded.scores(x[:3]).tobytes() == model.scores(x[:3]).tobytes()


def test_everything_about_the_model_comes_back(trained: Model, path: Path, registry: Registry) -> None:
    """Config, scale, classes, names, seed, parameters and state are those that were saved."""
    loaded = nnplug.load(str(path), registry=registry)
    for name in ("input_spec", "scale", "classes", "class_names", "seed", "dtype", "config"):
        assert getattr(loaded, name) == getattr(trained, name), name
    for kept, found in ((trained.params, loaded.params), (trained.state, loaded.state)):
        assert list(kept) == list(found)
        for key, array in kept.items():
            assert found[key].dtype == array.dtype
            np.testing.assert_array_equal(found[key], array)
    assert int(loaded.state["tracker1.steps"]) == 5
    assert str(loaded.summary()) == str(trained.summary())
    assert not any(gradient.any() for gradient in loaded.grads.values())


def test_a_loaded_model_is_saved_as_the_same_file(path: Path, registry: Registry, tmp_path: Path) -> None:
    """Loading and saving again loses nothing and adds nothing."""
    nnplug.load(path, registry=registry).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_loaded_model_can_be_trained_further(path: Path, registry: Registry) -> None:
    """What was loaded is a model like any other."""
    loaded = nnplug.load(path, registry=registry)
    x, y = RAW, np.arange(9) % 3
    before = loaded.loss(x, y)
    nnplug.Solver(loaded, (x, y), update={"type": "sgd", "learning_rate": 0.1}, epochs=20, batch_size=9).fit()
    assert loaded.loss(x, y) < before


@pytest.mark.parametrize("layers", [["relu"], ["flatten", {"type": "dropout"}]])
def test_a_model_without_parameters_can_be_kept(layers: list[Any], tmp_path: Path) -> None:
    """A file may hold no array at all."""
    nnplug.build(layers, input_shape=3).save(tmp_path / "m")
    np.testing.assert_array_equal(nnplug.load(tmp_path / "m").scores([[1, 2, 3]]), [[1, 2, 3]])


def test_loading_builds_layers_and_loss_and_nothing_else(path: Path, run_python: Callable[..., str]) -> None:
    """Update rules, data loaders and callbacks are not imported by loading."""
    plain = nnplug.build([{"type": "affine", "units": 2}], input_shape=3)
    plain.save(path)
    printed = run_python(
        f"""
        import json, sys, nnplug
        nnplug.load({str(path)!r})
        print(json.dumps([name for name in sys.modules if name.startswith("nnplug_builtins.")]))
        """
    )
    assert set(json.loads(printed)) <= {
        *("nnplug_builtins._by_class", "nnplug_builtins._constant", "nnplug_builtins._targets"),
        *("nnplug_builtins.affine", "nnplug_builtins.he", "nnplug_builtins.softmax"),
    }


# Parts of models


def test_weights_go_into_another_model(trained: Model, path: Path, registry: Registry) -> None:
    """All weights and state are taken over; the model's own scale, seed and config stay."""
    other = nnplug.build(LAYERS, input_shape=4, seed=99, dtype="float64", registry=registry)
    assert nnplug.load(path, into=other) is other
    for name, array in trained.params.items():
        np.testing.assert_array_equal(other.params[name], array.astype(np.float64))
    np.testing.assert_array_equal(other.state["tracker1.mean"], trained.state["tracker1.mean"].astype(np.float64))
    assert int(other.state["tracker1.steps"]) == 5
    assert (other.scale, other.seed, other.dtype) == (None, 99, np.dtype("float64"))


def test_some_weights_go_into_another_model(trained: Model, path: Path, registry: Registry) -> None:
    """``only`` chooses by pattern; everything else stays as it was, whatever the network is like."""
    other = nnplug.build(
        [{"type": "affine", "units": 6, "name": "hidden"}, "relu", {"type": "affine", "units": 10, "name": "out"}],
        input_shape=4,
        registry=registry,
    )
    before = {name: array.copy() for name, array in other.params.items()}
    nnplug.load(path, into=other, only="hidden.*")
    np.testing.assert_array_equal(other.params["hidden.W"], trained.params["hidden.W"])
    np.testing.assert_array_equal(other.params["hidden.b"], trained.params["hidden.b"])
    np.testing.assert_array_equal(other.params["out.W"], before["out.W"])
    nnplug.load(path, into=other, only="hid*.b")


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("*", "does not fit: its chain1.affine1.W has shape (6, 5), the model's has (6, 4)"),
        ("nothing.*", "holds no parameter that matches 'nothing.*'"),
        ("hidden", "holds no parameter that matches 'hidden'"),
        ("HIDDEN.*", "holds no parameter that matches 'HIDDEN.*'"),
        ("tracker1.*", "does not fit: it holds 'tracker1.mean', which the model does not have"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(path: Path, only: str, message: str) -> None:
    """A refused file leaves the model as it was, to the last byte."""
    other = nnplug.build(
        [
            {"type": "affine", "units": 6, "name": "hidden"},
            {"type": "chain", "layers": ["relu", {"type": "affine", "units": 4}]},
            {"type": "affine", "units": 3, "name": "out"},
        ],
        input_shape=4,
    )
    before = other.network.buffers.vector.tobytes()
    with pytest.raises(ModelFileError) as caught:
        nnplug.load(path, into=other, only=only)
    assert str(caught.value) == f"{path} {message}"
    assert other.network.buffers.vector.tobytes() == before


def test_weights_of_another_kind_are_not_taken(path: Path, registry: Registry) -> None:
    """Integers do not become weights, even into another model."""
    change(path, arrays=lambda arrays: arrays | {"out.b": np.arange(3)})
    other = nnplug.build(LAYERS, input_shape=4, registry=registry)
    with pytest.raises(ModelFileError, match=r"does not fit: its out.b has dtype int64, the model's has float32$"):
        nnplug.load(path, into=other)


# Files that contradict themselves


def change(
    path: Path,
    header: Callable[[Any], Any] = lambda header: header,
    arrays: Callable[[dict[str, Array]], dict[str, Array]] = lambda arrays: arrays,
) -> None:
    """Write a file anew with another header or other arrays."""
    with safetensors.safe_open(path, framework="numpy") as file:
        content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
        text = json.loads(file.metadata()["nnplug"])
    safetensors.numpy.save_file(arrays(content), path, {"nnplug": json.dumps(header(text))})


def without(arrays: dict[str, Array], name: str) -> dict[str, Array]:
    """All but one."""
    return {key: array for key, array in arrays.items() if key != name}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (lambda a: without(a, "out.b"), "it lacks 'out.b', which its own config asks for"),
        (lambda a: without(a, "tracker1.mean"), "it lacks 'tracker1.mean', which its own config asks for"),
        (lambda a: {}, "it lacks 'chain1.affine1.W', which its own config asks for"),
        (lambda a: a | {"x.W": np.zeros(1)}, "it holds 'x.W', which the model does not have"),
        (lambda a: a | {"out.b": np.zeros(4, "f4")}, "its out.b has shape (4,), the model's has (3,)"),
        (lambda a: a | {"out.b": np.zeros((3, 1), "f4")}, "its out.b has shape (3, 1), the model's has (3,)"),
        (lambda a: a | {"out.W": a["out.W"].T.copy()}, "its out.W has shape (3, 5), the model's has (5, 3)"),
        (lambda a: a | {"out.b": np.zeros(3)}, "its out.b has dtype float64, the model's has float32"),
        (lambda a: a | {"out.b": np.zeros(3, "i4")}, "its out.b has dtype int32, the model's has float32"),
        (
            lambda a: a | {"tracker1.steps": np.array(1.5)},
            "its tracker1.steps has dtype float64, the model's has int64",
        ),
    ],
)
def test_arrays_that_do_not_belong_to_the_config(path: Path, registry: Registry, arrays: Any, message: str) -> None:
    """Missing, extra or different arrays are refused with their name."""
    change(path, arrays=arrays)
    with pytest.raises(ModelFileError) as caught:
        nnplug.load(path, registry=registry)
    assert str(caught.value) == f"{path} cannot be built again: {message}"


def test_a_path_that_is_none() -> None:
    """No file has a null byte in its name."""
    with pytest.raises(ModelFileError, match=r"cannot be read: embedded null byte$"):
        nnplug.load("a\0b")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (lambda h: h["model"].update(layers=[]), "model.layers: Length of 'layers' must be >= 1: 0"),
        (
            lambda h: h["model"]["layers"][0].update(type="afine"),
            "model.layers[0]: no layer is called 'afine'; did you mean 'affine'? There are: ",
        ),
        (lambda h: h["model"]["layers"][0].update(untis=6), "model.layers[0].untis: affine has no option 'untis'; did"),
        (lambda h: h["model"]["layers"][0].update(units=-1), "model.layers[0].units: must be >= 1: -1"),
        (lambda h: h["model"]["layers"][3].update(name="hidden"), "model.layers: two layers are called 'hidden'"),
        (lambda h: h["model"].update(loss="sofmax"), "model.loss: no loss is called 'sofmax'; did you mean 'softmax'?"),
        (lambda h: h["model"].update(callbacks=["x"]), "model.callbacks: [model] has no option 'callbacks'"),
        (lambda h: h.update(dtype="float16"), "dtype: expected one of 'float32', 'float64', got 'float16'"),
        (lambda h: h.pop("dtype"), "the config needs option 'dtype', one of 'float32', 'float64'"),
        (lambda h: h.update(seed=1.5), "seed: expected an integer, got 1.5"),
        (lambda h: h.update(scale=[0]), "scale: expected a list of a number, a number or nothing, got [0]"),
        (
            lambda h: h.update(scale=[0, 0]),
            "scale: must be two finite numbers, offset and factor, and the factor not 0",
        ),
        (lambda h: h.update(classes="ten"), "classes: expected an integer or nothing, got 'ten'"),
        (lambda h: h.update(class_names="abc"), "class_names: expected a list, each a text or nothing, got 'abc'"),
        (lambda h: h.update(class_names=["a", "b", "a"]), "class_names: two are called 'a'"),
        (lambda h: h.update(classes=3, class_names=["a", "b"]), "class_names holds 2 for 3 classes"),
        (lambda h: h.update(classes=10**30), "classes: must be <= 2147483648: 1000000000000000000000000000000"),
        (lambda h: h.update(input_shape=[7]), "its hidden.W has shape (4, 6), the model's has (7, 6)"),
        (lambda h: h.update(input_shape=[]), "model.layers[0]: affine needs samples of at least one dimension"),
        (lambda h: h.update(input_shape=[-4]), "model.input_shape: every dimension must be at least 1: [-4]"),
        (
            lambda h: h.update(input_shape="4"),
            "model.input_shape: expected a list, each an integer or nothing, got '4'",
        ),
        (lambda h: h["model"].update(input_dtype="int64"), "model.input_dtype: int64 cannot hold x times 0.125"),
    ],
)
def test_headers_that_make_no_model(path: Path, registry: Registry, header: Any, message: str) -> None:
    """What is wrong in the config is told as in a config file, on one line."""
    change(path, header=lambda h: (header(h), h)[1])
    with pytest.raises(ModelFileError) as caught:
        nnplug.load(path, registry=registry)
    assert str(caught.value).startswith(f"{path} cannot be built again: {message}")
    assert "\n" not in str(caught.value)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in nested lists and dicts."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a path."""
    if not path:
        return new
    result = copy.copy(value)
    result[path[0]] = replaced(value[path[0]], path[1:], new)
    return result


JUNK = [None, True, 0, -1, 1, 2.5, 1e400, float("nan"), 10**30, "", "x", "__import__('os')", "../../x", [], [[]], {}]
JUNK += [
    {"type": "affine"},
    {"type": []},
    [None],
    [1, 2, 3],
    {"": ""},
    {"type": "chain", "layers": ["relu"] * 3},
    "\x1b[2J",
]


def test_no_json_anywhere_in_the_header_raises_anything_else(path: Path, registry: Registry) -> None:
    """Every value of the header is replaced by every kind of JSON: a model loads, or a ModelFileError of one line."""
    with safetensors.safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["nnplug"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
    del header["plugins"]  # is information, and may be anything
    refused = loaded = 0
    for place in places(header):
        for junk in JUNK:
            text = json.dumps(replaced(header, place, junk))
            safetensors.numpy.save_file(arrays, path, {"nnplug": text})
            try:
                model = nnplug.load(path, registry=registry)
            except ModelFileError as error:
                assert "\n" not in str(error), (place, junk)  # noqa: PT017  (some are models)
                assert str(error).isprintable(), (place, junk)  # noqa: PT017
                refused += 1
            except Exception as error:
                raise AssertionError(f"{place} = {junk!r} raised {error!r}") from error
            else:
                model.save(path)
                loaded += 1
    assert refused > 5 * loaded > 100


@pytest.mark.parametrize("depth", [50, 300, 2000])
def test_deep_nesting_is_survived(path: Path, registry: Registry, depth: int) -> None:
    """Chains within chains without end are refused, not a crash of the interpreter."""
    layers = "{" + '"type": "chain", "layers": [{' * depth + '"type": "relu"' + "}]" * depth + "}"
    rest = '"input_shape": [2], "dtype": "float32", "seed": 0'
    header = f'{{"format": 1, "model": {{"layers": [{layers}]}}, {rest}}}'
    safetensors.numpy.save_file({}, path, {"nnplug": header})
    try:
        model = nnplug.load(path, registry=registry)
    except ModelFileError as error:
        assert depth > 100 and "\n" not in str(error)  # noqa: PT017, PT018
    else:
        assert model.scores([[1.0, -1.0]]).tolist() == [[1.0, 0.0]]


def test_a_small_file_cannot_ask_for_much_memory(path: Path, registry: Registry) -> None:
    """The arrays in the file are held against the config before anything is allocated."""

    def enlarge(header: Any) -> Any:
        header["model"]["layers"][0]["units"] = 10**7
        return header

    change(path, header=enlarge)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"its \w+.* has shape .*, the model's has .*10000000"):
            nnplug.load(path, registry=registry)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


def test_a_file_for_a_larger_computer_is_not_read(path: Path) -> None:
    """Four thousand million parameters, all there in a sparse file: told from the header alone."""
    n = 10**11
    table = {"layers": [{"type": "affine", "units": n}], "loss": "softmax"}
    config = {"format": 1, "model": table, "input_shape": [3], "dtype": "float32", "seed": 0}
    header = {
        "__metadata__": {"nnplug": json.dumps(config)},
        "affine1.W": {"dtype": "F32", "shape": [3, n], "data_offsets": [0, 12 * n]},
        "affine1.b": {"dtype": "F32", "shape": [n], "data_offsets": [12 * n, 16 * n]},
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        try:
            file.truncate(8 + len(text) + 16 * n)
        except OSError as error:
            pytest.skip(f"no file of a terabyte here: {error}")
    tracemalloc.start()
    try:
        with pytest.raises(
            ModelFileError, match=r"the model has 400,000,000,000 parameters, 1490.1 GiB and as much aga"
        ):
            nnplug.load(path)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


def test_state_counts_as_memory(registry: Registry) -> None:
    """Not only parameters may be too many for the computer."""
    with pytest.raises(nnplug.NnplugError, match="which this computer cannot allocate"):
        nnplug.build(["tracker"], input_shape=10**15, registry=registry)


@pytest.mark.parametrize(("dtype", "copies"), [("float32", 0.1), ("float64", 1.1)])
def test_loading_holds_no_second_copy(tmp_path: Path, dtype: str, copies: float) -> None:
    """Beside parameters and gradients; weights for another model are read before any of its own is overwritten."""
    model = nnplug.build([{"type": "affine", "units": 1000}], input_shape=1000, dtype=dtype)
    model.save(tmp_path / "m")
    size = model.network.buffers.vector.nbytes
    tracemalloc.start()
    try:
        loaded = nnplug.load(tmp_path / "m") if dtype == "float32" else nnplug.load(tmp_path / "m", into=model)
        kept = 2 if loaded is not model else 0
        assert tracemalloc.get_traced_memory()[1] < (kept + copies) * size
    finally:
        tracemalloc.stop()


def test_numbers_that_float32_cannot_hold(tmp_path: Path) -> None:
    """Weights of float64 that would become infinite are not taken; those that fit are."""
    large = nnplug.build([{"type": "affine", "units": 2}], input_shape=3, dtype="float64")
    small = nnplug.build([{"type": "affine", "units": 2}], input_shape=3, seed=1)
    large.save(tmp_path / "m")
    nnplug.load(tmp_path / "m", into=small)
    np.testing.assert_array_equal(small.params["affine1.W"], large.params["affine1.W"].astype("float32"))
    large.params["affine1.b"][1] = 1e300
    large.params["affine1.W"][...] = 5
    large.save(tmp_path / "m")
    before = small.network.buffers.vector.tobytes()
    with pytest.raises(ModelFileError, match=r"m does not fit: it holds numbers too large for float32$"):
        nnplug.load(tmp_path / "m", into=small)
    assert small.network.buffers.vector.tobytes() == before


CLAIMS = {
    "honest": ({"acme-layers": "1.2"}, "acme-layers 1.2"),
    "installed": ({"nnplug": "0.0.1", "Acme_Layers": "1.2"}, "Acme_Layers 1.2"),
    "many": ({f"p{i}": "1" for i in range(9)}, "p0 1, p1 1, p2 1 and 6 more"),
    "a command": ({"x; pip install evil": "1", "ok": "1 && sh", "acme": "2"}, "acme 2"),
    "terminal": ({"\x1b[2J": "1", "a\u202e": "1", "b": "\x9b", "acme": "2"}, "acme 2"),
    "no texts": ({"a": 1, "b": None, "c": [], "acme": "2"}, "acme 2"),
    "a list": (["acme"], ""),
    "nothing": ({}, ""),
    "null": (None, ""),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_file_claims_about_plugins_is_told_as_a_claim(path: Path, claim: str) -> None:
    """Who wrote the file may have written anything: nnplug vouches for nothing, and gives no command to paste."""
    plugins, told = CLAIMS[claim]
    change(path, header=lambda header: header | {"plugins": plugins})
    with pytest.raises(ModelFileError) as caught:
        nnplug.load(path, registry=Registry())
    message = str(caught.value)
    first = f"{path} cannot be built again: model.layers[1]: no layer is called 'tracker'. There are: "
    assert message.startswith(first)
    other = f"made with nnplug 0.0.1 (here {version('nnplug')})"
    assert (other in message) == (claim == "installed")
    assert message.endswith(
        f". The file says that it was made with {told}, not installed here. nnplug cannot vouch for what a file says: "
        "a plugin is a program, so find out who publishes it before you install it"
        if told
        else ", tanh"
    )
    assert "pip" not in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "name", ["tracker; pip install evil", "`pip install evil`", "\x1b[2Jpip install evil", "tracker\npip install evil"]
)
def test_a_command_for_a_name_is_not_repeated(path: Path, name: str) -> None:
    """Somebody might paste it."""
    change(path, header=lambda h: (h["model"]["layers"][1].update(type=name), h)[1])
    with pytest.raises(ModelFileError) as caught:
        nnplug.load(path)
    assert "model.layers[1]: no layer is called that, and none can be. There are: " in str(caught.value)
    assert "evil" not in str(caught.value)


def test_a_model_file_names_no_data_no_log_and_no_folder(path: Path, tmp_path: Path) -> None:
    """Neither beside the layers nor among them; nothing is opened, made or written."""
    (tmp_path / "inner").mkdir()
    os.chdir(tmp_path / "inner")
    hostile = [
        lambda h: h.update(data={"type": "csv", "path": "/etc/passwd"}, out="../x", callbacks=["csv_log"]),
        lambda h: h["model"].update(data={"type": "csv", "path": "/etc/passwd"}),
        lambda h: h["model"]["layers"].append({"type": "csv", "path": "/etc/passwd"}),
        lambda h: h["model"]["layers"].append({"type": "csv_log", "path": "../x"}),
        lambda h: h["model"].update(loss={"type": "csv_log", "path": "../x"}),
        lambda h: h["model"]["layers"][0].update(weight_init={"type": "arrays", "path": "../x"}),
        lambda h: h["model"]["layers"][0].update(name="../../x"),
        lambda h: h["model"]["layers"][0].update(type="../../x"),
        lambda h: h["model"]["layers"][0].update(type="os:system"),
    ]
    original = path.read_bytes()
    for i, alter in enumerate(hostile):
        path.write_bytes(original)
        change(path, header=lambda h, alter=alter: (alter(h), h)[1])  # type: ignore[misc]
        registry = Registry()
        registry.register(Tracker)
        if i == 0:  # such keys of the header mean nothing
            nnplug.load(path, registry=registry)
            continue
        with pytest.raises(ModelFileError, match="cannot be built again: model"):
            nnplug.load(path, registry=registry)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inner", "m.safetensors"]
    assert list((tmp_path / "inner").iterdir()) == []


def test_an_unregistered_layer_is_told(path: Path) -> None:
    """A model of somebody's plugin, loaded where it is not installed, says which layer is missing."""
    with pytest.raises(ModelFileError, match=r"cannot be built again: model.layers\[1\]: no layer is called 'tracker'"):
        nnplug.load(path, registry=Registry())


# Data


def test_only_is_for_another_model(path: Path) -> None:
    """Without a model that takes something over it means nothing, and is not overlooked."""
    with pytest.raises(NnplugError, match="name that model with 'into'"):
        nnplug.load(path, only="affine1.*", registry=Registry())


def test_a_loader_that_returns_no_dataset_is_named() -> None:
    """Not the code that would use it first."""

    @frozen
    class Pair(DataLoader):
        def load(self) -> Any:
            return np.zeros((3, 2)), np.zeros(3)

    with pytest.raises(PluginError, match=r"^load\(\) of Pair must return a nnplug\.Dataset, it returned tuple$"):
        nnplug.load_data(Pair())


def test_data_by_name_table_and_component() -> None:
    """A name, a table and a component load the same data; twice gives equal data."""
    by_name = nnplug.load_data("digits")
    by_table = nnplug.load_data({"type": "digits", "flatten": False})
    component = Registry().create("data_loader", "digits")
    by_component = nnplug.load_data(component)
    assert by_name.classes == 10
    assert by_table.train[0].shape == (1438, 1, 8, 8)
    np.testing.assert_array_equal(by_name.train[0], by_component.train[0])
    np.testing.assert_array_equal(by_name.train[0], by_table.train[0].reshape(1438, 64))


def test_data_of_a_strangers_loader() -> None:
    """A loader registered in this process is found by name; its errors come through."""

    @frozen
    class Missing(DataLoader):
        """Has lost its file."""

        def load(self) -> Dataset:
            raise DataError("lost.csv is missing; look under the sofa")

    registry = Registry()
    registry.register(Missing)
    with pytest.raises(DataError, match=r"^lost.csv is missing; look under the sofa$"):
        nnplug.load_data("missing", registry=registry)


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ("digit", "no data loader is called 'digit'; did you mean 'digits'?"),
        ({"type": "digits", "flaten": True}, "flaten: digits has no option 'flaten'; did you mean 'flatten'?"),
        ({"flatten": True}, "expected the name of a data loader or a table with a 'type', got {'flatten': True}"),
        ((1, 2), "expected the name of a data loader or a table with a 'type', got (1, 2)"),
    ],
)
def test_wrong_loaders_are_refused(loader: Any, message: str) -> None:
    """What names no loader is a ConfigError that says what was expected."""
    with pytest.raises(ConfigError) as caught:
        nnplug.load_data(loader)
    assert str(caught.value).startswith(message)
