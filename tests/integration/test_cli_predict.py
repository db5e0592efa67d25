"""``nnplug predict``: inputs of every shape, names of classes, files that are none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnplug

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture
def digits():
    """Some digits as the loader delivers them."""
    return nnplug.load_data("digits").test[0][:5]


@pytest.fixture
def named(trained, tmp_path):
    """The trained model with other names for its classes."""
    model = nnplug.load(trained)
    model.class_names = NAMES
    model.save(tmp_path / "named.safetensors")
    return tmp_path / "named.safetensors"


def test_one_line_for_each_sample(process, named, digits):
    """A batch is answered by the names of the classes, one a line, and nothing else."""
    np.save("x.npy", digits)
    done = process("predict", named, "x.npy")
    expected = [NAMES[i] for i in nnplug.load(named).predict(digits)]
    assert (done.code, done.out.splitlines(), done.err) == (0, expected, "")


def test_one_sample_is_a_batch_of_one(cli, named, digits):
    """An array of the shape of one sample needs no batch axis."""
    np.save("one.npy", digits[2])
    assert cli("predict", named, "one.npy").out == NAMES[nnplug.load(named).predict(digits[2:3])[0]] + "\n"


def test_archives(cli, named, digits):
    """Of a .npz file x is taken, and nothing else: the only array there is may be anything."""
    np.savez("two.npz", x=digits, y=np.zeros(3))
    np.savez("only.npz", x_test=digits)
    np.save("x.npy", digits)
    expected = cli("predict", named, "x.npy").out
    assert cli("predict", named, "two.npz").out == expected
    done = cli("predict", named, "only.npz")
    told = "nnplug: error: only.npz: has no array x; it holds ['x_test']; call the one to predict 'x'\n"
    assert (done.code, done.out, done.err) == (1, "", told)


def test_several_inputs_are_told_apart(cli, named, digits):
    """With several files each line begins with the name of its file."""
    np.save("a.npy", digits[:2])
    np.save("b.npy", digits[2])
    labels = [NAMES[i] for i in nnplug.load(named).predict(digits[:3])]
    done = cli("predict", named, "a.npy", "b.npy")
    assert done.out == f"a.npy: {labels[0]}\na.npy: {labels[1]}\nb.npy: {labels[2]}\n"


def test_probabilities(cli, named, digits):
    """--probabilities adds a column for each class."""
    np.save("x.npy", digits)
    done = cli("predict", named, "x.npy", "--probabilities")
    p = nnplug.load(named).probabilities(digits)
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [row[0] for row in rows] == [NAMES[i] for i in p.argmax(axis=1)]
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), p, atol=6e-5)


def test_json(process, named, digits):
    """One object with numbers, names and probabilities for each input."""
    np.save("x.npy", digits)
    np.save("one.npy", digits[0])
    done = process("predict", named, "x.npy", "one.npy", "--json", "--probabilities")
    result = json.loads(done.out)
    model = nnplug.load(named)
    assert (result["model"], result["out"]) == (str(named), None)
    assert [entry["input"] for entry in result["inputs"]] == ["x.npy", "one.npy"]
    first = result["inputs"][0]
    assert first["predictions"] == model.predict(digits).tolist()
    assert first["labels"] == [NAMES[i] for i in first["predictions"]]
    np.testing.assert_allclose(first["probabilities"], model.probabilities(digits), rtol=1e-5)


def test_out_writes_one_array_for_all_inputs(cli, named, digits):
    """--out keeps numbers in a .npy file, or probabilities if they are asked for; stdout stays empty."""
    np.save("x.npy", digits)
    np.save("one.npy", digits[0])
    model, both = nnplug.load(named), np.concatenate([digits, digits[:1]])
    assert cli("predict", named, "x.npy", "one.npy", "--out", "y.npy").out == ""
    np.testing.assert_array_equal(np.load("y.npy"), model.predict(both))
    assert cli("predict", named, "x.npy", "one.npy", "--probabilities", "--out", "p.npy").out == ""
    np.testing.assert_allclose(np.load("p.npy"), model.probabilities(both), rtol=1e-5)


def test_more_rows_than_a_batch(cli, named):
    """Every row is predicted, in order, however many there are."""
    x = nnplug.load_data("digits").train[0]
    np.save("x.npy", np.concatenate([x, x]))
    lines = cli("predict", named, "x.npy").out.splitlines()
    assert lines == 2 * [NAMES[i] for i in nnplug.load(named).predict(x)]


def test_model_without_class_names(cli, trained, digits, tmp_path):
    """Where no name is known the index stands for the class."""
    model = nnplug.load(trained)
    model.class_names = None
    model.save("plain.safetensors")
    np.save("x.npy", digits)
    expected = "".join(f"{i}\n" for i in model.predict(digits))
    assert cli("predict", "plain.safetensors", "x.npy").out == expected
    labels = json.loads(cli("predict", "plain.safetensors", "x.npy", "--json").out)["inputs"][0]["labels"]
    assert labels is None


def test_regression(cli):
    """Numbers are printed as numbers, several a row after tabs."""
    model = nnplug.build({"layers": [{"type": "affine", "units": 2}], "loss": "mse"}, input_shape=1)
    model.params["affine1.W"][...] = [[1.5, -1e-7]]
    model.save("m.safetensors")
    np.save("x.npy", np.array([[2.0], [1 / 3]]))
    assert cli("predict", "m.safetensors", "x.npy").out == "3\t-2e-07\n0.5\t-3.3333336e-08\n"
    model.params["affine1.W"][...] = [[12345678, 1.0000001]]
    model.save("m.safetensors")
    np.save("one.npy", [[1.0]])
    assert cli("predict", "m.safetensors", "one.npy").out == "12345678\t1.0000001\n"  # all digits of float32


def test_scores_that_are_not_finite_are_told(cli, named, digits):
    """A prediction for NaN means nothing; that is said, on stderr."""
    x = digits.astype("float32")
    x[1, 3] = np.nan
    np.save("x.npy", x)
    done = cli("predict", named, "x.npy")
    assert done.code == 0
    told = "the scores of 1 of 5 samples are not finite: rows 1, counted from 0; there is no prediction for them"
    assert done.err == f"nnplug: warning: x.npy: {told}\n"
    lines = done.out.splitlines()
    right = nnplug.load(named).predict(digits).tolist()
    assert lines == [NAMES[right[0]], "nan", *(NAMES[i] for i in right[2:])]
    (entry,) = json.loads(cli("predict", named, "x.npy", "--json").out)["inputs"]
    assert entry["predictions"] == [right[0], None, *right[2:]]
    assert entry["labels"][1] is None
    cli("predict", named, "x.npy", "--out", "y.npy")
    assert np.load("y.npy").tolist() == [right[0], -1, *right[2:]]


def test_two_classes_told_apart_by_one_score(cli):
    """Both probabilities are given; of several labels, each one's."""
    for units, expected in ((1, "no\t0.7311\t0.2689\n"), (2, "0\t1\t0.2689\t0.7311\n")):
        config = {"layers": [{"type": "affine", "units": units}], "loss": "binary_cross_entropy"}
        model = nnplug.build(config, input_shape=1, class_names=["no", "yes"] if units == 1 else None)
        model.params["affine1.W"][...] = [[-1.0, 1.0][:units]]
        model.save("m.safetensors")
        np.save("x.npy", [[1.0]])
        assert cli("predict", "m.safetensors", "x.npy", "--probabilities").out == expected


