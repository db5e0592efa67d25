"""``nnplug train``: results, progress, refusals, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nnplug

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs Unix signals or terminals")
SLOW_LOADER = """
import sys, time
from attrs import frozen
from nnplug import DataLoader, hookimpl

@frozen
class Slow(DataLoader):
    def load(self):
        print("loading", file=sys.stderr, flush=True)
        time.sleep(60)

@hookimpl
def nnplug_data_loaders():
    return {"slow": Slow}
"""

LEAP = """
from attrs import frozen
from nnplug import Schedule, hookimpl

@frozen
class Leap(Schedule):
    def factor(self, step, total, history):
        return 1.0 if step < 25 else 1e35

@hookimpl
def nnplug_schedules():
    return {"leap": Leap}
"""


def test_json_is_the_only_output_and_agrees_with_the_files(process, config):
    """One JSON object on stdout, as the contract says; progress on stderr, without a bar."""
    done = process("train", config, "--out", "run", "--json")
    assert done.code == 0
    result = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert (result["steps"], result["epochs"], result["stopped"]) == (42, 2, "finished")
    assert result["monitor"] == "validation_accuracy"
    assert result["best_epoch"] in (1, 2)
    assert 0 < result["train_seconds"] < 60
    for split in ("train", "validation", "test"):
        assert result[split].keys() == {"loss", "accuracy"}
    assert result["model"] == str(Path("run", "model.safetensors"))
    assert result["run"] == "run"
    assert json.loads(Path("run/result.json").read_text(encoding="utf-8")) == result
    model, data = nnplug.load(result["model"]), nnplug.load_data("digits")
    assert model.evaluate(*data.test) == pytest.approx(result["test"])
    assert " seconds\n" in done.err
    assert "\r" not in done.err
    assert "\x1b" not in done.err


def test_human_result(cli, config):
    """A table of the splits, how long it took and where the model is; nothing else on stdout."""
    done = cli("train", config, "--out", "run")
    lines = done.out.splitlines()
    assert lines[0].split() == ["loss", "accuracy"]
    assert [line.split()[0] for line in lines[1:4]] == ["train", "validation", "test"]
    assert lines[4].startswith("2 epochs, 42 steps in ")
    assert lines[4].endswith("by validation_accuracy")
    assert lines[5:] == [f"model: {Path('run', 'model.safetensors')}"]
    result = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    assert lines[3].split()[1:] == [f"{result['test'][name]:#.4g}" for name in ("loss", "accuracy")]


def test_records_cannot_drive_the_terminal(cli, process, config):
    """What somebody wrote into the history of a run that has ended is printed without control characters."""
    cli("train", config, "--out", "run")
    path = Path("run/history.json")
    history = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**history, "monitor": "\x1b[2J", "stopped": "\x1b]0;x\x07"}), encoding="utf-8")
    done = process("train", config, "--out", "run", "--resume")
    assert done.code == 0
    assert "by \\x1b[2J; \\x1b]0;x\\x07\n" in done.out
    assert "\x1b" not in done.out + done.err


def test_runs_are_numbered(cli, config):
    """Without --out each run has a folder of its own."""
    for number in (1, 2):
        assert cli("train", config, "--quiet", "--set", "train.epochs=1").code == 0
        assert Path(f"runs/small-{number}/model.safetensors").is_file()


def test_quiet_leaves_stderr_empty(cli, config):
    """--quiet means no progress; the result is still told."""
    done = cli("train", config, "--quiet")
    assert done.err == ""
    assert done.out


def test_progress_in_the_config_is_shown_once(cli, config):
    """A config that asks for progress itself does not get it twice."""
    done = cli("train", config, "--set", 'train.callbacks=["progress"]')
    assert done.err.count(" seconds\n") == 1


def test_changes_reach_the_run(cli, config):
    """--set changes tables, items of lists and names; the run records the config as it was used."""
    done = cli(
        "train", config, "--quiet", "--out", "run",
        "--set", "train.epochs=1", "--set", "model.layers[0].units=3", "--set", "update=sgd",
    )  # fmt: skip
    assert done.code == 0
    used = tomllib.loads(Path("run/config.toml").read_text(encoding="utf-8"))
    assert used["train"]["epochs"] == 1
    assert used["model"]["layers"][0]["units"] == 3
    assert used["update"]["type"] == "sgd"
    again = cli("train", "run/config.toml", "--quiet", "--out", "again", "--json")
    assert json.loads(again.out)["test"] == json.loads(Path("run/result.json").read_text(encoding="utf-8"))["test"]


def test_without_config_the_help_names_the_presets(cli):
    """Who does not know what to train is shown what there is."""
    done = cli("train")
    assert (done.code, done.out) == (2, "")
    assert "Presets:\n  " in done.err
    assert "scratch-two-layer" in done.err
    assert "nnplug: error: name a config file or a preset, such as: nnplug train digits\n" in done.err


def test_every_problem_of_a_config_is_told_at_once(cli, config):
    """A config error names file and path, one line a problem, and exits with 2."""
    done = cli("train", config, "--set", "model.layers[0].untis=3", "--set", "train.epochs=0", "--set", "sed=1")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"nnplug: error: {config}: sed: the config has no option 'sed'; did you mean 'seed'?\n"
        f"nnplug: error: {config}: model.layers[0].untis: affine has no option 'untis'; did you mean 'units'?\n"
        f"nnplug: error: {config}: train.epochs: must be >= 1: 0\n"
    )
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs", "--set epochs: expected key=value, such as train.epochs=5"),
        ("model.layers[7]=relu", "--set model.layers[7]=relu: '7' is no position in a list of 3, counted from 0"),
        ("model.layers[0].units.x=1", "--set model.layers[0].units.x=1: units is 16, which has no 'x'"),
    ],
)
def test_wrong_assignments(cli, config, change, message):
    """An assignment that leads nowhere is told as it was typed."""
    done = cli("train", config, "--set", change)
    assert (done.code, done.out, done.err) == (2, "", f"nnplug: error: {message}\n")


def test_shapes_that_do_not_fit_exit_with_2(process, site, layer_code, config):
    """A layer that refuses its input while planning is a mistake in the config, told with its place."""
    code = layer_code("picky").replace("return Plan(out=x)", 'raise ShapeError("wants more")')
    site.add("picky", picky=code.replace("import Layer", "import Layer, ShapeError"))
    done = process("train", config, "--set", "model.layers[1]=picky", path=site.path)
    assert (done.code, done.out, done.err) == (2, "", "nnplug: error: model.layers[1]: wants more\n")


def test_divergence_exits_with_3(cli, config):
    """A loss that is not finite is told with the usual causes, without a traceback or NumPy's warnings."""
    done = cli("train", config, "--set", "update.learning_rate=1e30", "--quiet", "--out", "run")
    assert (done.code, done.out) == (3, "")
    told, kept, advice = done.err.splitlines()
    assert told.startswith("nnplug: error: training diverged: the loss of step 2 is nan; the output of ")
    kept_in = Path("run", "diverged.safetensors")
    assert kept == f"nnplug: error: parameters, gradients and batch of that moment are kept in {kept_in}"
    done = cli("evaluate", kept_in, "--data", "digits")
    assert done.code == 1
    assert (
        done.err == f"nnplug: error: {kept_in} is no model, but what was kept of a training that diverged, to look at\n"
    )
    assert advice.startswith("nnplug: error: resumed, it would end in the same way; begin a new run")


