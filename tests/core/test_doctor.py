"""The doctor: every plugin tried in a process of its own, and what it says about each."""

from __future__ import annotations

import json
import os
import resource

import pytest

from nnplug import Registry
from nnplug.doctor import Diagnosis, examine_plugins
from nnplug.probe import probe
from tests.core.conftest import HOOK, LAYER

TWICE = {"nnplug.layers": {"twice": "acme_twice"}}


@pytest.fixture(autouse=True)
def _seen_by_processes(site, monkeypatch):
    """The processes that the doctor starts look into ``site``, too."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))


def examined(timeout=30.0, **switches):
    """What the doctor says about strangers; the built-ins are switched off, to be done sooner."""
    switches.setdefault("disable", ["nnplug"])
    return [d for d in examine_plugins(Registry(**switches), timeout) if d.distribution != "nnplug"]


# One module


def test_a_good_module(install):
    """No error; the time of its import."""
    install(modules={"acme_twice": "import time; time.sleep(0.2)\n" + LAYER + HOOK})
    outcome = probe("acme_twice", "acme", timeout=30)
    assert outcome.error == ""
    assert 0.2 <= outcome.seconds < 10


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "importing acme_twice failed: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "importing acme_twice failed: SystemExit: 3"),
        ("import os; os._exit(3)", "importing acme_twice ended the interpreter with exit code 3"),
        ("import os; os._exit(0)", "importing acme_twice ended the interpreter with exit code 0"),
        ("raise KeyboardInterrupt", "importing acme_twice ended the interpreter with "),
        ("import time; time.sleep(60)", "importing acme_twice did not end within 3 seconds"),
        ("input()", "importing acme_twice failed: EOFError: EOF when reading a line"),
        (LAYER, "its entry points declare the layer 'twice', but the module has no nnplug_layers()"),
        ("NNPLUG_API = 9", "it was written for version 9 of the plugin API"),
    ],
)
def test_a_broken_module(install, source, error):
    """Whatever it does to its process: the cause in a sentence, and no time."""
    install(modules={"acme_twice": source})
    outcome = probe("acme_twice", "acme", timeout=3 if "sleep" in source else 30)
    assert outcome.error.startswith(error)
    assert outcome.seconds is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to die of")
def test_a_module_that_crashes(install):
    """By the name of the signal."""
    install(modules={"acme_twice": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"})
    assert probe("acme_twice", "acme", 30).error == "importing acme_twice ended the interpreter with SIGSEGV"


def test_what_it_prints_is_nobody_s(install, capfd):
    """Neither on stdout nor on stderr."""
    install(modules={"acme_twice": "import sys; print('out'); print('err', file=sys.stderr)\n" + LAYER + HOOK})
    assert probe("acme_twice", "acme", 30).error == ""
    assert capfd.readouterr() == ("", "")


# All of them


def test_the_built_ins_are_well():
    """Every module once, with its names and its time."""
    found = examine_plugins(Registry(only=["nnplug"]), timeout=30)
    assert {d.status for d in found if d.distribution == "nnplug"} == {"ok"}
    affine = next(d for d in found if d.module == "nnplug_builtins.affine")
    assert (affine.names, affine.advice) == (("layer affine",), "")
    assert affine.seconds is not None
    assert len({d.module for d in found}) == len(found)


def test_diagnoses(install):
    """Good, broken, of two names, in conflict: each with what to do."""
    install()
    install("bad", "2.0", groups={"nnplug.losses": {"ruin": "bad_ruin"}}, modules={"bad_ruin": "1 / 0"})
    install(
        "pair",
        groups={"nnplug.layers": {"one": "pair_both", "two": "pair_both"}},
        modules={"pair_both": LAYER + HOOK.replace('{"twice": Twice}', '{"one": Twice, "two": Twice}')},
    )
    install("rival", groups={"nnplug.layers": {"twice": "rival_twice"}}, modules={"rival_twice": LAYER + HOOK})
    found = {d.distribution: d for d in examined()}
    assert {name: d.status for name, d in found.items()} == {
        "acme": "conflict",
        "bad": "failed",
        "pair": "ok",
        "rival": "conflict",
    }
    assert found["acme"].advice == "write acme:twice"
    assert found["bad"] == Diagnosis(
        "bad",
        "2.0",
        "bad_ruin",
        ("loss ruin",),
        "failed",
        None,
        "importing bad_ruin failed: ZeroDivisionError: division by zero; "
        "update or uninstall bad, or switch it off with NNPLUG_DISABLE=bad",
    )
    assert found["pair"].names == ("layer one", "layer two")
    assert found["pair"].advice == ""


def test_a_slow_one(install):
    """More than a second of import is too much."""
    install(modules={"acme_twice": "import time; time.sleep(1.1)\n" + LAYER + HOOK})
    (slow,) = examined()
    assert slow.status == "slow"
    assert slow.seconds > 1.1
    assert "everybody who names it waits" in slow.advice


def test_what_is_switched_off_is_not_tried(install, tmp_path):
    """It is listed; its module is not imported."""
    mark = tmp_path / "was-imported"
    install(modules={"acme_twice": f"open({str(mark)!r}, 'w')\n" + LAYER + HOOK})
    (off,) = examined(disable=["nnplug", "acme"])
    assert (off.status, off.seconds) == ("disabled", None)
    assert not mark.exists()


def test_a_class_of_this_process_is_not_tried(install):
    """No other process could import it."""
    install()
    registry = Registry(disable=["nnplug", "acme"])
    from nnplug_builtins.relu import Relu

    class Mine(Relu):
        pass

    import attrs

    registry.register(attrs.frozen(Mine))
    mine = next(d for d in examine_plugins(registry, 30) if "layer mine" in d.names)
    assert mine.seconds is None


def test_metadata_that_cannot_be_read(install):
    """It is told as in the listing."""
    (install() / "METADATA").write_bytes(b"\xff")
    (unread,) = examined()
    assert (unread.distribution, unread.status, unread.module) == ("acme-1.0.dist-info", "failed", "")
    assert unread.advice.startswith("cannot be read: UnicodeDecodeError: ")


# Editable installs

PROJECT = '[project]\nname = "acme"\nversion = "1.0"\n[project.entry-points."nnplug.layers"]\n'


@pytest.fixture
def editable(install, tmp_path):
    """An editable install whose sources say what the test writes."""
    sources = tmp_path / "a source & more"
    sources.mkdir()
    info = install()
    record = {"url": sources.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(record), encoding="utf-8")
    return sources


@pytest.mark.parametrize(
    ("points", "stale"),
    [
        ('twice = "acme_twice"\n', ""),
        ('twice = "acme_twice"\nthrice = "acme_thrice"\n', "thrice"),
        ('thrice = "acme_twice"\n', "thrice, twice"),
        ('twice = "acme.twice"\n', "twice"),
        ("", "twice"),
        ('twice = "acme_twice"\n[project.entry-points.other]\nx = "y"\n', ""),
        ("this is no TOML", ""),
    ],
)
def test_stale_metadata(editable, points, stale):
    """The names that differ, and the command that helps."""
    (editable / "pyproject.toml").write_text(PROJECT + points, encoding="utf-8")
    (found,) = examined()
    if not stale:
        assert (found.status, found.advice) == ("ok", "")
        return
    assert found.status == "stale"
    told = f'pyproject.toml has other entry points than were installed ({stale}); run `pip install -e "{editable}"`'
    assert found.advice == told


def test_sources_that_are_gone(editable):
    """There is nothing to compare with."""
    (found,) = examined()
    assert found.status == "ok"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to die of")
def test_output_without_end_and_processes_left_behind(install):
    """Neither fills the memory nor is waited for."""
    install(modules={"acme_twice": "import os\nwhile True: os.write(1, b'x' * 2**20)"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "did not end within 2 seconds" in probe("acme_twice", "acme", 2).error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    install("other", modules={"other_twice": "import subprocess; subprocess.Popen(['sleep', '20'])\n" + LAYER + HOOK})
    assert probe("other_twice", "other", 15).error == ""
