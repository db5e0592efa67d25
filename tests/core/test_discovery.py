"""Discovery: what is installed is known from metadata alone, however broken a neighbour is."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from nnplug import Registry, RegistryError
from nnplug.discovery import discover, normalise, source_folder

LISTING = """
import json, sys
from nnplug import Registry
from nnplug.hookspecs import KINDS
registry = Registry()
names = {kind: registry.names(kind) for kind in KINDS}
listed = [(l.entry.qualified, l.status) for l in registry.listing()]
found = registry.find("layer", "twice").qualified
print(json.dumps([names, listed, found, [m for m in sys.modules if m.startswith(("nnplug_builtins", "acme"))]]))
"""


def test_names_come_from_metadata_and_nothing_is_imported(install, run_python):
    """Listing, and finding a name's entry, import no plugin: not the built-ins, not the stranger, not its package."""
    install(groups={"nnplug.layers": {"twice": "acme.sub.twice"}}, modules={"acme.sub.twice": "raise SystemExit"})
    names, listed, found, imported = json.loads(run_python(LISTING))
    assert {"affine", "chain", "relu", "twice"} <= set(names["layer"])
    assert "adam" in names["update_rule"]
    assert "mnist" in names["data_loader"]
    assert ["acme:twice", "available"] in listed
    assert found == "acme:twice"
    assert imported == []


def test_nnplug_itself_is_discovered():
    """Every built-in, the chain too, comes through an entry point."""
    entries = {(entry.kind, entry.name): entry for entry in discover().entries}
    assert entries["layer", "chain"].module == "nnplug.chain"
    assert entries["layer", "affine"].qualified == "nnplug:affine"
    assert entries["layer", "affine"].version


def test_the_first_on_the_path_counts(install, tmp_path, monkeypatch):
    """Of two installed versions the one that Python would import is listed, once."""
    install(version="2.0")
    second = tmp_path / "second" / "acme-1.0.dist-info"
    second.mkdir(parents=True)
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme\nVersion: 1.0\n")
    (second / "entry_points.txt").write_text("[nnplug.layers]\nold = acme_old\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(second.parent)])
    assert [(e.name, e.version) for e in discover().entries if e.distribution == "acme"] == [("twice", "2.0")]


def test_entries_come_sorted(install):
    """In whatever order distributions lie on the path, so that messages and listings are the same everywhere."""
    install("zebra", groups={"nnplug.layers": {"a": "zebra"}}, modules={})
    install("aardvark", groups={"nnplug.layers": {"z": "aardvark", "b": "aardvark"}}, modules={})
    entries = discover().entries
    assert entries == tuple(sorted(entries))


@pytest.mark.parametrize("name", ["Acme_Layers", "acme.layers", "ACME-layers", "acme__layers"])
def test_distributions_are_called_as_pip_calls_them(install, name):
    """However the name is written, the qualified name is the normalised one, and each spelling finds it."""
    install(name)
    assert normalise(name) == "acme-layers"
    registry = Registry()
    assert registry.find("layer", "twice").qualified == "acme-layers:twice"
    assert registry.find("layer", f"{name}:twice").version == "1.0"


def test_other_peoples_entry_points_are_left_alone(install):
    """Groups that are not ours, even under our prefix, give no entries."""
    install(groups={"console_scripts": {"x": "acme:main"}, "nnplug.gizmos": {"y": "acme"}, "other": {"z": "acme"}})
    assert not [entry for entry in discover().entries if entry.distribution == "acme"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("METADATA", b"\xff\xfe broken"),
        ("METADATA", b""),
        ("METADATA", None),
        ("entry_points.txt", b"[nnplug.layers\ntwice"),
        ("entry_points.txt", b"[nnplug.layers]\nno value"),
        ("entry_points.txt", b"\xff[nnplug.layers]\ntwice = acme"),
    ],
)
def test_a_neighbour_with_broken_metadata_harms_nobody(install, file, content):
    """The others are listed; a folder without METADATA is no distribution."""
    info = install()
    if content is None:
        (info / file).unlink()
    else:
        (info / file).write_bytes(content)
    install("good", groups={"nnplug.layers": {"good": "good_module"}}, modules={})
    registry = Registry()
    assert registry.find("layer", "good").qualified == "good:good"
    assert "affine" in registry.names("layer")
    assert registry.get("layer", "relu").__name__ == "Relu"


@pytest.mark.parametrize(
    ("file", "content"),
    [("METADATA", b""), ("entry_points.txt", b"\xff[nnplug.layers]\ntwice = acme")],
)
def test_a_plugin_whose_metadata_is_broken_is_told(install, file, content):
    """Where it is a plugin of ours, whoever looks for its name is told the folder and what to do."""
    info = install()
    (info / file).write_bytes(content)
    registry = Registry()
    with pytest.raises(RegistryError) as caught:
        registry.get("layer", "twice")
    told = str(caught.value).partition(". There are: ")[2].partition(". ")[2]
    assert told.startswith(f"{info} cannot be read (")
    assert told.endswith("); reinstall it")
    listed = [line for line in registry.listing() if line.entry.kind == "distribution"]
    assert [(line.entry.name, line.status) for line in listed] == [(info.name, "failed")]


def test_other_peoples_broken_metadata_is_not_our_business(install):
    """A distribution that is no plugin of ours is not mentioned, however broken."""
    info = install(groups={"console_scripts": {"x": "acme:main"}})
    (info / "METADATA").write_bytes(b"")
    (info / "entry_points.txt").write_bytes(b"\xff[console_scripts]")
    assert discover().broken == ()


@pytest.mark.parametrize(
    ("record", "editable"),
    [
        (None, False),
        ('{"url": "file:///src/acme", "dir_info": {"editable": true}}', True),
        ('{"url": "file:///src/acme", "dir_info": {}}', False),
        ('{"url": "https://example.org/acme.whl", "archive_info": {}}', False),
    ],
)
def test_editable_installs_are_known(install, record, editable):
    """pip writes down where the sources are."""
    info = install()
    if record:
        (info / "direct_url.json").write_text(record)
    entry = next(entry for entry in discover().entries if entry.distribution == "acme")
    assert entry.editable is editable
    where = source_folder(importlib.metadata.distribution("acme"))
    assert where == (Path("/src/acme") if editable else None)


def test_control_characters_in_metadata_are_escaped(install):
    """A name, a version or a module that would clear the screen is shown as text."""
    info = install("acme", groups={"nnplug.layers": {"tw\x1b[31mice": "mod\x1b[0mule"}}, modules={})
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ac\x1b[0mme\nVersion: 1.0\x1b[2J\n")
    entry = next(entry for entry in discover().entries if entry.distribution.startswith("ac"))
    assert (entry.provenance + entry.qualified).isprintable()
    with pytest.raises(RegistryError) as caught:
        Registry().get("layer", "no_such")
    assert str(caught.value).isprintable()


def test_without_metadata_the_message_says_what_to_run(run_python):
    """On the path but not installed: the way out, each time one asks, and not "unknown layer"."""
    told = run_python(
        """
        import sys, sysconfig
        import nnplug, nnplug.registry, importlib.metadata
        sys.path[:] = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
        registry = nnplug.Registry()
        for ask in (lambda: registry.names("layer"), lambda: registry.get("layer", "affine"),
                    lambda: registry.create("layer", "affine"), registry.listing):
            try:
                ask()
            except nnplug.NnplugError as error:
                print(error)
        """
    )
    expected = (
        "nnplug is on the path but not installed, so its plugins cannot be found; run `pip install -e .` in its folder"
    )
    assert told.splitlines() == [expected] * 4
