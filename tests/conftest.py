"""What all tests share: real-MNIST tests run where the files are and are skipped, visibly, where they are not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Chosen with --hypothesis-profile; what fails is printed with a line that repeats it.
settings.register_profile("everyday", deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("everyday")


def pytest_configure() -> None:
    """Let Ctrl-C work: a shell starts what it runs in the background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked ``mnist`` unless NNPLUG_DATA_DIR holds the files."""
    folder = os.environ.get("NNPLUG_DATA_DIR")
    if folder and (Path(folder) / "mnist" / "train-images-idx3-ubyte.gz").is_file():
        return
    skip = pytest.mark.skip(reason="needs the real MNIST files: set NNPLUG_DATA_DIR to the folder that holds mnist/")
    for item in items:
        if item.get_closest_marker("mnist"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _away_from_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in a folder of its own, so that none leaves files behind or finds any by accident."""
    monkeypatch.chdir(tmp_path)
