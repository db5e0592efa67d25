"""Nothing that a file says is run: the rules that hold it, and that they bite."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nnplug
import nnplug_builtins

ROOT = Path(__file__).parents[2]
FOLDERS = [Path(nnplug.__file__).parent, Path(nnplug_builtins.__file__).parent]
FOLDERS += [ROOT / "plugins" / name for name in ("nnplug-conv", "nnplug-numba")]
SOURCES = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py")) if "tests" not in path.parts]

# Builtins that run texts or import what a text names, for which ruff has no rule or only one of several.
RUNNING = {"eval", "exec", "compile", "__import__"}


def calls(tree: ast.AST) -> list[str]:
    """What is called in a source that runs texts, or loads pickled objects."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in RUNNING:
            found.append(node.id)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append("allow_pickle")
        if isinstance(node, ast.Attribute) and node.attr in ("__reduce__", "__setstate__", "import_string"):
            found.append(node.attr)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_text_is_run(path):
    """Not one call, in the core, the built-ins or the packages beside them."""
    assert calls(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("eval('1')", ["eval"]),
        ("run = exec", ["exec"]),
        ("compile('1', '', 'eval')", ["compile"]),
        ("__import__(name)", ["__import__"]),
        ("np.load(path, allow_pickle=True)", ["allow_pickle"]),
        ("np.load(path, allow_pickle=flag)", ["allow_pickle"]),
        ("np.load(path, allow_pickle=False)", []),
        ("re.compile('a')", []),
    ],
)
def test_running_texts_would_be_found(code, found):
    """The test above can fail."""
    assert calls(ast.parse(code)) == found


FORBIDDEN = {
    "import pickle": {"TID251"},
    "from pickle import loads": {"TID251"},
    "import marshal": {"TID251"},
    "import shelve": {"TID251"},
    "import dill": {"TID251"},
    "import cloudpickle": {"TID251"},
    "import joblib": {"TID251"},
    "import runpy": {"TID251"},
    "import pickle\npickle.loads(b'')": {"TID251", "S301"},
    "import marshal\nmarshal.loads(b'')": {"TID251", "S302"},
    "eval('1')": {"S307"},
    "exec('1')": {"S102"},
    "import numpy as np\nnp.load('x', allow_pickle=True)": {"TID251"},
    "from numpy import load": {"TID251"},
    "import numpy as np\nnp.lib.format.read_array(None, allow_pickle=True)": {"TID251"},
    "from importlib import import_module": {"TID251"},
    "import importlib\nimportlib.import_module('x')": {"TID251"},
    "import importlib.util\nimportlib.util.spec_from_file_location('x', 'y')": {"TID251"},
    "import importlib.machinery\nimportlib.machinery.SourceFileLoader('x', 'y')": {"TID251"},
}


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="the rules stand in the checkout")
@pytest.mark.parametrize("code", FORBIDDEN)
@pytest.mark.parametrize(
    "folder",
    ["nnplug", "plugins/nnplug_builtins", "plugins/nnplug-conv/nnplug_conv", "plugins/nnplug-numba/nnplug_numba"],
)
def test_ruff_bites(code, folder):
    """Each of these lines, anywhere in the code that is shipped, fails the lint step, with the reason."""
    pytest.importorskip("ruff")
    command = [sys.executable, "-m", "ruff", "check", "--select", "S,TID", "--output-format", "json", "--no-cache"]
    command += ["--config", ROOT / "pyproject.toml", "--stdin-filename", ROOT / folder / "x.py", "-"]
    done = subprocess.run(command, input=f"{code}\n", capture_output=True, text=True, cwd=ROOT)
    assert {problem["code"] for problem in json.loads(done.stdout)} == FORBIDDEN[code], done.stderr
