"""Hostile model files and configs: ``python tests/fuzz/models.py --runs 20000 --seed 0``.

The files of every released format are changed, byte by byte or as JSON, and configs are made up; each is loaded,
predicted with and saved again, or read as a config, by the library or by the command.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from broken import FULL, break_one, mistold
from harness import main, unquoted
from mutations import Rng, choose, dumps, junk, mutate_bytes, mutate_json, number, text

import nnplug
from nnplug import Model, NnplugError
from nnplug.builder import draw_up
from nnplug.cli.main import main as command
from nnplug.config import parse, read_toml, set_value

DATA = Path(__file__).parents[1] / "data" / "models"
FILES = [path.read_bytes() for path in sorted(DATA.glob("format-*/*.safetensors"))]
PRESETS = [path.read_bytes() for path in sorted(Path(__file__).parents[2].glob("plugins/*/presets/*.toml"))]
VALID = [*(tomllib.loads(preset.decode()) for preset in PRESETS), FULL, FULL, FULL]
LONG = 1_500  # characters of a config that is written as TOML
SMALL = 100_000  # numbers that a sample or a layer's output may have if the model is to predict here
LAYERS = ("affine", "relu", "leaky_relu", "sigmoid", "tanh", "dropout", "flatten", "chain", "tracker", "conv2d")
LAYERS += ("batch_norm", "max_pool2d")
OPTIONS = ("units", "slope", "rate", "layers", "name", "trainable", "filters", "size", "stride", "padding", "momentum")
OPTIONS += ("eps", "weight_init")

_spec = importlib.util.spec_from_file_location("write", DATA / "write.py")
assert _spec is not None
assert _spec.loader is not None
_write = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_write)
REGISTRY = _write.registry()


def pack(header: Any, data: bytes) -> bytes:
    """A tensor file of a header and the bytes behind it."""
    content = dumps(header).encode("utf-8", "surrogatepass")
    return len(content).to_bytes(8, "little") + content + data


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The header of a good file, our config in it, and the bytes behind it."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    return header, json.loads(header["__metadata__"]["nnplug"]), content[end:]


# What is made up


def changed_bytes(rng: Rng) -> bytes:
    """A file with other bytes."""
    return mutate_bytes(rng, choose(rng, FILES), choose(rng, FILES))


def changed_header(rng: Rng) -> bytes:
    """A file with another table of arrays, often still a good tensor file."""
    header, _, data = unpack(choose(rng, FILES))
    return pack(mutate_json(rng, header), data)


def changed_config(rng: Rng) -> bytes:
    """A good tensor file with another config."""
    header, config, data = unpack(choose(rng, FILES))
    header["__metadata__"]["nnplug"] = dumps(mutate_json(rng, config))
    return pack(header, data)


def made_up_layers(rng: Rng, depth: int = 0) -> list[Any]:
    """Layers that exist, with options that may."""
    layers: list[Any] = []
    for _ in range(int(rng.integers(1, 5))):
        layer: dict[str, Any] = {"type": choose(rng, LAYERS) if rng.random() < 0.9 else text(rng)}
        for option in rng.choice(OPTIONS, int(rng.integers(0, 4)), replace=False).tolist():
            layer[option] = int(rng.integers(1, 5)) if rng.random() < 0.6 else choose(rng, (number(rng), junk(rng)))
        if layer["type"] == "chain" and depth < 3:
            layer["layers"] = made_up_layers(rng, depth + 1)
        layers.append(layer if len(layer) > 1 or rng.random() < 0.5 else layer["type"])
    return layers


def made_up_model(rng: Rng) -> bytes:
    """A file whose arrays fit its made-up layers, where such arrays can be."""
    shape = choose(rng, ([4], [1, 8, 8], [2, 2], [10**12], [1] * 60, [], [0], number(rng), junk(rng)))
    dtype = choose(rng, ("float32", "float64"))
    table = {"layers": made_up_layers(rng), "loss": choose(rng, ("softmax", "mse", "svm", junk(rng)))}
    config = {"format": 1, "model": table, "input_shape": shape, "dtype": dtype, "seed": 0, "plugins": {text(rng): "1"}}
    header: dict[str, Any] = {"__metadata__": {"nnplug": dumps(config)}}
    data = b""
    with contextlib.suppress(NnplugError, ValueError, RecursionError):  # the latter two: what no reader of JSON takes
        draft = draw_up(json.loads(dumps(table)), json.loads(dumps(shape)), {"seed": 0, "dtype": dtype}, REGISTRY)
        specs = [(placed.path, placed.spec.shape, dtype) for placed in draft.layout.params]
        specs += [(path, spec.shape, np.dtype(spec.dtype or dtype).name) for path, spec in draft.layout.state.items()]
        if sum(np.prod(shape, dtype=object) for _, shape, _ in specs) < SMALL:
            codes = {"float32": "F32", "float64": "F64", "int64": "I64", "bool": "BOOL"}
            for path, array_shape, name in specs:
                array = np.zeros(array_shape, name)
                place = [len(data), len(data) + array.nbytes]
                header[path] = {"dtype": codes[name], "shape": array_shape, "data_offsets": place}
                data += array.tobytes()
    return pack(header, data)


def hostile_file(rng: Rng) -> tuple[str, bytes]:
    """A file and the sort of it."""
    make = choose(rng, (changed_bytes, changed_header, changed_config, changed_config, made_up_model))
    return make.__name__.replace("_", " "), make(rng)


# What is done with it


def use(model: Model, folder: Path) -> str:
    """Look at a model, predict with it, and save it again."""
    str(model.summary())
    specs = [model.input_spec.shape, *(row.out for row in model.summary().rows)]
    if max(int(np.prod(shape, dtype=object)) for shape in specs) > SMALL:
        return "loaded"
    with np.errstate(all="ignore"):  # the weights are what they are
        model.predict(np.zeros((2, *model.input_spec.shape), np.uint8))
    model.save(folder / "again")
    again = nnplug.load(folder / "again", registry=model.registry)
    assert again.network.buffers.vector.tobytes() == model.network.buffers.vector.tobytes()
    return "used"


def load(rng: Rng, folder: Path) -> str:
    """By the library, as a model or into another."""
    sort, content = hostile_file(rng)
    path = folder / "m"
    path.write_bytes(content)
    if rng.random() < 0.1:
        nnplug.load(
            path, into=nnplug.build([{"type": "affine", "units": 3}], input_shape=4), only=choose(rng, ("*", "*W"))
        )
        return f"{sort}: taken over"
    return f"{sort}: {use(nnplug.load(path, registry=REGISTRY), folder)}"


def predict(rng: Rng, folder: Path) -> str:
    """By the command."""
    sort, content = hostile_file(rng)
    (folder / "m").write_bytes(content)
    np.save(folder / "x.npy", np.zeros((2, 4)))
    out, err = io.StringIO(), io.StringIO()
    words = ["predict", str(folder / "m"), str(folder / "x.npy")]
    if rng.random() < 0.2:
        words = ["evaluate", str(folder / "m"), "--data", "digits"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command(words)
    printed = out.getvalue() + err.getvalue()
    assert code in (0, 1, 2), code
    assert "Traceback" not in printed, printed
    assert all(part.isprintable() for part in printed.replace("\t", "\n").split("\n")), printed
    assert code == 0 or err.getvalue().startswith("nnplug: error: "), printed
    assert "pip install" not in unquoted(printed), printed
    return f"{sort}: the command ended with {code}"


def config(rng: Rng, folder: Path) -> str:
    """A changed preset, as TOML or as a table, or with a value set."""
    preset = choose(rng, PRESETS)
    raw: Any = tomllib.loads(preset.decode())
    kind = choose(rng, ("bytes", "toml", "table", "set"))
    if kind == "bytes":
        (folder / "c.toml").write_bytes(mutate_bytes(rng, preset, choose(rng, PRESETS)))
        raw = read_toml(folder / "c.toml")
    elif kind == "toml":
        raw["model"]["layers"] = made_up_layers(rng)
        if len(dumps(raw)) > LONG:  # the writer of TOML takes the square of it in time
            return "config: none"
        try:
            (folder / "c.toml").write_text(tomlkit.dumps(json.loads(dumps(raw))), encoding="utf-8")
        except (ValueError, RecursionError):  # TOML has no null, and our own tools have limits, too
            return "config: none"
        raw = read_toml(folder / "c.toml")
    elif kind == "table":
        changed = mutate_json(rng, raw) if rng.random() < 0.5 else {**raw, "model": {"layers": [junk(rng)]}}
        try:
            raw = json.loads(dumps(changed))
        except (ValueError, RecursionError):  # what no reader of JSON takes
            return "config: none"
    else:
        key = choose(
            rng, ("model.layers[0].units", "seed", "train.epochs", str(text(rng)), "a." * int(rng.integers(300)))
        )
        set_value(raw, f"{key}={dumps(junk(rng))}".replace("pip", ""))  # what the user typed is told as it is
    plan(raw)
    return f"config, {kind}: planned"


def plan(raw: Any) -> None:
    """Check a config and plan its model, for images of MNIST unless it says otherwise."""
    experiment, registry = parse(raw, REGISTRY, "c.toml")
    facts = {"seed": experiment.seed, "dtype": experiment.dtype}
    draw_up(experiment.model, None if experiment.model.input_shape else [1, 28, 28], facts, registry)


def one_mistake(rng: Rng, folder: Path) -> str:
    """A valid config with one thing broken: the error names its path and no other, however the config is read."""
    valid = choose(rng, VALID)
    broken = break_one(rng, valid)
    raw, way = broken.raw, "table"
    if broken.key and rng.random() < 0.3:
        raw, way = json.loads(dumps(valid)), "set"
        value = "{}" if broken.value == {} else tomlkit.item(broken.value).as_string()
        set_value(raw, f"{broken.key}={value}")
    elif rng.random() < 0.5:
        (folder / "c.toml").write_text(tomlkit.dumps(raw), encoding="utf-8")
        raw, way = read_toml(folder / "c.toml"), "toml"
    told = f"{broken.sort} at {broken.path!r} ({way}, {broken.key}={broken.value!r})"
    try:
        plan(raw)
    except NnplugError as error:
        if mistold(broken, error):
            raise AssertionError(f"{told} is told otherwise: {error}") from error
        return f"one mistake: {broken.sort}"
    raise AssertionError(f"{told} is not refused")


def attempt(rng: Rng, folder: Path) -> str:
    """One of the four."""
    kind = rng.random()
    if kind < 0.75:
        return load(rng, folder) if kind < 0.5 else predict(rng, folder)
    return config(rng, folder) if kind < 0.9 else one_mistake(rng, folder)


if __name__ == "__main__":
    sys.exit(main(attempt))
