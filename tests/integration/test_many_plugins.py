"""Two hundred plugins beside one's own: nobody pays for what nobody names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 200


@pytest.fixture
def many(site, layer_code):
    """A folder with two hundred distributions, each with a layer of its own that says when it is imported."""
    for number in range(COUNT):
        name = f"extra{number}"
        site.add(f"many-{number}", **{name: layer_code(name)})
    return site


def python(code: str, *paths: Path, **env: str) -> str:
    """What a fresh Python prints that finds plugins in some folders."""
    path = os.pathsep.join([*map(str, paths), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path, **env},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


BUILD = """
import json, sys
import nnplug
model = nnplug.build([{"type": "affine", "units": 8}, "extra7", {"type": "affine", "units": 3}], input_shape=5)
plugins = sorted(name for name in sys.modules if name.startswith(("nnplug_builtins.", "many_")))
print(json.dumps([plugins, len(nnplug.Registry().names("layer"))]))
"""


def test_a_network_of_three_layers_imports_only_what_it_names(many):
    """The layers, what fills them, the default loss and what that shares with other losses; nobody else."""
    plugins, layers = json.loads(python(BUILD, many.path))
    assert layers > COUNT
    assert plugins == [
        "many_7_extra7",
        "nnplug_builtins._by_class",
        "nnplug_builtins._constant",
        "nnplug_builtins._targets",
        "nnplug_builtins.affine",
        "nnplug_builtins.he",
        "nnplug_builtins.softmax",
    ]


def test_listing_them_imports_none(many, process):
    """All are available."""
    done = process("plugins", "--json", path=many.path)
    assert done.code == 0, done.err
    extra = [p for p in json.loads(done.out) if p["distribution"].startswith("many-")]
    assert len(extra) == COUNT
    assert {(p["status"], p["import_seconds"]) for p in extra} == {("available", None)}


# Every import of the module adds a line to a file, so that threads cannot lose one.
COUNTED = """
import os, time
with open(os.environ["IMPORTS"], "a") as file:
    file.write(__name__ + "\\n")
time.sleep(0.05)
"""

THREADS = """
import sys, threading
import nnplug
registry = nnplug.Registry()
start = threading.Barrier(16)
layers, failed = [], []

def build():
    start.wait()
    try:
        layers.append([registry.create("layer", f"slow{i}") for i in range(4)])
    except BaseException as error:
        failed.append(repr(error))

threads = [threading.Thread(target=build) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(layers), failed, len({type(layer) for row in layers for layer in row}))
"""


def test_sixteen_threads_load_each_plugin_once(site, layer_code, tmp_path):
    """All ask one registry at the same moment; every one gets its layers, of the same four classes."""
    for number in range(4):
        name = f"slow{number}"
        site.add(f"slow-{number}", **{name: layer_code(name, before=COUNTED)})
    imports = tmp_path / "imports.txt"
    assert python(THREADS, site.path, IMPORTS=str(imports)) == "16 [] 4"
    lines = imports.read_text(encoding="utf-8").split()
    assert sorted(lines) == [f"slow_{number}_slow{number}" for number in range(4)]


LISTED = """
import json
import nnplug
registry = nnplug.Registry()
cls = registry.get("layer", "twice")
names = [(l.entry.qualified, l.status) for l in registry.listing() if l.entry.distribution.startswith("dou")]
print(json.dumps([names, registry.get("layer", "twofold") is cls]))
"""


def test_paths_twice_and_two_names_of_one_module(site, layer_code, tmp_path):
    """The folder stands on the path twice, once by another spelling: each name is there once, the module too."""
    code = layer_code("twice", before=COUNTED).replace('{"twice": Extra}', '{"twice": Extra, "twofold": Extra}')
    site.add("double", twice=code)
    points = site.path / "double-1.0.dist-info" / "entry_points.txt"
    points.write_text("[nnplug.layers]\ntwice = double_twice\ntwofold = double_twice\n", encoding="utf-8")
    imports = tmp_path / "imports.txt"
    again = site.path / ".." / site.path.name
    names, same = json.loads(python(LISTED, site.path, site.path, again, IMPORTS=str(imports)))
    assert names == [["double:twice", "loaded"], ["double:twofold", "loaded"]]
    assert same
    assert imports.read_text(encoding="utf-8").split() == ["double_twice"]
