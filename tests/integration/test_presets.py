"""The presets: valid, complete, readable, and as accurate as they claim."""

from __future__ import annotations

import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import nnplug
from nnplug.config import Experiment, parse, to_toml
from nnplug.discovery import CORE
from nnplug.job import read_config
from nnplug.presets import preset_entries, preset_text
from nnplug.registry import default_registry

ROOT = Path(__file__).parents[2]
ENTRIES = {entry.name: entry for entry in preset_entries() if entry.distribution == CORE}
PIXELS = {"digits": 64, "mnist": 784}

# Test accuracy that one seed must reach, and changes that shorten what would take long. In full, as measured in
# docs/reference/figures.md, each is well above; what is cut short ends lower and has a floor to match.
FLOORS: dict[str, tuple[float, list[str]]] = {
    "scratch-two-layer": (0.965, []),
    "scratch-two-layer-sigmoid": (0.938, []),
    "cs231n-two-layer": (0.965, ["train.epochs=6"]),
    "cs231n-deep": (0.97, ["train.epochs=6"]),
    "dnn-784-128-64-10": (0.955, ["train.epochs=4"]),
    "dnn-784-128-64-10-adam": (0.965, ["train.epochs=4"]),
    "mnist": (0.96, ["train.epochs=2"]),
}

_spec = importlib.util.spec_from_file_location("figures", ROOT / "tests" / "bench" / "figures.py")
assert _spec is not None
assert _spec.loader is not None
figures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(figures)


def experiment_of(preset: str) -> Experiment:
    """A preset's experiment."""
    raw, _, source = read_config(preset)
    return parse(raw, default_registry(), source)[0]


def test_every_file_is_a_preset() -> None:
    """Each file beside the presets is declared, and each of those declared is there."""
    files = {path.stem for path in (ROOT / "plugins" / "nnplug_builtins" / "presets").glob("*.toml")}
    assert files == set(ENTRIES)


def test_every_preset_is_held_to_something() -> None:
    """No preset is left out of the tests of accuracy, nor of the published figures."""
    assert {"digits", *FLOORS} == set(ENTRIES)
    assert set(figures.PUBLISHED) == set(ENTRIES)


@pytest.mark.parametrize("preset", ENTRIES)
def test_first_line_says_what_it_is(preset: str) -> None:
    """The first line is the sentence that `nnplug show presets` prints; no line is longer than the code's."""
    lines = preset_text(ENTRIES[preset]).splitlines()
    assert re.fullmatch(r"# .+\.", lines[0])
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("preset", ENTRIES)
def test_model_builds(preset: str) -> None:
    """The network takes the samples of its data set and ends with a score for each digit."""
    experiment = experiment_of(preset)
    pixels = PIXELS[default_registry().name_of(experiment.data)]
    model = nnplug.build(experiment.model, input_shape=pixels)
    assert model.scores(np.zeros((2, pixels))).shape == (2, 10)


@pytest.mark.parametrize("preset", ENTRIES)
def test_written_out_config_is_the_same_experiment(preset: str, tmp_path: Path) -> None:
    """The config with every default written out, as a run keeps it, is read as the same experiment."""
    experiment = experiment_of(preset)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(experiment, default_registry()), encoding="utf-8")
    raw, _, source = read_config(path)
    assert parse(raw, default_registry(), source)[0] == experiment


@pytest.mark.parametrize(
    ("preset", "sizes"),
    [
        ("scratch-two-layer", (784, 50, 10)),
        ("scratch-two-layer-sigmoid", (784, 50, 10)),
        ("cs231n-two-layer", (784, 100, 10)),
        ("cs231n-deep", (784, 100, 100, 100, 100, 100, 10)),
        ("dnn-784-128-64-10", (784, 128, 64, 10)),
        ("dnn-784-128-64-10-adam", (784, 128, 64, 10)),
    ],
)
def test_sizes_are_those_published(preset: str, sizes: tuple[int, ...]) -> None:
    """What stands beside a published network has its size."""
    model = nnplug.build(experiment_of(preset).model, input_shape=784)
    weights = [array.shape for path, array in model.params.items() if path.endswith(".W")]
    assert weights == list(pairwise(sizes))


def test_digits_is_accurate(tmp_path: Path) -> None:
    """The first network of a newcomer reads 96 of 100 digits, whatever the seed."""
    accuracies = [
        nnplug.train("digits", changes=[f"seed={seed}"], out=tmp_path / str(seed)).results["test"]["accuracy"]
        for seed in range(3)
    ]
    assert median(accuracies) >= 0.96, accuracies


@pytest.mark.mnist
@pytest.mark.parametrize("preset", FLOORS)
def test_mnist_preset_is_accurate(preset: str, tmp_path: Path) -> None:
    """On the real images each preset is as good as it should be by then."""
    floor, changes = FLOORS[preset]
    result = nnplug.train(preset, changes=changes, out=tmp_path / "run")
    assert result.results["test"]["accuracy"] >= floor


def test_figures_go_between_their_marks(tmp_path: Path) -> None:
    """The table replaces the one before and leaves the rest of the page alone."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nold\nold\n<!-- end of figures -->\nafter\n", encoding="utf-8")
    runs = [figures.Run(0.9687, 2.0, 3.0), figures.Run(0.9, 4.0, 5.0), figures.Run(0.97, 9.0, 9.0)]
    figures.write(page, figures.row("scratch-two-layer", runs))
    wanted = "| `scratch-two-layer` | 96.87 %, 91.3 s | 96.87, 90.00, 97.00 | 96.87 % | 4.0 s | 5.0 s |"
    expected = f"before\n<!-- figures -->\n{wanted}\n<!-- end of figures -->\nafter\n"
    assert page.read_text(encoding="utf-8") == expected


def test_the_page_shows_every_preset() -> None:
    """The page has a line for each preset: nobody added one without measuring it."""
    page = (ROOT / "docs" / "reference" / "figures.md").read_text(encoding="utf-8")
    table = figures.PLACE.search(page)
    assert table is not None
    assert re.findall(r"^\| `([\w-]+)`", table[0], re.MULTILINE) == list(figures.PUBLISHED)
