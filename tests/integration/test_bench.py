"""The comparisons of speed run, and their results become a page. What they measure is not looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
COMPARE = BENCH / "compare"
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "speed.md"
OWN = ("nnplug", "floor", "products")  # the others need libraries that only a comparison needs
PARTS = ("steps", "growth", "prediction", "startup", "memory", "late", "flatness")

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc: Linux only")


def run(script: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script with one thread: more wait for one another on a busy machine."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, env=environment)


def test_every_part_is_measured_and_finds_its_place_on_the_page(tmp_path: Path) -> None:
    """One command measures all parts, one more writes tables and plots; of the page's words none is lost."""
    file, page = tmp_path / "speed.json", tmp_path / "speed.md"
    done = run(COMPARE, "--quick", "--contestants", *OWN, "--json", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.startswith("## ")] == [f"## {part}" for part in PARTS]
    found = json.loads(file.read_text(encoding="utf-8"))
    assert set(found) == {*PARTS, "machine"}
    assert set(found["steps"]["W1"]) == set(OWN)
    assert all(entry["median"] > 0 for entry in found["steps"]["W1"].values())

    before = PAGE.read_text(encoding="utf-8")
    page.write_text(before, encoding="utf-8")
    done = run(COMPARE / "report.py", file, page)
    assert (done.returncode, done.stderr) == (0, "")
    after = page.read_text(encoding="utf-8")
    words = [line for line in before.splitlines() if not line.startswith(("|", "- W", "AMD", "Intel"))]
    assert found["machine"] in after
    assert f"| nnplug | {found['steps']['W1']['nnplug']['median']:,.0f}"[:12] in after
    assert [word for word in words if word.startswith("<!--")] == [
        line for line in after.splitlines() if line.startswith("<!--")
    ]
    plots = {f"speed-{part}.png" for part in ("steps", "growth", "flatness")}
    assert {plot.name for plot in tmp_path.glob("*.png")} == plots


def test_one_part_is_put_beside_the_others(tmp_path: Path) -> None:
    """Results of parts that were measured before stay in the file."""
    file = tmp_path / "speed.json"
    file.write_text('{"steps": 1}', encoding="utf-8")
    assert run(COMPARE, "prediction", "--quick", "--json", file).returncode == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["steps"] == 1
    assert set(found["prediction"]) == {"1", "10000"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stepz"], "there is no part stepz; there are steps, growth"),
        (["--rounds", "2"], "--rounds: at least 14"),
        (["--contestants", "keras"], "invalid choice: 'keras'"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], told: str) -> None:
    """A wrong word on the command line is told, and nothing is measured."""
    done = run(COMPARE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_page_without_a_place_is_left_alone(tmp_path: Path) -> None:
    """Results that a page has no mark for are not dropped in silence."""
    file, page = tmp_path / "speed.json", tmp_path / "page.md"
    file.write_text('{"machine": "a machine"}', encoding="utf-8")
    page.write_text("# Nothing here\n", encoding="utf-8")
    done = run(COMPARE / "report.py", file, page)
    assert done.returncode == 1
    assert "has no place for machine: <!-- speed: NAME -->" in done.stderr
    assert page.read_text(encoding="utf-8") == "# Nothing here\n"


def test_memory_is_measured_of_data_that_may_be_larger(tmp_path: Path) -> None:
    """A small file here; the limit is far above what it takes. What was written is taken away."""
    done = run(BENCH / "larger_than_memory.py", "--rows", "5000", "--rounds", "0", "--folder", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith("5,000 rows, 0.0 GB mapped: 36 steps in ")
    assert 10 < int(second.partition("at most ")[2].partition(" MB")[0]) < 400
    assert list(tmp_path.iterdir()) == []
