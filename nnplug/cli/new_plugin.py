"""``nnplug new-plugin``: a distribution to start one's own plugin from."""

from __future__ import annotations

import keyword
import re
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path
from string import Template

import click

import nnplug
from nnplug.cli.output import say
from nnplug.discovery import normalise
from nnplug.hookspecs import KINDS
from nnplug.naming import printable
from nnplug.options import article
from nnplug.registry import default_registry

CHOICES = tuple(kind.replace("_", "-") for kind in KINDS)
IMPORTED = {*nnplug.__all__, "Any", "ClassVar", "Mapping"}  # no class of a new module can be called like these

# Where each template goes; those with {kind} differ from kind to kind.
FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "test.yml": ".github/workflows/test.yml",
    "{kind}/example.toml": "example.toml",
    "init.py": "{package}/__init__.py",
    "{kind}/component.py": "{package}/{name}.py",
    "{kind}/tests.py": "tests/test_{name}.py",
}
TYPED = "{package}/py.typed"  # empty: says that the package has types


@click.command()
@click.argument("distribution", metavar="NAME")
@click.option("--kind", type=click.Choice(CHOICES), help="What the plugin provides.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path(),
    help="Where the folder NAME is made.  [default: the current folder]",
)
def command(distribution: str, kind: str | None, out: Path) -> None:
    """Write a distribution to start a plugin of your own from.

    It is complete: a small working component of the kind, tests that run the conformance kit, a config that
    uses it, a README and a CI file. NAME is what it will be called on a package index; without a leading `nnplug-`
    it is also what configs will say.

    \b
    nnplug new-plugin nnplug-swish --kind layer      a folder nnplug-swish with the layer swish
    """  # noqa: D301  (\b keeps click from wrapping what follows)
    if kind is None:
        raise click.UsageError(f"say with --kind what it provides: {', '.join(CHOICES)}")
    words = name_everything(distribution, kind.replace("-", "_"))
    folder = out / distribution
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise click.UsageError(
            f"{printable(str(folder))} exists already, and nothing is overwritten; "
            "choose another name, or another place with --out"
        ) from None
    for path in write(folder, kind, words):
        say(printable(path.as_posix()))
    say(f"\n{article(words['kind']).capitalize()} {words['name']!r} that works; make it yours. Next:", err=True)
    say(f'  pip install -e "{printable(str(folder))}[test]"\n  pytest {printable(str(folder))}', err=True)


def name_everything(distribution: str, kind: str) -> dict[str, str]:
    """What templates say for a distribution's name: the words they are filled with.

    Raises:
        UsageError: the name cannot be used, and why.
    """
    if not re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", distribution):
        raise click.UsageError(
            f"{distribution!r} cannot be the name of a distribution; "
            "it begins with a letter and goes on with letters, digits and dashes, such as nnplug-swish"
        )
    package = normalise(distribution).replace("-", "_")
    name = package.removeprefix("nnplug_")
    cls = "".join(part.capitalize() for part in name.split("_"))
    if not name[0].isalpha():
        raise click.UsageError(f"{distribution!r} cannot be used: configs would say {name!r}, and no name begins so")
    if taken := {name, cls} & {*keyword.kwlist, *IMPORTED}:
        raise click.UsageError(f"{distribution!r} cannot be used: {taken.pop()!r} means something else in its modules")
    _refuse_taken(kind, name, package)
    return {
        "distribution": distribution,
        "package": package,
        "name": name,
        "cls": cls,
        "kind": kind.replace("_", " "),
        "command_kind": kind.replace("_", "-"),
        "group": KINDS[kind].group,
        "nnplug_version": metadata.version("nnplug"),
    }


def _refuse_taken(kind: str, name: str, package: str) -> None:
    """Refuse what somebody here is called already."""
    for entry in (listed.entry for listed in default_registry().listing()):
        if (entry.kind, entry.name) == (kind, name):
            raise click.UsageError(f"{name!r} is {article(kind)} of {entry.provenance}; choose another name")
    if find_spec(package) is not None:
        raise click.UsageError(f"there is a Python module {package!r} already; choose another name")


def write(folder: Path, kind: str, words: dict[str, str]) -> list[Path]:
    """Fill the templates of a kind into an empty folder; return the files."""
    written = [folder / TYPED.format_map(words)]
    written[0].parent.mkdir()
    written[0].touch()
    words = words | {"example": _filled(f"{kind}/example.toml", words).rstrip()}
    for template, target in FILES.items():
        path = folder / target.format_map(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(template.format(kind=kind), words), encoding="utf-8", newline="\n")
        written.append(path)
    return sorted(written)


def _filled(template: str, words: dict[str, str]) -> str:
    text = resources.files("nnplug").joinpath("scaffold", f"{template}.template").read_text(encoding="utf-8")
    return Template(text).substitute(words)
