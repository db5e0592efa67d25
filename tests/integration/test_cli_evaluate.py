"""``nnplug evaluate``: splits, options of the loader, models that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nnplug


def test_json_agrees_with_the_library(process, trained):
    """The test split is evaluated, and stdout is one JSON object."""
    done = process("evaluate", trained, "--data", "digits", "--json")
    assert (done.code, done.err) == (0, "")
    expected = nnplug.load(trained).evaluate(*nnplug.load_data("digits").test)
    assert json.loads(done.out) == {
        "model": str(trained),
        "data": "digits",
        "split": "test",
        "rows": 359,
        "results": expected,
    }
    assert expected["accuracy"] > 0.8


def test_human_result(cli, trained):
    """What was evaluated on, and a small table."""
    done = cli("evaluate", trained, "--data", "digits", "--split", "train")
    expected = nnplug.load(trained).evaluate(*nnplug.load_data("digits").train)
    lines = done.out.splitlines()
    assert lines[0] == "digits, train split, 1,438 rows"
    assert lines[1].split() == ["loss", "accuracy"]
    assert lines[2].split() == [f"{expected['loss']:#.4g}", f"{expected['accuracy']:#.4g}"]
    assert len(lines) == 3


def test_options_of_the_loader(cli, trained):
    """--set reaches the loader; without a test split the validation split is taken."""
    data = nnplug.load_data("digits")
    x, y = data.test
    np.savez("mine.npz", x_train=x, y_train=y, x_validation=x[:7], y_validation=y[:7])
    done = cli("evaluate", trained, "--data", "arrays", "--set", "path=mine.npz", "--json")
    result = json.loads(done.out)
    assert (result["split"], result["rows"]) == ("validation", 7)
    assert result["results"] == pytest.approx(nnplug.load(trained).evaluate(x[:7], y[:7]))


def test_classes_are_told_apart_by_name(cli):
    """A file that lacks a class numbers the others anew; the model's numbers count. Unknown classes are refused."""
    Path("all.csv").write_text("x,k\n0,a\n1,b\n2,c\n", encoding="utf-8")
    Path("two.csv").write_text("x,k\n1,b\n2,c\n", encoding="utf-8")
    Path("new.csv").write_text("x,k\n1,b\n2,zz\n", encoding="utf-8")
    config = {
        "data": {"type": "csv", "path": "all.csv", "task": "classification"},
        "model": {"layers": [{"type": "affine", "units": 3}]},
        "update": {"type": "adam", "learning_rate": 0.1},
        "train": {"epochs": 500, "batch_size": 3},
    }
    run = nnplug.train(config, out="run")
    assert run.results["train"]["accuracy"] == 1.0
    args = ["--data", "csv", "--set", "task=classification", "--json", "--set"]
    done = cli("evaluate", run.model_path, *args, "path=two.csv")
    assert json.loads(done.out)["results"]["accuracy"] == 1.0
    done = cli("evaluate", run.model_path, *args, "path=new.csv")
    assert (done.code, done.out) == (1, "")
    assert "the data has a class 'zz', which the model does not know; it knows 'a', 'b', 'c'" in done.err


def test_a_loss_that_is_not_finite_is_warned_of(cli, trained):
    """A mapped file is not looked through before; its NaN would count as a class."""
    x, y = nnplug.load_data("digits").test
    x = x.astype(np.float64)
    x[3, 5] = np.nan
    np.save("x.npy", x)
    np.save("y.npy", y)
    done = cli("evaluate", trained, "--data", "arrays", "--set", "path=x.npy", "--set", "targets=y.npy")
    assert done.code == 0
    assert "nnplug: warning: the loss is nan: the data or the model holds NaN or infinity" in done.err


def test_another_scale_is_refused(cli, trained):
    """What the loader would scale otherwise than the model was trained on gives no numbers."""
    x, y = nnplug.load_data("digits").test
    np.savez("mine.npz", x=x, y=y)
    done = cli("evaluate", trained, "--data", "arrays", "--set", "path=mine.npz", "--set", "scale=[0,100]")
    assert (done.code, done.out) == (1, "")
    assert "the data is scaled with (offset, factor) (0.0, 100.0), the model was made for (0.0, 0.0625)" in done.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--data", "digts"], 2, "no data loader is called 'digts'; did you mean 'digits'? There are: "),
        (["--data", "digits", "--set", "flaten=false"], 2, "flaten: digits has no option 'flaten'"),
        (["--data", "digits", "--set", "flatten"], 2, "--set flatten: expected key=value"),
        (["--data", "digits", "--split", "validation"], 2, "Invalid value for --split: the data has no validation "),
        (["--data", "digits", "--set", "flatten=false"], 1, "the test split has samples of shape (1, 8, 8)"),
        (["--data", "arrays", "--set", "path=no.npz"], 1, "no.npz: no such file"),
    ],
)
def test_data_that_does_not_fit(cli, trained, args, code, message):
    """Wrong names and options are usage; data that is missing or does not fit is a failure."""
    done = cli("evaluate", trained, *args)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"nnplug: error: {message}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.safetensors", None, "cannot be read: No such file or directory"),
        ("text.safetensors", b"hello", "is no model file: "),
        ("garbage.safetensors", b"\xff" * 999, "is no model file: "),
        ("empty.safetensors", b"", "is no model file: "),
        ("foreign.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "is a safetensors file"),
    ],
)
def test_model_that_is_none(cli, name, content, message):
    """A file that is no model is one error, whatever it holds."""
    if content is not None:
        Path(name).write_bytes(content)
    done = cli("evaluate", name, "--data", "digits")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"nnplug: error: {name} {message}")
    assert done.err.count("\n") == 1


