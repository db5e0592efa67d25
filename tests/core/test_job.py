"""The whole job: config in, a folder with everything about the run out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import define, frozen

import nnplug
from nnplug import (
    Array,
    Callback,
    ConfigError,
    DataError,
    DataLoader,
    Dataset,
    DivergedError,
    NnplugError,
    Registry,
    RegistryError,
    Run,
    ShapeError,
)

CONFIG: dict[str, Any] = {
    "seed": 3,
    "data": {"type": "digits"},
    "model": {"layers": [{"type": "affine", "units": 16}, "relu", {"type": "affine", "units": 10}]},
    "update": {"type": "adam", "learning_rate": 0.01},
    "train": {"epochs": 2, "batch_size": 64, "validation": 0.1},
}

TOML = """
data = "digits"

[model]
layers = [{ type = "affine", units = 8 }, "tanh", { type = "affine", units = 10 }]

[train]
iterations = 5
batch_size = 64
"""


def config(**changes: Any) -> dict[str, Any]:
    """CONFIG with some of its tables changed."""
    return {**CONFIG, **{key: {**CONFIG.get(key, {}), **value} for key, value in changes.items()}}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> nnplug.TrainResult:
    """One run of CONFIG."""
    return nnplug.train(CONFIG, out=tmp_path_factory.mktemp("runs") / "first")


def test_a_run_leaves_a_folder(result: nnplug.TrainResult) -> None:
    """Config, model, history and result, and nothing else."""
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "config.toml",
        "history.json",
        "model.safetensors",
        "result.json",
    ]
    assert result.model_path == result.folder / "model.safetensors"


def test_the_result_says_what_happened(result: nnplug.TrainResult) -> None:
    """result.json is what `as_dict` gives; its numbers are those of the model."""
    written = json.loads((result.folder / "result.json").read_text(encoding="utf-8"))
    assert written == result.as_dict()
    assert list(written) == [
        *("steps", "epochs", "train_seconds", "stopped", "monitor", "best_epoch"),
        *("train", "validation", "test", "model", "run"),
    ]
    assert (written["steps"], written["epochs"], written["stopped"]) == (42, 2, "finished")
    assert written["train_seconds"] > 0
    assert written["monitor"] == "validation_accuracy"
    assert Path(written["model"]) == result.model_path
    test = nnplug.load_data("digits").test
    assert written["test"] == pytest.approx(result.model.evaluate(*test))
    best = result.history.epochs[written["best_epoch"] - 1]
    assert written["validation"]["accuracy"] == best["validation_accuracy"]
    assert written["train"]["accuracy"] > 0.7


def test_the_history_is_written(result: nnplug.TrainResult) -> None:
    """history.json holds every loss and every epoch."""
    written = json.loads((result.folder / "history.json").read_text(encoding="utf-8"))
    assert written["losses"] == list(result.history.losses)
    assert written["epochs"] == result.history.epochs
    assert (written["monitor"], written["stopped"], written["signal"]) == ("validation_accuracy", "finished", 0)


def test_the_model_can_be_loaded(result: nnplug.TrainResult) -> None:
    """The saved model scores raw test images as the trained one does, and remembers the data's scale and classes."""
    loaded = nnplug.load(result.model_path)
    x, _ = nnplug.load_data("digits").test
    assert loaded.scores(x).tobytes() == result.model.scores(x).tobytes()
    assert (loaded.scale, loaded.classes, loaded.class_names) == ((0.0, 1 / 16), 10, tuple("0123456789"))


def test_the_written_config_makes_the_same_run(result: nnplug.TrainResult, tmp_path: Path) -> None:
    """Every default is written out, and training from that file gives the same bytes."""
    written = tomllib.loads((result.folder / "config.toml").read_text(encoding="utf-8"))
    assert written["update"]["beta1"] == 0.9
    assert written["model"]["layers"][0]["weight_init"] == {"type": "he"}
    assert written["train"]["evaluate"] == ["train", "validation"]
    again = nnplug.train(result.folder / "config.toml", out=tmp_path / "again")
    assert (again.folder / "config.toml").read_bytes() == (result.folder / "config.toml").read_bytes()
    assert again.model_path.read_bytes() == result.model_path.read_bytes()
    assert list(again.history.losses) == list(result.history.losses)