def test_late_divergence_keeps_the_best_model(process, config, site):
    """What was learned before training diverged is saved, and the user is told where."""
    site.add("leap", group="schedules", leap=LEAP)
    done = process("train", config, "--quiet", "--out", "run", "--set", "update.schedule=leap", path=site.path)
    path = Path("run", "model.safetensors")
    assert (done.code, done.out) == (3, "")
    assert done.err.splitlines()[2:] == [
        f"nnplug: error: the best model before that is kept in {path}",
        "nnplug: error: resumed, it would end in the same way; begin a new run, perhaps with a lower learning rate",
    ]
    assert nnplug.load(path).evaluate(*nnplug.load_data("digits").test)["loss"] < 2.3


def _refusals(folder: Path) -> dict[str, str]:
    (folder / "folder").mkdir()
    (folder / "broken.toml").write_text("[data\n", encoding="utf-8")
    (folder / "garbage.toml").write_bytes(b"\xff\x00\x80" * 99)
    (folder / "image").write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    presets = "cs231n-deep, cs231n-two-layer, digits, "
    return {
        "missing.toml": "missing.toml: cannot be read: No such file or directory\n",
        "folder": f"folder is a folder, not a config file, and no preset is called 'folder'. There are: {presets}",
        "digts": f"digts is no file, and no preset is called 'digts'; did you mean 'digits'? There are: {presets}",
        "broken.toml": "broken.toml: is not valid TOML: Expected ']' at the end of a table declaration (at line 1, ",
        "garbage.toml": "garbage.toml: is not valid TOML, which is written in UTF-8; byte 1 is not\n",
        "image": "image: is not valid TOML, which is written in UTF-8; byte 1 is not\n",
    }


@pytest.mark.parametrize("given", ["missing.toml", "folder", "digts", "broken.toml", "garbage.toml", "image"])
def test_what_is_no_config(cli, tmp_path, given):
    """Whatever is given instead of a config is refused in one sentence."""
    message = _refusals(tmp_path)[given]
    done = cli("train", given)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"nnplug: error: {message}")
    assert done.err.count("\n") == 1


