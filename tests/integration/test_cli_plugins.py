"""``nnplug plugins``: everything installed, and nothing imported."""

from __future__ import annotations

import json

import pytest

from nnplug.hookspecs import KINDS
from nnplug.registry import default_registry

KEYS = ["kind", "name", "qualified_name", "distribution", "version", "editable", "status", "error", "import_seconds"]


def test_json_lists_every_built_in(process):
    """A list of objects with the promised keys; all built-ins are available."""
    done = process("plugins", "--json")
    assert (done.code, done.err) == (0, "")
    listed = json.loads(done.out)
    registry = default_registry()
    assert sorted((p["kind"], p["name"]) for p in listed) == sorted(
        (kind, name) for kind in KINDS for name in registry.names(kind)
    )
    for plugin in listed:
        assert list(plugin) == KEYS
        assert plugin["qualified_name"] == f"{plugin['distribution']}:{plugin['name']}"
        assert (plugin["distribution"], plugin["status"], plugin["error"]) == ("nnplug", "available", None)


def test_table(cli):
    """The same as a table with a heading."""
    lines = cli("plugins").out.splitlines()
    assert lines[0].split() == ["kind", "name", "distribution", "version", "status", "error"]
    assert len(lines) == 1 + len(default_registry().listing())
    version = default_registry().find("layer", "relu").version
    assert ["layer", "relu", "nnplug", version] in [line.split()[:4] for line in lines]


def test_strangers_are_listed_and_not_imported(process, site, layer_code):
    """Metadata is enough: a plugin that would fail is available until somebody asks for it."""
    site.add("My.Plugin", "0.3", ruin=layer_code("ruin", before="raise SystemExit('imported')\n"))
    done = process("plugins", "--json", path=site.path)
    ruin = next(p for p in json.loads(done.out) if p["name"] == "ruin")
    assert ruin == {
        "kind": "layer",
        "name": "ruin",
        "qualified_name": "my-plugin:ruin",
        "distribution": "my-plugin",
        "version": "0.3",
        "editable": False,
        "status": "available",
        "error": None,
        "import_seconds": None,
    }


def test_conflicts(process, site, layer_code):
    """Names that are claimed twice are conflicts, and the error says what to write."""
    site.add("one", same=layer_code("same"))
    site.add("two", same=layer_code("same"), relu=layer_code("relu"))
    done = process("plugins", "--json", path=site.path)
    found = {p["qualified_name"]: (p["status"], p["error"]) for p in json.loads(done.out)}
    either = "several plugins provide the layer 'same'; write 'one:same' or 'two:same'"
    assert found["one:same"] == found["two:same"] == ("conflict", either)
    assert found["two:relu"] == ("conflict", "'relu' means 'nnplug:relu'; write 'two:relu'")
    assert found["nnplug:relu"] == ("available", None)
    preferred = process("plugins", "--json", path=site.path, NNPLUG_PREFER="two")
    found = {p["qualified_name"]: p["status"] for p in json.loads(preferred.out)}
    assert (found["two:relu"], found["nnplug:relu"], found["one:same"]) == ("available", "conflict", "conflict")


def test_metadata_cannot_drive_the_terminal(process, site, layer_code):
    """Control characters in names and versions are printed as escapes."""
    site.add("evil", "1\x1b[2J", bad=layer_code("bad"))
    done = process("plugins", path=site.path)
    assert "1\\x1b[2J" in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("given", "shown"), [("nan", "nan"), ("-1", "-1"), ("0", "0"), ("1e400", "inf"), ("86401", "86401")]
)
def test_the_doctor_waits_for_a_time_that_there_is(cli, given, shown):
    """What is none is refused; what no process could be waited for, too."""
    done = cli("plugins", "doctor", "--timeout", given)
    told = f"'--timeout': expected a finite number above 0, at most 86,400 (a day), got {shown}\n"
    assert (done.code, done.out) == (2, "")
    assert told in done.err
