"""The documentation is executed: every example runs, every output shown is compared, every link leads somewhere.

How a page's fenced blocks are read, in order, in a folder of the page's own:

- ``python`` is run; the blocks of a page share their names.
- ``pycon`` holds ``>>>`` examples, compared with their output.
- ``sh`` is run line by line; each command must succeed, unless ``# exit code 1`` stands behind it or what it prints
  begins with ``nnplug: error:``.
- ``toml`` is parsed; if it is a config or a part of one, it must be valid.
- A ``text`` block right after one of these is what it prints. Numbers with a point are compared roughly, ``...`` stands
  for anything, seconds are not compared.
- A ``python`` or ``toml`` block, or one of another language, that begins with ``# some/path.py`` is that file.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
import traceback
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import safetensors
from attrs import fields, frozen

import nnplug
import nnplug.testing
from nnplug import checkpoint, guard, modelfile
from nnplug.cli.main import COMMANDS, cli, main
from nnplug.config import Experiment, parse
from nnplug.doctor import Diagnosis
from nnplug.hookspecs import KINDS
from nnplug.options import options_of
from nnplug.registry import default_registry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
INSTALLING_PAGE = DOCS / "tutorials" / "plugin.md"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
LANGUAGES = {"python", "pycon", "sh", "toml", "text", "pyi", "csv"}
INSTALLING = ("pip ", "python3 -m venv", "git ", ".venv/bin/")  # run by .ci/run and by the page that installs a plugin
ENVIRONMENT = {
    "NNPLUG_OFFLINE": "1",
    "COLUMNS": "100",
    "OPENBLAS_NUM_THREADS": "1",  # on a busy machine more threads wait for one another, ten times as long as they work
}
VARYING = (
    (r"\d+\.\d+ ?s\b", "# s"),
    (r"best (is )?epoch \d+", "best epoch #"),
    (r"^(\s*\d+/\d+ .*?) +\d+\.\d+$", r"\1"),  # the seconds at the end of an epoch's line
)

_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@frozen
class Block:
    """A fenced block: where it stands, its language, its text."""

    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The path in its first line, if it is a file."""
        found = re.match(r"# ([\w./-]+\.\w+)\n", self.text)
        return found[1] if found else None


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    return [Block(text.count("\n", 0, match.start()) + 2, match[1], match[2]) for match in found]