def test_names_of_classes_cannot_drive_the_terminal(cli, trained, digits):
    """What a model file calls its classes is printed without control characters."""
    model = nnplug.load(trained)
    model.class_names = tuple(f"\x1b[2J{name}\n" for name in NAMES)
    model.save("evil.safetensors")
    np.save("one.npy", digits[0])
    out = cli("predict", "evil.safetensors", "one.npy").out
    name = NAMES[model.predict(digits[:1])[0]]
    assert out == f"\\x1b[2J{name}\\n\n"
    result = json.loads(cli("predict", "evil.safetensors", "one.npy", "--json").out)
    assert result["inputs"][0]["labels"] == [f"\x1b[2J{name}\n"]  # JSON has escapes of its own


def test_every_wrong_input_is_one_error(cli, named, digits):
    """All files are looked at before anything is predicted, and each that is wrong gets a sentence."""
    np.save("good.npy", digits)
    np.save("shape.npy", digits[:, :10])
    np.save("empty.npy", digits[:0])
    np.save("text.npy", np.array(["a"]))
    np.save("object.npy", np.array([{}], object), allow_pickle=True)
    np.savez("two.npz", a=digits, b=digits)
    np.savez("object.npz", x=np.array([{}], object))
    Path("cut.npy").write_bytes(Path("good.npy").read_bytes()[:-9])
    Path("header.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': ((((((")
    Path("broken.npz").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    Path("notes.md").write_text("hello", encoding="utf-8")
    Path("nothing.npy").write_bytes(b"")
    expected = {
        "shape.npy": "has shape (5, 10); the model takes (64,), or (N, 64) for N samples",
        "empty.npy": "expected at least one row, and something in it, got shape (0, 64)",
        "text.npy": "expected numbers, got <U1",
        "object.npy": "holds Python objects, expected numbers",
        "two.npz": "has no array x; it holds ['a', 'b']; call the one to predict 'x'",
        "object.npz": "x: holds Python objects, expected numbers",
        "cut.npy": "the header says 320 bytes, shape (5, 64), but only 311 follow",
        "header.npy": "cannot be read: ",
        "broken.npz": "is no .npz file: ",
        "notes.md": "is neither a .npy nor a .npz file, nor called a table (.csv, .tsv, .txt)",
        "nothing.npy": "is neither a .npy nor a .npz file",
        "missing.npy": "no such file; ",
    }
    done = cli("predict", named, "good.npy", *expected)
    assert (done.code, done.out) == (1, "")
    for line, (name, message) in zip(done.err.splitlines(), expected.items(), strict=True):
        assert line.startswith(f"nnplug: error: {name}: {message}")


