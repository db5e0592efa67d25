"""Files of every released format load for ever, and give the scores they gave then."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import nnplug
from nnplug import checkpoint
from nnplug.modelfile import FORMAT

FOLDER = Path(__file__).parents[1] / "data" / "models"
FILES = sorted(FOLDER.glob("format-*/*.safetensors"))
CHECKPOINTS = FOLDER.parent / "checkpoints"


def script(path: Path) -> ModuleType:
    """What wrote the files."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


write = script(FOLDER / "write.py")


def test_every_format_is_there():
    """Up to the one that is written today, each with every model, none above 50 KB."""
    assert {path.parent.name for path in FILES} == {f"format-{i}" for i in range(1, FORMAT + 1)}
    assert {path.stem for path in FILES if path.parent.name == f"format-{FORMAT}"} == set(write.MODELS)
    assert all(path.stat().st_size < 50_000 for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_released_file_gives_the_scores_it_gave_then(path):
    """To the last digits but a few, which depend on how the processor sums."""
    model = nnplug.load(path, registry=write.registry())
    then = np.load(path.with_suffix(".npz"))
    scores = model.scores(then["x"])
    assert scores.dtype == then["scores"].dtype == model.dtype
    accuracy = 1e-12 if model.dtype == "float64" else 1e-5
    np.testing.assert_allclose(scores, then["scores"], rtol=accuracy, atol=accuracy)
    np.testing.assert_array_equal(model.predict(then["x"]).round(4), then["predictions"].round(4))
    if path.stem == "softmax-float32":
        assert (model.scale, model.class_names) == ((2.0, 0.125), ("ant", "bee", "käfer"))
        assert not model.config.layers[-1].trainable
    if path.stem.startswith("state"):
        assert model.state["tracker1.steps"] == 4
        assert model.state["tracker1.seen"].tolist() == [True, False, True, False]


@pytest.mark.filterwarnings("ignore:.* was .* when the checkpoint was written and is .* now")  # other versions
@pytest.mark.parametrize("number", range(1, checkpoint.FORMAT + 1))
def test_training_goes_on_from_a_released_checkpoint(number):
    """From the middle of an epoch to where it ended then, but for how the processor sums."""
    training = script(CHECKPOINTS / "write.py").solver()
    training.resume(CHECKPOINTS / f"format-{number}.safetensors")
    assert training.run.step == 17
    training.fit()
    then = np.load(CHECKPOINTS / f"format-{number}.npz")
    np.testing.assert_allclose(training.history.losses, then["losses"], rtol=1e-9)
    for name, values in training.model.params.items():
        np.testing.assert_allclose(values, then[name], rtol=1e-9, atol=1e-12)
