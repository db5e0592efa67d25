"""Imports run one way, cost little, and files stay short."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnplug
import nnplug_builtins

CORE = Path(nnplug.__file__).parent
BUILT_INS = Path(nnplug_builtins.__file__).parent

# From the bottom to the top: a module imports only from the rows above its own. A package stands for all its modules,
# which may import each other; "" is nnplug itself, which imports what it is asked for.
ORDER = (
    ("errors", "naming", "arena", "streams", "interrupts", "packing", "probe"),
    ("files", "paths", "lock"),
    ("specs", "limits", "lines"),
    ("about", "context", "history", "mapped", "table", "arrayfiles", "gradcheck", "tensorfile"),
    ("contracts", "modelfile", "order"),
    ("hookspecs", "buffers", "rows"),
    ("options", "data", "agreement", "chain", "threads", "updater", "best", "discovery"),
    ("promises",),
    ("network",),
    ("filling", "plugins", "evaluation", "gradients", "switches"),
    ("store", "presets"),
    ("registry",),
    ("config", "summary", "doctor"),
    ("model", "schema", "course", "identity", "checkpoint"),
    ("builder", "splits", "snapshot", "guard", "runfolder"),
    ("solver", "loading", "records"),
    ("job", "testing"),
    ("",),
    ("cli",),
    ("__main__",),
)
LEVEL = {module: level for level, modules in enumerate(ORDER) for module in modules}


def module_name(path: Path) -> str:
    """``nnplug/cli/main.py`` -> ``cli.main``; a package goes by its own name, nnplug itself by none."""
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every module imported at run time, whole, and whether that happens when the file itself is imported."""

    def walk(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "imports are absolute"
                yield from ((f"{child.module}.{alias.name}", top) for alias in child.names)
            else:
                yield from walk(child, top and not isinstance(child, ast.FunctionDef | ast.Lambda))

    return walk(tree, True)


def own_module(imported: str) -> str:
    """The module of nnplug that ``nnplug.errors.ShapeError`` or ``nnplug.hookspecs`` names."""
    parts = imported.split(".")[1:]
    while parts and not (CORE.joinpath(*parts).is_dir() or CORE.joinpath(*parts).with_suffix(".py").is_file()):
        parts.pop()
    return ".".join(parts)


SOURCES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(CORE.rglob("*.py"))}
GRAPH = {
    module: {own_module(name) for name, _ in imports(tree) if name.split(".")[0] == "nnplug"}
    for module, tree in SOURCES.items()
}


@pytest.mark.parametrize("module", [module for module in GRAPH if module])
def test_imports_run_one_way(module):
    """Whatever a module imports, at its top or in a function, stands below it. A new module is given a place above."""
    package = module.partition(".")[0]
    assert package in LEVEL, f"give {module} its place in ORDER"
    for imported in GRAPH[module]:
        below = imported.partition(".")[0]
        assert below == package or LEVEL[below] < LEVEL[package], f"{module} imports {imported or 'nnplug'}"


def test_no_module_imports_itself_by_way_of_others():
    """There is an order in which every module could be imported whole."""
    order = list(graphlib.TopologicalSorter(GRAPH).static_order())
    assert order.index("errors") < order.index("registry") < order.index("job")


def test_the_core_imports_no_plugin():
    """Not even in a function: built-ins come through entry points like everybody's."""
    for module, tree in SOURCES.items():
        assert "nnplug_builtins" not in {name.split(".")[0] for name, _ in imports(tree)}, module


@pytest.mark.parametrize("path", sorted(BUILT_INS.rglob("*.py")), ids=lambda path: path.stem)
def test_plugins_import_what_is_public(path):
    """A built-in uses nothing that a stranger could not: names from ``nnplug`` itself, none from its modules."""
    for name, _ in imports(ast.parse(path.read_text(encoding="utf-8"))):
        package, _, rest = name.partition(".")
        if package == "nnplug":
            assert rest in nnplug.__all__, f"{path.name} imports {name}"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=f"{folder.name}/{path.relative_to(folder).as_posix()}")
        for folder in (CORE, BUILT_INS)
        for path in sorted(folder.rglob("*.py"))
    ],
)
def test_no_file_is_long(path):
    """Nobody has to scroll for long: 300 lines and no more."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


HEAVY = ("click", "tqdm", "pooch", "platformdirs", "threadpoolctl", "tomlkit", "safetensors", "importlib.metadata")


def loaded_after(code: str) -> set[str]:
    """The modules that are loaded in a fresh Python after some code."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        env={**os.environ, "NNPLUG_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import nnplug",
        "import nnplug; nnplug.Layer, nnplug.hookimpl, nnplug.Context, nnplug.Dataset",
        "import nnplug; nnplug.build, nnplug.Solver, nnplug.Registry, nnplug.train, nnplug.load",
    ],
    ids=["import", "contracts", "all"],
)
def test_import_is_cheap(code):
    """Importing nnplug loads none of the libraries that only parts of it use, and no plugin."""
    loaded = loaded_after(code)
    assert "nnplug" in loaded
    assert loaded.isdisjoint(HEAVY)
    assert not [name for name in loaded if name.startswith("nnplug_builtins")]


def test_import_leaves_the_costly_to_their_use():
    """What takes milliseconds and serves only some: random numbers, reading TOML, suggestions, reading metadata."""
    loaded = loaded_after("import nnplug; nnplug.Layer, nnplug.build")
    assert loaded.isdisjoint({"numpy.random", "secrets", "tomllib", "difflib", "json"})


def test_a_plugin_needs_the_contracts_alone():
    """Importing a plugin's module by hand loads no registry, no model and no training loop."""
    loaded = loaded_after("import nnplug_builtins.affine")
    assert loaded.isdisjoint({"nnplug.registry", "nnplug.model", "nnplug.solver", "nnplug.job", *HEAVY})


def test_training_needs_neither_click_nor_the_network():
    """A model is built and trained in a script without the command line's and the downloads' libraries."""
    loaded = loaded_after(
        "import nnplug, numpy\n"
        "model = nnplug.build([{'type': 'affine', 'units': 2}], input_shape=3)\n"
        "nnplug.Solver(model, (numpy.zeros((4, 3)), numpy.array([0, 1, 0, 1])), epochs=1, batch_size=2).fit()\n"
    )
    assert loaded.isdisjoint({"click", "pooch", "platformdirs", "tomlkit", "safetensors"})


def test_every_public_name_is_there():
    """``__all__`` promises nothing that cannot be had, and ``dir`` shows it."""
    for name in nnplug.__all__:
        assert getattr(nnplug, name) is not None
    assert sorted(nnplug.__all__) == dir(nnplug)


def test_a_name_that_is_not_public():
    """It is an AttributeError like any module's."""
    with pytest.raises(AttributeError, match="module 'nnplug' has no attribute 'Layr'"):
        _ = nnplug.Layr
