"""Discovery among neighbours: broken metadata, duplicates, editable installs, old names, plugins of another time."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path

import pytest

from nnplug import PluginError, Registry, RegistryError, build
from nnplug.config import parse, to_toml
from nnplug.discovery import discover
from tests.core.conftest import HOOK, LAYER

# Broken neighbours


def broken():
    """Folder and cause of what could not be read."""
    return {Path(b.folder).name: b.told for b in discover().broken}


NO_TEXT = b"Name: acme\xff\xfe\x00"


@pytest.mark.parametrize(
    ("file", "content", "cause"),
    [
        ("METADATA", NO_TEXT, "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 10: .*"),
        ("METADATA", b"", "ValueError: its METADATA names no distribution"),
        ("METADATA", None, "ValueError: its METADATA names no distribution"),
        ("entry_points.txt", b"[nnplug.layers]\ntwice = \xff", "UnicodeDecodeError: .*"),
        ("direct_url.json", b"{", "JSONDecodeError: .*"),
        ("direct_url.json", b"[1]", "AttributeError: .*"),
        ("direct_url.json", b'{"dir_info": {"editable": true}}', "KeyError: 'url'"),
    ],
    ids=["no text", "empty", "missing", "entry points no text", "no JSON", "another JSON", "no address"],
)
def test_a_distribution_that_cannot_be_read(install, file, content, cause):
    """It is told with folder and cause, in the listing and where its name is missed; all others are there."""
    info = install()
    install("good", modules={"good_twice": LAYER + HOOK}, groups={"nnplug.layers": {"twice": "good_twice"}})
    if content is None:
        (info / file).unlink()
    else:
        (info / file).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(broken()) == ["acme-1.0.dist-info"]
    registry = Registry()
    assert registry.get("layer", "twice").__module__ == "good_twice"
    assert registry.get("layer", "relu")
    (line,) = [line for line in registry.listing() if line.status == "failed"]
    assert (line.entry.kind, line.entry.name) == ("distribution", "acme-1.0.dist-info")
    assert re.fullmatch(f"cannot be read: {cause}; reinstall it", line.error)
    with pytest.raises(
        RegistryError, match=r"no layer is called 'thrice'.*acme-1\.0\.dist-info cannot be read: .*; reinstall it"
    ):
        registry.get("layer", "thrice")


@pytest.mark.parametrize(
    ("group", "hint"),
    [("nnplug.layer", "; did you mean 'nnplug.layers'?"), ("nnplug.loses", "; did you mean 'nnplug.losses'?")],
)
def test_a_misspelt_group_is_told(install, group, hint):
    """An entry point that nobody looks for is told where its name is missed, and listed; the others are there."""
    install(groups={group: {"twice": "acme_twice"}, "nnplug.losses": {"nice": "acme_twice"}, "nnplug.presets": {}})
    told = f"has entry points in the group {group!r}, which nnplug does not know{hint}"
    assert broken() == {"acme-1.0.dist-info": told}
    registry = Registry()
    assert "nice" in registry.names("loss")
    assert [line.error for line in registry.listing() if line.status == "failed"] == [told]
    with pytest.raises(RegistryError, match=f"no layer is called 'twice'.*acme-1.0.dist-info {re.escape(told)}"):
        registry.get("layer", "twice")


@pytest.mark.parametrize("file", ["METADATA", "entry_points.txt"])
def test_a_broken_neighbour_that_is_no_plugin(install, file):
    """What does not concern nnplug is not told."""
    info = install("other", groups={"console_scripts": {"other": "other"}}, modules={})
    (info / file).write_bytes(b"\xff\xfe")
    assert broken() == {}


def test_metadata_that_is_a_folder(site, install):
    """A leftover of an interrupted uninstall, without any file, is passed over."""
    (site / "ghost-1.0.dist-info").mkdir()
    (site / "ghost-2.0.dist-info").mkdir()
    (site / "ghost-2.0.dist-info" / "entry_points.txt").mkdir()
    install()
    assert "twice" in Registry().names("layer")
    assert broken() == {}


def test_a_folder_twice_on_the_path(site, install, monkeypatch):
    """Once by another spelling: every name is there once."""
    install()
    monkeypatch.setattr(sys, "path", [str(site), *sys.path, str(site / ".." / site.name), str(site)])
    assert [e.name for e in discover().entries if e.distribution == "acme"] == ["twice"]
    assert Registry().find("layer", "twice").qualified == "acme:twice"


def test_the_order_is_no_matter_of_the_file_system(site, install, monkeypatch):
    """Entries are sorted, wherever and whenever their distributions were installed."""
    for name in ("zeta", "alpha", "mid"):
        install(name, modules={})
    first = discover().entries
    monkeypatch.setattr(sys, "path", [*sys.path[1:], sys.path[0]])
    assert discover().entries == first == tuple(sorted(first))


@pytest.mark.parametrize(
    ("record", "editable"),
    [
        ({"url": "file:///src/acme", "dir_info": {"editable": True}}, True),
        ({"url": "file:///src/acme", "dir_info": {}}, False),
        ({"url": "https://example.org/acme.whl", "archive_info": {}}, False),
    ],
)
def test_editable_installs(install, record, editable):
    """Told by the record that pip leaves."""
    (install() / "direct_url.json").write_text(json.dumps(record), encoding="utf-8")
    (entry,) = [e for e in discover().entries if e.distribution == "acme"]
    assert entry.editable is editable


# Old names

RENAMED = LAYER + HOOK.replace('{"twice": Twice}', '{"twice": Twice, "double": Twice}')
BOTH = {"nnplug.layers": {"twice": "acme_twice", "double": "acme_twice"}}


@pytest.fixture
def renamed(install):
    """A distribution whose ``double`` is called ``twice`` now."""
    install(groups=BOTH, modules={"acme_twice": RENAMED + 'NNPLUG_RENAMED = {"double": "twice"}\n'})


@pytest.mark.parametrize("name", ["double", "acme:double", "Acme:double"])
def test_an_old_name_says_so(renamed, name):
    """And works."""
    registry = Registry()
    with pytest.warns(FutureWarning) as told:
        cls = registry.get("layer", name)
    assert [str(w.message) for w in told] == ["the layer 'double' of acme is now called 'twice'; write that"]
    assert cls is registry.get("layer", "twice")


def test_the_new_name_says_nothing(renamed):
    """Warnings are errors in these tests."""
    assert Registry().create("layer", "acme:twice").times == 1


def test_a_saved_config_has_the_new_name(renamed):
    """A config with the old one is written out with the new one."""
    raw = {"data": "digits", "model": {"layers": [{"type": "double", "times": 3}, {"type": "affine", "units": 10}]}}
    with pytest.warns(FutureWarning, match="is now called 'twice'"):
        experiment, registry = parse(raw, Registry())
    written = to_toml(experiment, registry)
    assert 'type = "twice"' in written
    assert "double" not in written.replace("twice", "")


def test_a_network_names_its_layers_by_the_new_name(renamed):
    """Paths of parameters do not depend on which of the two a config says."""
    with pytest.warns(FutureWarning):
        model = build([{"type": "double"}, {"type": "affine", "units": 2}], input_shape=3, registry=Registry())
    assert "twice1" in str(model.summary())


@pytest.mark.parametrize(
    "renamed_to",
    ['{"double": "thrice"}', '{"single": "twice"}', '["double"]', "None"],
    ids=["new name unknown", "old name unknown", "a list", "None"],
)
def test_a_table_of_old_names_that_is_wrong(install, renamed_to):
    """It names what the hooks return, both sides."""
    install(groups=BOTH, modules={"acme_twice": RENAMED + f"NNPLUG_RENAMED = {renamed_to}\n"})
    with pytest.raises(PluginError, match="NNPLUG_RENAMED must be a dict of old and new names that its hooks return"):
        Registry().get("layer", "twice")


# The version of the API

VERSION = "it was written for version 2 of the plugin API, this nnplug has version 1"


@pytest.mark.parametrize(
    "statement",
    ["NNPLUG_API = 2", "NNPLUG_API: int = 2", "NNPLUG_API: Final[int] = 2  # needs nnplug 2", "NNPLUG_API=2"],
)
def test_a_plugin_for_another_version_is_not_run(install, tmp_path, statement):
    """Whatever it would do: its source is read first."""
    mark = tmp_path / "was-imported"
    install(modules={"acme_twice": f"{statement}\nopen({str(mark)!r}, 'w')\nfrom nnplug import of_the_future\n"})
    with pytest.raises(PluginError, match=VERSION):
        Registry().get("layer", "twice")
    assert not mark.exists()
    assert "acme_twice" not in sys.modules


@pytest.mark.parametrize("statement", ["", "NNPLUG_API = 1", "NNPLUG_API: int = 1", "# NNPLUG_API = 2", "x = 2"])
def test_a_plugin_for_this_version(install, statement):
    """Stated, or not stated: absent means 1."""
    install(modules={"acme_twice": f"{statement}\n{LAYER}{HOOK}"})
    assert Registry().get("layer", "twice").__name__ == "Twice"


def test_a_version_that_is_computed_is_checked_after_import(install):
    """It cannot be read, but it counts."""
    install(modules={"acme_twice": LAYER + HOOK + "NNPLUG_API = 1 + 1\n"})
    with pytest.raises(PluginError, match=VERSION):
        Registry().get("layer", "twice")


def test_a_module_that_is_not_there(install):
    """Neither the module nor its package: the error of the import is told."""
    install(modules={}, groups={"nnplug.layers": {"twice": "acme.sub.twice", "thrice": "acme_thrice"}})
    registry = Registry()
    for name, module in (("twice", "acme"), ("thrice", "acme_thrice")):
        with pytest.raises(PluginError, match=f"failed: ModuleNotFoundError: No module named '{module}'"):
            registry.get("layer", name)