def test_folder_instead_of_a_model(cli, trained):
    """One that holds none is not a run's."""
    done = cli("evaluate", trained.parent.parent, "--data", "digits")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"nnplug: error: {trained.parent.parent} ")
    assert done.err.count("\n") == 1


def test_columns_in_another_order_are_refused(cli):
    """Numbers that mean something else are no result."""
    Path("a.csv").write_text("a,b,kind\n1,5,x\n2,9,y\n", encoding="utf-8")
    Path("b.csv").write_text("b,a,kind\n5,1,x\n9,2,y\n", encoding="utf-8")
    data = nnplug.load_data({"type": "csv", "path": "a.csv", "task": "classification"})
    model = nnplug.build([{"type": "affine", "units": 2}], input_shape=2)
    nnplug.Solver(model, data, epochs=1).fit()
    model.save("m.safetensors")
    options = ("--data", "csv", "--set", "task=classification", "--set")
    assert cli("evaluate", "m.safetensors", *options, "path=a.csv").code == 0
    done = cli("evaluate", "m.safetensors", *options, "path=b.csv")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("nnplug: error: the data has the model's features in another order")


def test_a_run_is_evaluated_on_its_own_data(cli, config):
    """Its folder is enough: the rows that were held out, and the results that it wrote down."""
    changes = ("--set", "train.validation=0.2", "--set", 'train.metrics=["top_k"]')
    assert cli("train", config, "--out", "run", "--quiet", *changes).code == 0
    written = json.loads(Path("run/result.json").read_text(encoding="utf-8"))
    for split in ("train", "validation", "test"):
        found = json.loads(cli("evaluate", "run", "--split", split, "--json").out)
        assert (found["data"], found["split"]) == ("digits", split)
        assert found["results"] == written[split]
        assert "top_k" in found["results"]
    assert cli("evaluate", "run").out.startswith("digits, test split, 359 rows\n")
    x = nnplug.load_data("digits").test[0]
    np.save("x.npy", x)
    assert cli("predict", "run", "x.npy").out == cli("predict", "run/model.safetensors", "x.npy").out
    done = cli("evaluate", "run", "--set", "nothing=1")
    assert (done.code, done.out) == (2, "")
    assert "data.nothing: digits has no option 'nothing'" in done.err
    done = cli("evaluate", "run/model.safetensors")
    told = "name the data to evaluate on, --data NAME; a run's folder in MODEL's place has its own"
    assert (done.code, told in done.err) == (2, True)
    Path("run/config.toml").unlink()
    done = cli("evaluate", "run")
    assert (done.code, "run holds no run: there is no config.toml in it" in done.err) == (1, True)


def test_other_rows_than_the_runs_are_refused(cli):
    """In another order, or divided otherwise, rows that were learned from would be the test."""
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{'xy'[k]}" for a, b, k in zip(*rng.normal(size=(2, 60)), rng.integers(0, 2, 60))]  # noqa: B905
    Path("t.csv").write_text("\n".join(["a,b,kind", *lines]), encoding="utf-8")
    layers = [{"type": "affine", "units": 16}, "relu", {"type": "affine", "units": 2}]
    data = {"type": "csv", "path": "t.csv", "task": "classification", "test": 0.2}
    nnplug.train({"data": data, "model": {"layers": layers}, "train": {"epochs": 30, "batch_size": 8}}, out="run")
    assert cli("evaluate", "run").code == 0
    Path("t.csv").rename("moved.csv")
    assert cli("evaluate", "run", "--set", "path=moved.csv").code == 0
    Path("t.csv").write_text("\n".join(["a,b,kind", *sorted(lines)]), encoding="utf-8")
    for change in ("path=t.csv", "seed=1"):
        done = cli(
            "evaluate", "run", "--set", change, "--set", "path=" + ("t.csv" if "t.csv" in change else "moved.csv")
        )
        assert (done.code, done.out) == (1, "")
        assert "the test split is not what it was in the run: its loss is" in done.err
        assert "evaluate on other data with --data NAME" in done.err
    Path("t.csv").write_text("\n".join(["a,b,kind", *lines[:5]]), encoding="utf-8")
    done = cli("evaluate", "run", "--set", "path=t.csv")
    assert (done.code, "with --data NAME" in done.err) == (1, True)
