"""The history and the result of a run that has ended, as they were written and as somebody changed them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from nnplug import History, NnplugError, records
from nnplug.files import json_text
from nnplug.records import read_history, read_results

HISTORY: dict[str, Any] = {
    **History(losses=[2.5, 1], epochs=[{"epoch": 1, "train_loss": 0.5}], monitor="train_loss", best_epoch=1).as_dict(),
    "stopped": "finished",
}
RESULT: dict[str, Any] = {"steps": 2, "train": {"loss": 0.5, "r2": 1}, "validation": None, "test": {"r2": 0, "loss": 9}}
ADVICE = "; put it back from a copy, or train anew in another folder; the model that the run led to is in "


def written(folder: Path, name: str, content: Any) -> Path:
    """A folder with a record in it."""
    (folder / name).write_text(json_text(content), encoding="utf-8")
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """All of it; null stands for NaN, among losses, too."""
    assert read_history(written(tmp_path, "history.json", HISTORY)).as_dict() == HISTORY
    assert read_results(written(tmp_path, "result.json", RESULT)) == {"train": RESULT["train"], "test": RESULT["test"]}
    history = read_history(written(tmp_path, "history.json", {**HISTORY, "losses": [math.nan, 1.0]}))
    assert str(history.losses.tolist()) == "[nan, 1.0]"
    results = read_results(written(tmp_path, "result.json", {"train": {"loss": math.nan}}))
    assert math.isnan(results["train"]["loss"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"losses": "none"}, "has in losses 'none', expected a list"),
        ({"losses": [1, "2"]}, "has in losses '2', expected a number"),
        ({"epochs": [[1]]}, "has in epochs [1], expected a table"),
        ({"epochs": [{"epoch": 1, "lo ss": True}]}, "has in epochs.'lo ss' True, expected a number"),
        ({"monitor": ["\x1b[2J"]}, "has in monitor ['\\x1b[2J'], expected a text or null"),
        ({"higher_is_better": 1}, "has in higher_is_better 1, expected true or false"),
        ({"best_epoch": "\x1b[2J"}, "has in best_epoch '\\x1b[2J', expected an integer or null"),
        ({"best_epoch": True}, "has in best_epoch True, expected an integer or null"),
        ({"stopped": None}, "has in stopped None, expected a text"),
        ({"unfinished": "no"}, "has in unfinished 'no', expected true or false"),
        ({"signal": 2.5}, "has in signal 2.5, expected an integer"),
        ({"train_seconds": "x"}, "has in train_seconds 'x', expected a number"),
    ],
)
def test_a_history_of_other_types_is_refused(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    """With the file, the place, what is there, what was expected and what to do."""
    with pytest.raises(NnplugError) as caught:
        read_history(written(tmp_path, "history.json", {**HISTORY, **changes}))
    assert str(caught.value) == (
        f"{tmp_path / 'history.json'} is damaged: it {told}{ADVICE}{tmp_path / 'model.safetensors'}"
    )


@pytest.mark.parametrize("key", HISTORY)
def test_a_history_is_whole(key: str, tmp_path: Path) -> None:
    """No key may be missing."""
    content = {name: value for name, value in HISTORY.items() if name != key}
    with pytest.raises(NnplugError, match=rf"history\.json is damaged: it has no '{key}'; "):
        read_history(written(tmp_path, "history.json", content))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "is no table"),
        ({}, "has no 'train'"),
        ({"train": None}, "has in train None, expected a table"),
        ({"train": {"foo": 1}}, "has in train ['foo'], expected a loss, and the same metrics as in train"),
        ({"train": {"loss": "x"}}, "has in train.loss 'x', expected a number"),
        ({**RESULT, "test": {"loss": 1}}, "has in test ['loss'], expected a loss, and the same metrics as in train"),
        ({**RESULT, "validation": 3}, "has in validation 3, expected a table"),
    ],
)
def test_a_result_without_its_numbers_is_refused(content: Any, told: str, tmp_path: Path) -> None:
    """As a history is."""
    with pytest.raises(NnplugError) as caught:
        read_results(written(tmp_path, "result.json", content))
    assert str(caught.value) == (
        f"{tmp_path / 'result.json'} is damaged: it {told}{ADVICE}{tmp_path / 'model.safetensors'}"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is damaged: it is no valid JSON"),
        (b"\xff{}", "is damaged: it is no text in UTF-8; "),
        (b"[" * 100_000, "is damaged: it is nested too deeply; "),
        (b'{"train": {"loss": 1, "loss": 2}}', "is damaged: it says 'loss' twice; "),
        (
            json.dumps(RESULT).encode() + b" " * 1000,
            "is damaged: it has 1,0.. bytes, 1,000 is the most that nnplug reads",
        ),
    ],
)
def test_what_is_no_record_is_refused(
    content: bytes, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in the file."""
    if content.endswith(b" "):
        monkeypatch.setattr(records, "RECORD_BYTES", 1000)
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(NnplugError, match=rf"result\.json {told}"):
        read_results(tmp_path)
