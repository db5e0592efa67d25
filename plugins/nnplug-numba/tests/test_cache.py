"""Compiled code is kept on the disk, and where that cannot be, somebody is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nnplug_numba

CODE = """
import numpy as np
from nnplug_numba._kernels import sgd_step
w = np.ones(3)
sgd_step(w, np.ones(3), 0.5)
print(w.tolist(), sum(sgd_step.stats.cache_hits.values()))
"""


def run(folder, **env):
    """Run it on a copy of the package in a folder."""
    shutil.copytree(
        Path(nnplug_numba.__file__).parent,
        folder / "nnplug_numba",
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **env}
    environment = {name: value for name, value in environment.items() if value}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, encoding="utf-8", env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_the_next_process_finds_it(tmp_path):
    """In the folder that NUMBA_CACHE_DIR names."""
    cache = tmp_path / "cache"
    assert run(tmp_path, NUMBA_CACHE_DIR=str(cache)) == ("[0.5, 0.5, 0.5] 0", "")
    assert list(cache.rglob("rules.sgd_step-*.nbc"))
    assert run(tmp_path, NUMBA_CACHE_DIR=str(cache)) == ("[0.5, 0.5, 0.5] 1", "")


@pytest.mark.skipif(sys.platform == "win32", reason="the user's cache folder is found in another way there")
def test_no_folder_to_keep_it_in(tmp_path):
    """Files stand where the folders would be made: one warning, and the result is the same."""
    nowhere = tmp_path / "file"
    nowhere.touch()
    blocked = tmp_path / "nnplug_numba" / "_kernels"
    blocked.mkdir(parents=True)
    (blocked / "__pycache__").touch()
    out, err = run(tmp_path, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(nowhere), HOME=str(nowhere))
    assert out == "[0.5, 0.5, 0.5] 0"
    assert err.count("RuntimeWarning: nnplug-numba finds no folder to keep compiled code in") == 1
    assert "let NUMBA_CACHE_DIR name a folder that can be written to" in err
