"""The config: TOML or a dict -> a frozen, validated Experiment, with every error at once; and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, Literal

from attrs import Attribute, field, frozen
from attrs.validators import and_, ge, gt, in_, lt, min_len, optional

from nnplug.contracts import Callback, DataLoader, Layer, Loss, Metric, UpdateRule
from nnplug.errors import ConfigError, Problem
from nnplug.files import open_to_read
from nnplug.filling import INVALID, convert, fill
from nnplug.limits import DEPTH, check_size
from nnplug.naming import cut, printable, quote
from nnplug.options import show
from nnplug.registry import Registry
from nnplug.switches import Switches

TOML = 512 * 2**10  # bytes of a config file: a thousand layers, written out, take a quarter of that
_KEY = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""

Split = Literal["train", "validation", "test"]


DIMENSIONS = 63  # NumPy's arrays have 64, and the batch is one


def _positive(instance: object, attribute: Attribute[Any], shape: tuple[int, ...] | None) -> None:
    if shape and min(shape) < 1:
        raise ValueError(f"every dimension must be at least 1: {list(shape)}")
    if shape and len(shape) > DIMENSIONS:
        raise ValueError(f"a sample has at most {DIMENSIONS} dimensions, not {len(shape)}")


@frozen
class ModelConfig:
    """What the network is.

    Args:
        layers: the layers from input to output.
        loss: what training makes small.
        l2: adds 0.5 * l2 * sum(W**2) over the parameters that decay (weights, not biases) to the loss.
        input_shape: the shape of one sample; default: read off the data.
        input_dtype: what x is cast to; default: the model's dtype; an integer type for layers that take indices.
    """

    layers: tuple[Layer | str, ...] = field(validator=min_len(1))
    loss: Loss | str = "softmax"
    l2: float = field(default=0.0, validator=[ge(0), lt(inf)])
    input_shape: tuple[int, ...] | None = field(default=None, validator=_positive)
    input_dtype: str | None = field(
        default=None, validator=optional(in_(("float32", "float64", "int32", "int64", "uint8")))
    )


# Keys of [train] that say how a run is carried out, not what it computes: a run may go on with others.
CARRIED_OUT = ("max_seconds", "checkpoint_seconds", "checkpoint_steps", "keep_checkpoints")


def _one_length(instance: Any, attribute: Attribute[Any], iterations: int | None) -> None:
    if iterations is not None and instance.epochs is not None:
        raise ValueError("give 'epochs' or 'iterations', not both")


@frozen
class TrainConfig:
    """How long and on what the network is trained.

    Args:
        epochs: how many times all training rows are seen; default 10, unless iterations are given.
        iterations: how many updates are made, instead of epochs.
        batch_size: rows in an update; the last of an epoch may be smaller. Where there are fewer rows than the default,
            all of them are one batch.
        validation: the fraction of the training rows held out for validation where the data has no such split.
        monitor: what "best" means: loss or a metric, on validation; default: the loss's first metric.
        metrics: what is evaluated beside the loss; default: the loss's own. Several of one name are counted: two top_k
            become top_k1 and top_k2.
        evaluate: the splits that are evaluated after every epoch; of more than a million training rows (2**20), so
            many of them, always the same.
        class_weights: a weight for each class, or "balanced": inversely proportional to its frequency.
        callbacks: who watches the run.
        max_seconds: ends training after so many seconds, at the end of a step.
        checkpoint_seconds: writes a checkpoint every so many seconds; 0: only when training is interrupted.
        checkpoint_steps: writes a checkpoint every so many steps, too.
        keep_checkpoints: how many checkpoints are kept, the last ones.
    """

    epochs: int | None = field(default=None, validator=optional(ge(1)))
    iterations: int | None = field(default=None, validator=[optional(ge(1)), _one_length])
    batch_size: int = field(default=128, validator=ge(1))
    validation: float = field(default=0.0, validator=and_(ge(0), lt(1)))
    monitor: str | None = None
    metrics: tuple[Metric | str, ...] | None = None
    evaluate: tuple[Split, ...] = ("train", "validation")
    class_weights: tuple[float, ...] | Literal["balanced"] | None = None
    callbacks: tuple[Callback | str, ...] = ()
    max_seconds: float | None = field(default=None, validator=optional(gt(0)))
    checkpoint_seconds: float = field(default=60.0, validator=[ge(0), lt(inf)])
    checkpoint_steps: int | None = field(default=None, validator=optional(ge(1)))
    keep_checkpoints: int = field(default=2, validator=ge(1))


@frozen
class PluginsConfig:
    """Which plugins may be used.

    Args:
        disable: distributions, or dist:name, that are not used.
        only: if given, no other distributions are used.
        prefer: distributions that win where several provide a name.
        autoload: false: nothing installed is used but what ``only`` lists.
    """

    disable: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    autoload: bool = True


@frozen
class Experiment:
    """A whole training job.

    Args:
        data: where data comes from.
        model: what the network is.
        update: how parameters move.
        train: how long and on what.
        plugins: which plugins may be used.
        seed: what all random numbers follow from.
        dtype: the model's floating-point type.
    """

    data: DataLoader | str
    model: ModelConfig
    update: UpdateRule | str = "sgd"
    train: TrainConfig = field(factory=TrainConfig)
    plugins: PluginsConfig = field(factory=PluginsConfig)
    seed: int = field(default=0, validator=ge(0))
    dtype: Literal["float32", "float64"] = "float32"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a config file.

    Raises:
        ConfigError: there is no such file, or it is no TOML, with the line.
    """
    try:
        with open_to_read(path) as file:
            content = file.read(TOML + 1)
        if len(content) > TOML:
            raise ConfigError([Problem("", f"is larger than {TOML:,} bytes, the most that nnplug reads")], str(path))
        return parse_toml(content.decode("utf-8-sig"))  # some editors begin files with a byte order mark
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}")], str(path)) from None
    except UnicodeDecodeError as error:
        told = f"is not valid TOML, which is written in UTF-8; byte {error.start + 1} is not"
        raise ConfigError([Problem("", told)], str(path)) from None
    except ValueError as error:
        raise ConfigError([Problem("", f"is not valid TOML: {error}")], str(path)) from None


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text, in a time that its length bounds.

    Raises:
        ValueError: it is no TOML, with the line, or uses keys that nobody means.
    """
    import tomllib

    if found := re.search(rf"(?<![\w.-]){_KEY}(?:[ \t]*+\.[ \t]*+{_KEY}){{{DEPTH}}}", text):
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"a key of more than {DEPTH} parts (at line {line})")  # tomllib takes their square in time
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {DEPTH} deep") from None
    except tomllib.TOMLDecodeError as error:  # which quotes keys of any length, and ends with the line
        told = printable(str(error))
        raise ValueError(told if len(told) <= 250 else f"{told[:150]}...{told[-60:]}") from None


def build_section(cls: type, table: Mapping[str, Any], registry: Registry, path: str = "", source: str = "") -> Any:
    """Make one of the classes of this module out of a table.

    Raises:
        ConfigError: with everything that is wrong.
    """
    check_size(table, path, source)
    problems: list[Problem] = []
    section = fill(cls, table, path, registry, problems, what=f"[{path}]" if path else "the config")
    if section is INVALID:
        raise ConfigError(problems, source)
    return section


def parse(raw: Mapping[str, Any], registry: Registry, source: str = "") -> tuple[Experiment, Registry]:
    """Validate a whole config and build its components.

    Args:
        raw: what the file says.
        registry: where names are looked up.
        source: the file's name, for messages.

    Returns:
        the experiment, and the registry as its ``[plugins]`` table switches it.

    Raises:
        ConfigError: with everything that is wrong.
    """
    check_size(raw, source=source)
    if not isinstance(raw, Mapping):
        raise ConfigError([Problem("", f"expected a table with [data], [model] and so on, got {show(raw)}")], source)
    plugins = convert(raw.get("plugins", {}), PluginsConfig, "plugins", registry, problems=[])
    if plugins is not INVALID:  # if it is, that is told with everything else
        registry = registry.configured(Switches(plugins.prefer, plugins.disable, plugins.only, plugins.autoload))
    experiment = build_section(Experiment, raw, registry, source=source)
    check_size(raw["model"], "model", source, finite=True)  # better told now than when the trained model is saved
    return experiment, registry


def set_value(raw: dict[str, Any], assignment: str) -> None:
    """Change one value of a raw config: ``train.epochs=5``, ``model.layers[0].units=64``, ``update.type=adam``.

    The value is read as TOML; what is no TOML is a text. Missing tables on the way are made; a text such as
    ``"relu"`` that stands for a table becomes one.

    Raises:
        ConfigError: the assignment cannot be read or leads nowhere.
    """
    path, equals, text = assignment.partition("=")
    keys = re.findall(r"[\w-]+", path)
    if len(keys) > DEPTH:
        raise _refused(assignment, f"a key of more than {DEPTH} parts")
    if not equals or not re.fullmatch(r"[\w-]+(\.[\w-]+|\[[\w-]+\])*", path.strip()):
        raise _refused(assignment, "expected key=value, such as train.epochs=5")
    target: Any = raw
    for here, key in zip(keys, [*keys[1:], None], strict=True):
        index: Any = _index(target, key=here, assignment=assignment)
        if key is None:
            target[index] = _toml_value(text)
            return
        if isinstance(target, dict):
            target.setdefault(index, {})
        if isinstance(target[index], str):
            target[index] = {"type": target[index]}
        if not isinstance(target[index], dict | list):
            raise _refused(assignment, f"{cut(here)} is {show(target[index])}, which has no {quote(key)}")
        target = target[index]


def _refused(assignment: str, message: str) -> ConfigError:
    return ConfigError([Problem(f"--set {cut(printable(assignment))}", message)])


def _index(target: Any, key: str, assignment: str) -> str | int:
    if isinstance(target, dict):
        return key
    if not re.fullmatch(r"[0-9]{1,9}", key) or int(key) >= len(target):
        raise _refused(assignment, f"{quote(key)} is no position in a list of {len(target)}, counted from 0")
    return int(key)


def _toml_value(text: str) -> Any:
    try:
        table = parse_toml(f"value = {text}")
    except ValueError:
        return text
    return table["value"] if len(table) == 1 else text  # a text of several lines is no value


def to_toml(experiment: Experiment, registry: Registry) -> str:
    """The config that makes the same experiment again, with every default written out."""
    import tomlkit

    return tomlkit.dumps(registry.describe(experiment))