def test_output_folder_that_is_taken(cli, config):
    """A run never writes over another one."""
    Path("taken").mkdir()
    Path("taken/notes.txt").write_text("mine", encoding="utf-8")
    done = cli("train", config, "--out", "taken")
    message = "nnplug: error: taken exists and is not empty; name a new folder for the run\n"
    assert (done.code, done.out, done.err) == (1, "", message)
    assert [path.name for path in Path("taken").iterdir()] == ["notes.txt"]


def test_output_folder_that_cannot_be_made(cli, config):
    """A folder below a file is one error, found before training."""
    Path("file").write_text("", encoding="utf-8")
    done = cli("train", config, "--out", Path("file", "run"))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"nnplug: error: {Path('file', 'run')}: ")
    assert done.err.count("\n") == 1


def test_folder_without_permission(cli, config):
    """A folder that may not be written to is one error."""
    Path("locked").mkdir(mode=0o500)
    if os.access("locked", os.W_OK):
        pytest.skip("this user may write anywhere")
    done = cli("train", config, "--out", "locked/run")
    message = "nnplug: error: locked/run: Permission denied; name another folder for the run\n"
    assert (done.code, done.out, done.err) == (1, "", message)


def test_missing_data_exits_with_1(cli, config):
    """Data that is not there is no mistake in the config."""
    done = cli(
        "train", config, "--set", "data.type=csv", "--set", "data.path=no.csv", "--set", "data.task=classification"
    )
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("nnplug: error: no.csv: no such file")


@pytest.fixture
def hangup():
    """SIGHUP is not ignored, as `nohup` has it ignored: processes inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@UNIX
@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_interrupt_keeps_the_model(config, name, code):
    """A signal in the middle of a long run ends it with a model that can be used."""
    command = [sys.executable, "-m", "nnplug", "train", str(config), "--out", "run", "--json"]
    with subprocess.Popen(
        [*command, "--set", "train.epochs=1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        for line in running.stderr:
            if line.lstrip().startswith("3/"):
                break
        running.send_signal(getattr(signal, name))
        out, err = running.communicate(timeout=30)
    assert running.returncode == code
    result = json.loads(out)
    assert result["stopped"] == f"interrupted by {name}"
    assert result["epochs"] >= 3
    assert f"interrupted by {name}" in err
    model, data = nnplug.load(result["model"]), nnplug.load_data("digits")
    assert model.evaluate(*data.test) == pytest.approx(result["test"])


@UNIX
def test_interrupt_before_training(config, site):
    """Ctrl-C while data is loaded leaves nothing behind and shows no traceback."""
    site.add("slow-data", group="data_loaders", slow=SLOW_LOADER)
    command = [sys.executable, "-m", "nnplug", "train", str(config), "--out", "run", "--set", "data.type=slow"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site.path)},
    ) as running:
        assert running.stderr.readline() == "loading\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err.strip()) == (130, "", "nnplug: interrupted")
    assert not Path("run").exists()


@UNIX
@pytest.mark.parametrize("terminal", [False, True])
def test_losing_stderr_ends_no_training(config, terminal):
    """Whoever watched has left, or closed the window: what is shown is lost, and nothing else."""
    command = [sys.executable, "-m", "nnplug", "train", str(config), "--out", "run"]
    command += ["--set", "train.epochs=3", "--set", "train.batch_size=4"]
    reading, stderr = os.openpty() if terminal else os.pipe()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as running:
        os.close(stderr)
        os.read(reading, 1)
        os.close(reading)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "finished" not in out
    assert "3 epochs" in out
    assert json.loads(Path("run/result.json").read_text(encoding="utf-8"))["stopped"] == "finished"


@UNIX
def test_bar_and_colour_only_on_a_terminal(config):
    """A terminal sees a bar and bold headings; with NO_COLOR no headings."""
    for environment, bold in (({}, True), ({"NO_COLOR": "1"}, False)):
        shown = _on_a_terminal(["train", str(config), "--set", "train.batch_size=8"], environment)
        assert "steps/s" in shown
        assert "model: runs" in shown
        assert ("\x1b[1m" in shown) is bold


def _on_a_terminal(args: list[str], environment: dict[str, str]) -> str:
    import pty
    import termios

    inside, outside = pty.openpty()
    termios.tcsetwinsize(outside, (40, 100))
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm", **environment}
    with subprocess.Popen(
        [sys.executable, "-m", "nnplug", *args], stdin=outside, stdout=outside, stderr=outside, env=env
    ):
        os.close(outside)
        shown = b""
        while True:
            try:
                chunk = os.read(inside, 4096)
            except OSError:  # Linux says so where others return nothing
                break
            if not chunk:
                break
            shown += chunk
    os.close(inside)
    return shown.decode()