def test_the_dict_is_left_alone() -> None:
    """Changes are made to a copy of the config."""
    given = config(train={"epochs": 1})
    before = json.dumps(given)
    result = nnplug.train(given, changes=["model.layers[0].units=4", "train.batch_size=200", "update=sgd"], out="run")
    assert json.dumps(given) == before
    assert result.model.params["affine1.W"].shape == (64, 4)
    assert len(result.history.losses) == 7
    assert tomllib.loads(Path("run/config.toml").read_text(encoding="utf-8"))["update"]["type"] == "sgd"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.epocs=3"], "train.epocs: [train] has no option 'epocs'; did you mean 'epochs'?"),
        (
            ["model.layers[9].units=3"],
            "--set model.layers[9].units=3: '9' is no position in a list of 3, counted from 0",
        ),
        (["epochs"], "--set epochs: expected key=value, such as train.epochs=5"),
    ],
)
def test_wrong_changes_are_refused(changes: list[str], message: str) -> None:
    """A change that leads nowhere is told before anything is loaded; no folder is made."""
    with pytest.raises(ConfigError) as caught:
        nnplug.train(CONFIG, changes=changes, out="run")
    assert str(caught.value) == message
    assert not Path("run").exists()


def test_a_file_and_its_folders_are_numbered() -> None:
    """Without ``out``, runs of one config go to runs/NAME-1, runs/NAME-2, ..."""
    Path("small.toml").write_text(TOML, encoding="utf-8")
    folders = [nnplug.train(source).folder for source in ("small.toml", Path("small.toml"))]
    assert folders == [Path("runs/small-1"), Path("runs/small-2")]
    assert nnplug.train(tomllib.loads(TOML)).folder == Path("runs/run-1")


def test_a_folder_in_use_is_not_written_to() -> None:
    """A folder with something in it is refused; an empty one is taken."""
    Path("empty").mkdir()
    assert nnplug.train(tomllib.loads(TOML), out="empty").folder == Path("empty")
    with pytest.raises(NnplugError) as caught:
        nnplug.train(tomllib.loads(TOML), out="empty")
    assert str(caught.value) == "empty exists and is not empty; name a new folder for the run"


def test_a_folder_that_a_run_can_go_on_in() -> None:
    """Who forgot --resume is told how to go on."""
    short = config(train={"max_seconds": 1e-9})
    nnplug.train(short, out="cut")
    with pytest.raises(NnplugError, match="or go on with the one that it holds: nnplug train --out cut --resume"):
        nnplug.train(short, out="cut")


def test_a_run_that_cannot_begin_leaves_no_folder() -> None:
    """Once the config is mended, it can be begun there."""
    wrong = config(train={"validation": 0.0, "callbacks": ["early_stopping"]})
    with pytest.raises(NnplugError, match="nothing is monitored"):
        nnplug.train(wrong, out="here")
    assert not Path("here").exists()
    Path("here").mkdir()
    with pytest.raises(NnplugError, match="nothing is monitored"):
        nnplug.train(wrong, out="here")
    assert nnplug.train(config(train={"callbacks": ["early_stopping"]}), out="here").history.epochs