class Reader:
    """Somebody who does what a page says, in the current folder.

    Args:
        page: what is read.
        python: the interpreter of the environment in which it is read.
        installs: whether to run what installs something; then configs are not checked here, but by the page's commands.
    """

    def __init__(self, page: Path, python: Path, installs: bool) -> None:
        self.page, self.python, self.installs = page, python, installs
        self.folder = Path.cwd()
        self.names: dict[str, Any] = {"__name__": f"page_{page.stem.replace('-', '_')}"}

    def read(self) -> None:
        """Go through the page's blocks."""
        blocks = blocks_of(self.page)
        for i, block in enumerate(blocks):
            wanted = _shown_below(block, blocks[i + 1 :])
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            try:
                printed = self._run(block, wanted)
            except BaseException as error:
                error.add_note(f"{self.page}:{block.line}")
                raise
            if wanted is not None and printed is not None:
                assert_same(wanted, printed, f"{self.page}:{block.line}")

    def _run(self, block: Block, shown: str | None) -> str | None:
        if block.language == "toml":
            table = tomllib.loads(block.text)
            if not self.installs:
                check_config(table)
        elif block.language == "python" and not block.file:
            return self._python(block, shown)
        elif block.language == "pycon":
            self._examples(block)
        elif block.language == "sh":
            return self._shell(block, shown)
        return None

    def _python(self, block: Block, shown: str | None) -> str:
        code = compile("\n" * (block.line - 1) + block.text, str(self.page), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                exec(code, self.names)  # noqa: S102  (our own pages)
            except nnplug.NnplugError as error:
                if shown is None:
                    raise
                out.write("".join(traceback.format_exception_only(error)))
        return out.getvalue()

    def _examples(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(block.text, self.names, self.page.name, str(self.page), block.line)
        out = io.StringIO()
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=out.write, clear_globs=False)
        assert not out.getvalue(), out.getvalue()

    def _shell(self, block: Block, shown: str | None) -> str | None:
        refused = (shown or "").startswith("nnplug: error:")
        printed = []
        for line in re.sub(r"\\\n", " ", block.text).splitlines():
            if line.startswith(INSTALLING) and not self.installs:
                return None
            printed.append(self._command(shlex.split(line, comments=True), line, refused))
        return "".join(printed)

    def _command(self, words: list[str], line: str, refused: bool) -> str:
        if words[0] == "cd":
            self.folder /= words[1]
            return ""
        if words[0] == "mkdir":
            (self.folder / words[1]).mkdir()
            return ""
        modules = {"nnplug": ["-m", "nnplug"], "pip": ["-m", "pip"], "python": []}
        strict = {} if words[0] == "pip" else {"PYTHONWARNINGS": "error"}
        done = subprocess.run(
            [self.python, *modules[words[0]], *words[1:]],
            cwd=self.folder,
            env={**os.environ, **ENVIRONMENT, **strict},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        stated = re.search(r"# exit code (\d+)", line)
        expected = int(stated[1]) if stated else 2 if refused else 0
        assert done.returncode == expected, f"{line}\n{done.stdout}"
        return done.stdout


def _shown_below(block: Block, others: list[Block]) -> str | None:
    """The text block right below a block, with no words between."""
    end = block.line + block.text.count("\n")
    return next((o.text for o in others[:1] if o.language == "text" and o.line <= end + 3), None)


def check_config(table: dict[str, Any]) -> None:
    """Refuse an invalid config; a part of one is completed first. Other TOML is left alone."""
    if not table.keys() <= options_of(Experiment).keys():
        assert table.keys() & {"project", "build-system", "tool"}, f"neither a config nor a pyproject.toml: {table}"
        return
    whole = {"data": "digits", "model": {"layers": [{"type": "affine", "units": 10}]}}
    model = {**whole["model"], **table.get("model", {})}  # type: ignore[dict-item]
    parse({**whole, **table, "model": model}, nnplug.Registry())


def assert_same(wanted: str, printed: str, where: str) -> None:
    """Hold what a page shows against what was printed, word by word."""
    for pattern, to in VARYING:
        wanted = re.sub(pattern, to, wanted, flags=re.MULTILINE)
        printed = re.sub(pattern, to, printed, flags=re.MULTILINE)
    assert _fits(wanted.split(), printed.split()), f"{where} shows\n{wanted}\nbut what is printed is\n{printed}"


def _fits(wanted: list[str], printed: list[str]) -> bool:
    while wanted and wanted[0] != "...":
        if not printed or not _alike(wanted[0], printed[0]):
            return False
        wanted, printed = wanted[1:], printed[1:]
    if not wanted:
        return not printed
    return len(wanted) == 1 or any(_fits(wanted[1:], printed[i:]) for i in range(len(printed) + 1))


NUMBER = r"-?\d+\.\d*(?:e[+-]?\d+)?|-?\d+e[+-]?\d+"


def _alike(wanted: str, printed: str) -> bool:
    """Equal, but for the digits of numbers with a point: another processor rounds in another way."""
    if re.sub(NUMBER, "#", wanted) != re.sub(NUMBER, "#", printed):
        return False
    pairs = zip(re.findall(NUMBER, wanted), re.findall(NUMBER, printed), strict=True)
    return all(abs(float(a) - float(b)) <= 0.015 + 0.02 * abs(float(a)) for a, b in pairs)


def _parameters() -> Iterator[Any]:
    for page in PAGES:
        run = [block for block in blocks_of(page) if block.language in ("python", "pycon", "sh", "toml")]
        marks = []
        if page == INSTALLING_PAGE:
            marks.append(pytest.mark.install)
        if any("mnist" in block.text for block in run if not block.text.startswith(INSTALLING)):
            marks.append(pytest.mark.mnist)
        if run:
            yield pytest.param(page, marks=marks, id=page.relative_to(ROOT).as_posix())


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page registers is forgotten after it; figures are drawn, but not on a screen."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("page", list(_parameters()))
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    """A reader who does what the page says sees what it shows."""
    if page == INSTALLING_PAGE:
        Reader(page, _environment(tmp_path / ".venv"), installs=True).read()
    else:
        Reader(page, Path(sys.executable), installs=False).read()


def _environment(folder: Path) -> Path:
    """The interpreter of a new environment that sees everything installed in this one, to install more into."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    ours = sysconfig.get_path("purelib")
    Path(site, "outer.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    return python


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(script: Path, tmp_path: Path) -> None:
    """The scripts in docs/examples run to their end from any folder, without a warning."""
    environment = {**os.environ, "NNPLUG_OFFLINE": "1", "MPLBACKEND": "Agg"}
    subprocess.run([sys.executable, "-W", "error", script], cwd=tmp_path, env=environment, check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_fences_are_of_a_known_language(page: Path) -> None:
    """No block escapes these tests because its language is missing or misspelt."""
    assert {block.language for block in blocks_of(page)} <= LANGUAGES
    assert page.read_text(encoding="utf-8").count("\n```") == 2 * len(blocks_of(page))


def test_generated_parts_are_current() -> None:
    """What the pages say of options, plugins, names and commands is what the code says."""
    for page in generate.pages():
        text = page.read_text(encoding="utf-8")
        assert text == generate.generated(text), f"{page.name} is out of date; run `python docs/generate.py`"


def test_every_public_name_is_documented() -> None:
    """The reference has one section, and no more, for each name that nnplug and its conformance kit export."""
    pages = [DOCS / "reference" / f"{name}.md" for name in ("contracts", "python", "testing")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    sections = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sorted(sections) == sorted([*nnplug.__all__, *nnplug.testing.__all__])


def test_every_built_in_is_documented() -> None:
    """The page on the built-ins has a section for each of them."""
    sections = re.findall(r"^### (.+)$", (DOCS / "reference" / "plugins.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(name for kind in KINDS for name in nnplug.Registry(only=["nnplug"]).names(kind))


def test_every_command_is_documented() -> None:
    """The page on the command line has a section for each command, and for the commands of commands."""
    commands = {name: cli.get_command(click.Context(cli), name) for name in COMMANDS}
    inner = [
        f"{name} {sub}" for name, group in commands.items() if isinstance(group, click.Group) for sub in group.commands
    ]
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## nnplug (.+)\n\n<!-- generated: command (.+) -->$", page, re.MULTILINE)
    assert all(heading == generated for heading, generated in sections)
    assert sorted(heading for heading, _ in sections) == sorted([*commands, *inner])


SMALL = """
data = "digits"
model.layers = [{ type = "affine", units = 10 }]
train = { epochs = 1, validation = 0.1 }
"""


def test_json_keys_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """The page on the command line names the keys that each command prints with --json, all of them and no others."""
    Path("small.toml").write_text(SMALL, encoding="utf-8")
    np.save("x.npy", np.zeros((2, 64)))
    commands = {
        "train --json": ["train", "small.toml", "--out", "run", "--quiet", "--json"],
        "evaluate --json": ["evaluate", "run/model.safetensors", "--data", "digits", "--json"],
        "predict --json": ["predict", "run/model.safetensors", "x.npy", "--json"],
        "show KIND NAME --json": ["show", "layer", "affine", "--json"],
        "plugins --json": ["plugins", "--json"],
        "check --json": ["check", "relu", "--json"],
    }
    keys = {"plugins doctor --json": [field.name for field in fields(Diagnosis)]}  # running it takes long
    for name, arguments in commands.items():
        assert main(arguments) == 0
        printed = json.loads(capsys.readouterr().out)
        keys[name] = list(printed[0] if isinstance(printed, list) else printed)
    assert {name: documented_keys("command-line", name) for name in keys} == keys


def documented_keys(page: str, name: str) -> list[str]:
    """The keys in the table below "Keys of ... `name`" on a page of the reference."""
    text = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    table = re.search(rf"^Keys of .*`{name}`.*:\n\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None, name
    return re.findall(r"^\| `(\w+)`", table[1], re.MULTILINE)


def test_keys_in_files_are_documented() -> None:
    """The page on files names the keys in a model, a checkpoint and a divergence, all of them and no others."""
    table = tomllib.loads(SMALL)
    nnplug.train(table, changes=["train.max_seconds=1e-9"], out="run")  # which stops it so that it can go on
    table["model"]["layers"] *= 2
    with np.errstate(all="ignore"), pytest.raises(nnplug.DivergedError):
        nnplug.train(table, changes=["update.type=sgd", "update.learning_rate=1e30"], out="diverged")
    with safetensors.safe_open("run/checkpoints/step-1.safetensors", "numpy") as file:
        content = json.loads(file.get_tensor("content").tobytes())
    diverged = text_of("diverged/diverged.safetensors")
    assert list(text_of("run/model.safetensors")) == documented_keys("model-files", "nnplug")
    assert list(content) == documented_keys("model-files", "content")
    assert list(diverged) == ["diverged"]
    assert list(diverged["diverged"]) == documented_keys("model-files", "diverged")


def test_formats_and_files_of_a_run_are_documented() -> None:
    """The page on files has a row for each format, and both pages that list a run's files have all of them."""
    run = nnplug.train(tomllib.loads(SMALL), changes=["train.max_seconds=1e-9"], out="run")
    left = {path.name + "/" * path.is_dir() for path in run.folder.iterdir()} | {guard.FILE}
    pages = [DOCS / "reference" / f"{name}.md" for name in ("model-files", "command-line")]
    files, commands = (page.read_text(encoding="utf-8") for page in pages)
    assert re.findall(r"^\| (\d+) \| nnplug \d", files, re.MULTILINE) == [str(i + 1) for i in range(modelfile.FORMAT)]
    assert f"`format`, which is {checkpoint.FORMAT}, and `checkpoint`" in files
    assert all(re.search(rf"^\| `{name}", files, re.MULTILINE) for name in left)
    assert all(re.search(rf"^\| `{name}` \|", commands, re.MULTILINE) for name in left)


def test_the_changelog_names_every_built_in() -> None:
    """What outsiders are told of is all that there is."""
    named = set(re.findall(r"`([^`]+)`", (DOCS / "changelog.md").read_text(encoding="utf-8")))
    registry = nnplug.Registry(only=["nnplug"])
    assert {name for kind in KINDS for name in registry.names(kind)} | set(COMMANDS) <= named


def text_of(path: str) -> dict[str, Any]:
    """What nnplug says among the metadata of a safetensors file."""
    with safetensors.safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["nnplug"])  # type: ignore[no-any-return]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Files that are linked exist, and so do the headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}, a heading that is not there"


def test_every_page_is_in_the_index() -> None:
    """From docs/README.md one click leads to each page."""
    linked = set(re.findall(r"\]\(([^)#\s]+)", (DOCS / "README.md").read_text(encoding="utf-8")))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"README.md"}
    assert pages <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_names_a_place_of_its_writer(page: Path) -> None:
    """No absolute path of somebody's computer, no address of a person."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:home|root|work|tmp|Users|mnt|opt|var)\b|[A-Z]:\\|[\w.]+@\w+\.\w+", text)


def test_the_readme_s_commands_are_what_ci_runs() -> None:
    """The first two commands of the README stand in .ci/run, word for word."""
    ci = ROOT / ".ci" / "run"
    if not ci.exists():
        pytest.skip("an unpacked source distribution has no .ci")
    commands = [block.text.strip() for block in blocks_of(ROOT / "README.md") if block.language == "sh"][:2]
    assert all(command in ci.read_text(encoding="utf-8") for command in commands)