def test_folder_instead_of_an_input(cli, named):
    """A folder is one error."""
    done = cli("predict", named, ".")
    assert (done.code, done.out) == (1, "")
    assert done.err == "nnplug: error: .: is a folder, not a file\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_instead_of_an_input(process, named):
    """Nobody waits for what may never be written to it."""
    os.mkfifo("x.npy")
    done = process("predict", named, "x.npy")
    assert (done.code, done.out) == (1, "")
    assert done.err == "nnplug: error: x.npy: is a pipe or a device, not a file\n"


def test_loss_without_probabilities(cli, digits):
    """A loss that models no probabilities says so."""
    model = nnplug.build({"layers": [{"type": "affine", "units": 10}], "loss": "svm"}, input_shape=64)
    model.save("svm.safetensors")
    np.save("x.npy", digits)
    done = cli("predict", "svm.safetensors", "x.npy", "--probabilities")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("nnplug: error: Svm scores are no probabilities")


def test_layer_that_is_not_installed(process, site, layer_code, digits):
    """A model whose plugin is missing names the layer that is."""
    site.add("extra", extra=layer_code("extra"))
    code = "import nnplug; nnplug.build(['extra', 'relu'], input_shape=64).save('m.safetensors')"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(site.path)})
    np.save("x.npy", digits)
    assert process("predict", "m.safetensors", "x.npy", path=site.path).code == 0
    done = process("predict", "m.safetensors", "x.npy")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "nnplug: error: m.safetensors cannot be built again: model.layers[0]: no layer is called 'extra'"
    )