def test_data_that_has_moved() -> None:
    """A run goes on with the same rows from another file, and with no other ones."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    np.savez("here.npz", x=x, y=y)
    config = {
        "data": {"type": "arrays", "path": "here.npz"},
        "model": {"layers": [{"type": "affine", "units": 2}]},
        "train": {"epochs": 4, "batch_size": 10, "max_seconds": 1e-9},
    }
    nnplug.train(config, out="run")
    Path("here.npz").rename("there.npz")
    go_on = ["train.max_seconds=100", "data.path=there.npz"]
    done = nnplug.train("run/config.toml", changes=go_on, out="run", resume=True)
    assert len(done.history.losses) == 24
    np.savez("there.npz", x=x + 1, y=y)
    nnplug.train(config | {"data": {"type": "arrays", "path": "there.npz"}}, out="other")
    np.savez("there.npz", x=x, y=y)
    with pytest.raises(nnplug.DataError, match="the data is not what it was"):
        nnplug.train("other/config.toml", changes=["train.max_seconds=100"], out="other", resume=True)
    Path("file").write_text("mine", encoding="utf-8")
    with pytest.raises(NnplugError, match=r"^file is a file; name a new folder for the run$"):
        nnplug.train(tomllib.loads(TOML), out="file")
    assert Path("file").read_text(encoding="utf-8") == "mine"


def test_runs_that_start_at_once_have_folders_of_their_own() -> None:
    """Two threads that train without a folder, and two into the same one: nothing is written twice."""
    with ThreadPoolExecutor(4) as pool:
        folders = [run.folder for run in pool.map(lambda _: nnplug.train(tomllib.loads(TOML)), range(4))]
        assert len(set(folders)) == 4
        both = [pool.submit(nnplug.train, tomllib.loads(TOML), out="both") for _ in range(2)]
        failed = [future.exception() for future in both if future.exception()]
    assert [str(error) for error in failed] == ["both exists and is not empty; name a new folder for the run"]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("nothing.toml", ConfigError, "nothing.toml: cannot be read: No such file or directory"),
        ("broken.toml", ConfigError, "broken.toml: is not valid TOML: "),
        ("no-such-preset", RegistryError, "no-such-preset is no file, and no preset is called"),
        (
            "typo.toml",
            ConfigError,
            "typo.toml: model.layers[0].untis: affine has no option 'untis'; did you mean 'units'?",
        ),
    ],
)
def test_sources_that_are_no_config(source: str, error: type[NnplugError], message: str) -> None:
    """Missing files, broken files, unknown presets and typing errors are told with the source."""
    Path("broken.toml").write_text("data = [", encoding="utf-8")
    Path("typo.toml").write_text(TOML.replace("units = 8", "untis = 8, units = 8"), encoding="utf-8")
    with pytest.raises(error) as caught:
        nnplug.train(source)
    assert str(caught.value).startswith(message)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"train": {"batch_size": 5000}}, DataError),
        ({"model": {"layers": [{"type": "affine", "units": 3}]}}, DataError),
        ({"model": {"layers": [{"type": "affine", "units": 1}]}}, ShapeError),
        ({"model": {"input_shape": [3]}}, DataError),
        ({"train": {"monitor": "loss", "validation": 0.0}}, ConfigError),
    ],
)
def test_what_cannot_be_trained_leaves_no_folder(changes: Any, error: type[NnplugError]) -> None:
    """Errors found before training come before the folder is made."""
    with pytest.raises(error):
        nnplug.train(config(**changes), out="run")
    assert not Path("run").exists()


@define
class Nosy(Callback):
    """Keeps what it saw in a file of the run."""

    def epoch(self, run: Run) -> None:
        """Append."""
        assert run.folder is not None
        with (run.folder / "nosy.txt").open("a", encoding="utf-8") as file:
            file.write(f"{run.epoch} of {run.total_epochs}\n")


def test_more_callbacks_are_called_but_not_recorded() -> None:
    """Callbacks given to `train` know the folder; the config that is written does not hold them."""
    given = config(train={"callbacks": ["csv_log"]})
    result = nnplug.train(given, out="run", callbacks=[Nosy(), "csv_log"])
    assert Path("run/nosy.txt").read_text(encoding="utf-8") == "1 of 2\n2 of 2\n"
    written = tomllib.loads(Path("run/config.toml").read_text(encoding="utf-8"))
    assert [callback["type"] for callback in written["train"]["callbacks"]] == ["csv_log"]
    assert len(list(Path("run").glob("*.csv"))) == 1
    assert len(next(Path("run").glob("*.csv")).read_text(encoding="utf-8").splitlines()) == 1 + len(
        result.history.epochs
    )


def test_one_callback_needs_no_list() -> None:
    """A name where a list of names may stand."""
    nnplug.train(config(), out="run", callbacks="csv_log")
    assert len(list(Path("run").glob("*.csv"))) == 1


@define
class Sabotage(Callback):
    """Ruins the parameters after some epochs.

    Args:
        after: the number of epochs.
    """

    after: int = 1

    def epoch(self, run: Run) -> None:
        """Ruin them."""
        if run.epoch == self.after:
            run.model.network.buffers.vector[...] = np.nan


def test_divergence_keeps_the_best_model_before_it() -> None:
    """Best model, history and the moment are kept, the error says where; there is no result, and JSON has no NaN."""
    with pytest.raises(DivergedError, match="training diverged: the loss of step 22 is nan") as caught:
        nnplug.train(CONFIG, out="run", callbacks=[Sabotage()])
    assert caught.value.__notes__ == [
        f"parameters, gradients and batch of that moment are kept in {Path('run/diverged.safetensors')}",
        f"the best model before that is kept in {Path('run/model.safetensors')}",
        "resumed, it would end in the same way; begin a new run, perhaps with a lower learning rate",
    ]
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "config.toml",
        "diverged.safetensors",
        "history.json",
        "model.safetensors",
    ]
    history = json.loads(Path("run/history.json").read_text(encoding="utf-8"))
    assert (history["best_epoch"], history["stopped"], len(history["losses"])) == (1, "the loss became nan", 21)
    accuracy = nnplug.load("run/model.safetensors").evaluate(*nnplug.load_data("digits").test)["accuracy"]
    assert accuracy > 0.5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_without_anything_good_keeps_no_model() -> None:
    """A model that was never any good is not kept; the history is."""
    with pytest.raises(DivergedError) as caught:
        nnplug.train(
            config(model={"loss": "svm"}, train={"validation": 0.0}), out="run", changes=["update.learning_rate=1e30"]
        )
    assert [note for note in caught.value.__notes__ if "model" in note] == []
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "config.toml",
        "diverged.safetensors",
        "history.json",
    ]


@define
class Stumbles(Callback):
    """Fails at the very end."""

    def stop(self, run: Run) -> None:
        """Fail."""
        raise RuntimeError("no room for my report")


def test_a_callback_that_fails_at_the_end_costs_no_model() -> None:
    """The model that training led to is kept, though no split decided that it is the best, and the error says where."""
    with pytest.raises(RuntimeError, match="no room") as caught:
        nnplug.train(config(train={"validation": 0.0}), out="run", callbacks=[Stumbles()])
    assert caught.value.__notes__ == [
        f"the model that training led to is kept in {Path('run/model.safetensors')}",
    ]
    whole = nnplug.train(config(train={"validation": 0.0}), out="whole")
    assert Path("run/model.safetensors").read_bytes() == whole.model_path.read_bytes()
    assert json.loads(Path("run/history.json").read_text(encoding="utf-8"))["stopped"] == "finished"


# Other people's data


class Shards:
    """A Source that says nothing about its samples."""

    rows = 30

    def batches(self, batch_size: int, rng: Any, start: int = 0) -> Iterator[Any]:
        """Yield one epoch."""
        for i in range(start * batch_size, 30, batch_size):
            x = np.arange(i, min(i + batch_size, 30))[:, None] % 3 == np.arange(3)
            yield x, x.argmax(axis=1), None


@frozen
class Streaming(DataLoader):
    """A stranger's loader of a stream.

    Args:
        test: whether there is a test split.
    """

    test: bool = False

    def load(self) -> Dataset:
        """Shards."""
        return Dataset(Shards(), test=Shards() if self.test else None, classes=3)


def streaming(**changes: Any) -> tuple[dict[str, Any], Registry]:
    """A config for it, and a registry that knows it."""
    registry = Registry()
    registry.register(Streaming)
    model = {"layers": [{"type": "affine", "units": 3}], **changes}
    return {
        "data": {"type": "streaming", "test": True},
        "model": model,
        "train": {"epochs": 20, "batch_size": 7},
    }, registry


def test_a_stream_needs_the_shape_of_a_sample() -> None:
    """A stream does not say what a sample looks like; the config must."""
    given, registry = streaming()
    with pytest.raises(DataError) as caught:
        nnplug.train(given, registry=registry)
    told = "the data is a stream and does not say what a sample looks like; set model.input_shape"
    assert str(caught.value) == told
    given, registry = streaming(input_shape=[3])
    result = nnplug.train(given, registry=registry, out="run", changes=["update.type=sgd", "update.learning_rate=1"])
    assert result.results["test"]["accuracy"] == 1.0
    assert set(result.results) == {"train", "test"}
    assert result.model.classes == 3
    assert nnplug.load("run/model.safetensors").predict(np.eye(3)).tolist() == [0, 1, 2]


def test_components_may_stand_in_the_config() -> None:
    """A dict may hold components; one that nobody registered cannot be written down, and that is told in time."""
    registry = Registry()
    adam = registry.create("update_rule", {"type": "adam", "learning_rate": 0.02})
    result = nnplug.train({**config(train={"epochs": 1}), "update": adam}, out="run")
    assert tomllib.loads(Path("run/config.toml").read_text(encoding="utf-8"))["update"]["learning_rate"] == 0.02
    assert len(result.history.losses) == 21

    @frozen
    class Secret(DataLoader):
        """Nobody knows it."""

        def load(self) -> Dataset:
            x: Array = np.zeros((200, 2))
            return Dataset((x, np.arange(200) % 10))

    with pytest.raises(RegistryError, match=r"^Secret has no registry name, so it cannot be written down;"):
        nnplug.train({**CONFIG, "data": Secret()}, out="other")


@define
class Counting(Callback):
    """Counts epochs."""

    epochs: int = 0

    def epoch(self, run: Run) -> None:
        """One more."""
        self.epochs += 1


def test_a_callback_in_a_config_stays_the_object_it_is() -> None:
    """Somebody holds on to it."""
    counting, registry = Counting(), Registry()
    registry.register(Counting)
    wanted = config(train={"callbacks": [counting]})
    nnplug.train(wanted, out="counted", registry=registry)
    assert counting.epochs == 2
    assert wanted == config(train={"callbacks": [counting]})


@define
class Stateful(Callback):
    """Keeps what no file can hold, after a while."""

    failing: bool = False
    steps: int = 0

    def step(self, run: Run) -> None:
        """One more."""
        self.steps += 1

    def state(self) -> dict[str, Any]:
        """It works at first."""
        if self.failing and self.steps:
            raise ZeroDivisionError("no state")
        return {"at": np.int64(3) if self.steps else 3}


@pytest.mark.parametrize("failing", [True, False])
def test_a_checkpoint_that_cannot_be_made_ends_no_training(failing: bool) -> None:
    """A warning names the callback; hours of training go on."""
    told = "no checkpoint can be written to .*: the callback .*Stateful.*; training goes on"
    with pytest.warns(UserWarning, match=told):
        result = nnplug.train(config(train={"checkpoint_steps": 10}), out="run", callbacks=[Stateful(failing)])
    assert result.history.stopped == "finished"
