"""The built-ins, without exception, pass the kit that strangers' plugins are held against."""

from __future__ import annotations

from time import perf_counter

import pytest

from nnplug import default_registry
from nnplug.testing import check
from nnplug.testing.examination import KITS

BUILT_IN = [listed.entry for listed in default_registry().listing() if listed.entry.distribution == "nnplug"]
FILES = [pytest.mark.mnist]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(entry.kind, entry.name, id=f"{entry.kind}-{entry.name}", marks=FILES * (entry.name == "mnist"))
        for entry in BUILT_IN
    ],
)
def test_every_built_in_passes(kind, name):
    """No check fails, and enough of them ran."""
    report = check(name, kind=kind).components[0]
    assert (report.kind, report.name) == (kind, name)
    assert "enough" in [result.check for result in report.having("passed")]


def test_every_kind_has_built_ins_to_check():
    """Nothing is left out: there is a kit for each kind, and a built-in of each kind."""
    assert {entry.kind for entry in BUILT_IN} == set(KITS)


def test_a_layer_is_checked_quickly():
    """A plugin's own test suite must not become slow: a check takes less than two seconds without the import."""
    from nnplug_builtins.affine import Affine

    check(Affine(3))  # the import is timed once
    started = perf_counter()
    check(Affine(3))
    assert perf_counter() - started < 2