def test_out_never_replaces_what_it_is_made_from(cli, trained, tmp_path):
    """Neither the model nor an input is overwritten by the predictions."""
    inputs = tmp_path / "x.npy"
    np.save(inputs, np.zeros((1, 64)))
    done = cli("predict", trained, inputs, "--out", "table.csv")
    assert (done.code, "--out table.csv becomes a .npy file; give it such a name" in done.err) == (2, True)
    for kept in (trained, inputs):
        before = kept.read_bytes()
        done = cli("predict", trained, inputs, "--out", kept)
        assert done.code == 2
        assert f"--out {kept} is the model or an input" in done.err
        assert kept.read_bytes() == before


TABLE = 'width,note,length\n0.5,first,1\n2,"a,b",-3\n'


@pytest.fixture
def by_columns():
    """The file of a model whose scores are ``length + 10 * width``."""
    layers = {"layers": [{"type": "affine", "units": 1}], "loss": "mse"}
    model = nnplug.build(layers, input_shape=2, feature_names=["length", "width"])
    model.params["affine1.W"][...] = [[1], [10]]
    model.save("columns.safetensors")
    return "columns.safetensors"


def test_columns_of_a_table_go_by_their_names(cli, by_columns):
    """In any order, with others between them; with another delimiter, and after a byte order mark."""
    Path("new.csv").write_text(TABLE, encoding="utf-8-sig")
    assert cli("predict", by_columns, "new.csv").out == "6\n17\n"
    Path("new.TXT").write_text("note;width;length\n;0.5;1\n", encoding="utf-8")
    assert cli("predict", by_columns, "new.TXT", "--delimiter", ";").out == "6\n"
    Path("new.tsv").write_text("width\tlength\n0.5\t1\n", encoding="utf-8")
    assert cli("predict", by_columns, "new.tsv", "--delimiter", "\\t").out == "6\n"


def test_a_model_that_knows_no_names_takes_columns_as_they_stand(cli, by_columns):
    """With a header or without."""
    model = nnplug.load(by_columns)
    model.feature_names = None
    model.save("plain.safetensors")
    Path("header.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    Path("rows.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    assert cli("predict", "plain.safetensors", "header.csv").out == "21\n"
    assert cli("predict", "plain.safetensors", "rows.csv").out == "21\n43\n"
    Path("wide.csv").write_text("1,2,3\n", encoding="utf-8")
    done = cli("predict", "plain.safetensors", "wide.csv")
    told = "nnplug: error: wide.csv: has 3 columns; the model takes 2, and knows no names for them\n"
    assert (done.code, done.err) == (1, told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "width;length\n1;2\n",
            "no column is called 'length'; .* It has 1 column, 'width;length'; is ',' its delimiter",
        ),
        ("width,size\n1,2\n", "no column is called 'length'; .* It has 2 columns: \\['width', 'size'\\]"),
        ("length,width,length\n1,2,3\n", "2 columns are called 'length'; the model was made for columns of that name"),
        ("length,width\n1,x\n", "line 2, column 'width': 'x' is no number"),
        ("length,width\n", "has no rows"),
    ],
)
def test_tables_that_do_not_fit(cli, by_columns, text, told):
    """Each in a sentence."""
    Path("t.csv").write_text(text, encoding="utf-8")
    done = cli("predict", by_columns, "t.csv")
    assert (done.code, done.out) == (1, "")
    assert re.match(f"nnplug: error: t.csv: {told}", done.err)


def test_a_model_of_pictures_takes_no_table(cli):
    """Its samples are no rows of numbers."""
    nnplug.build(["flatten", {"type": "affine", "units": 2}], input_shape=(2, 2)).save("m.safetensors")
    Path("t.csv").write_text("1,2,3,4\n", encoding="utf-8")
    done = cli("predict", "m.safetensors", "t.csv")
    told = "is a table, whose rows are of shape (D,); the model takes samples of shape (2, 2)"
    assert (done.code, done.err) == (1, f"nnplug: error: t.csv: {told}\n")


def test_a_delimiter_is_one_character(cli, by_columns):
    """And none that has another meaning."""
    for given in ("", ";;", '"'):
        done = cli("predict", by_columns, "t.csv", "--delimiter", given)
        assert (done.code, "must be one character" in done.err) == (2, True)
