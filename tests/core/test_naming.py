"""Names: of classes, of layers in a row, and the nearest to a wrong one."""

from __future__ import annotations

import pytest

from nnplug.naming import called, join, number, printable, quote, snake_case, suggest


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Relu", "relu"),
        ("LeakyRelu", "leaky_relu"),
        ("BatchNorm1d", "batch_norm1d"),
        ("Conv2D", "conv2d"),
        ("LSTMCell", "lstm_cell"),
        ("MyHTTPLayer", "my_http_layer"),
        ("Layer2Norm", "layer2_norm"),
        ("GRU", "gru"),
        ("already_snake", "already_snake"),
    ],
)
def test_snake_case(name, expected):
    """Words are parted where a reader would part them."""
    assert snake_case(name) == expected


def test_layers_are_numbered_by_type():
    """Each type counts for itself, from 1."""
    assert number([(None, "affine"), (None, "relu"), (None, "affine")]) == ["affine1", "relu1", "affine2"]


def test_a_layer_with_a_name_is_counted_too():
    """Giving one layer a name does not rename those after it."""
    assert number([("hidden", "affine"), (None, "affine")]) == ["hidden", "affine2"]


@pytest.mark.parametrize(
    "layers",
    [
        [("a", "affine"), ("a", "relu")],
        [("affine2", "affine"), (None, "affine")],
        [(None, "affine"), ("affine1", "relu")],
    ],
    ids=["given twice", "counted after given", "given after counted"],
)
def test_two_layers_of_one_name_are_refused(layers):
    """Otherwise they would share parameters, in silence."""
    with pytest.raises(ValueError, match=r"two layers are called '(a|affine1|affine2)'; names must differ"):
        number(layers)


def test_no_layers_no_names():
    """An empty chain is fine."""
    assert number([]) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("untis", "; did you mean 'units'?"),
        ("Units", "; did you mean 'units'?"),
        ("weight_int", "; did you mean 'weight_init'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_suggestions(name, hint):
    """The nearest known name is suggested, and nothing where none is near."""
    assert suggest(name, ["units", "weight_init", "name"]) == hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("Zürich 1.0", "Zürich 1.0"), ("a\x1b[2Jb\n", r"a\x1b[2Jb\n"), ("\u202egnp", r"\u202egnp")],
)
def test_printable(text, expected):
    """What could move the cursor or turn the text around is escaped; letters of any language stay."""
    assert printable(text) == expected


def test_paths_are_joined_and_printable():
    """Keys come from files that others wrote."""
    assert join("", "model") == "model"
    assert join("model", "l2") == "model.l2"
    assert join("model", "\x1b[2J") == r"model.'\x1b[2J'"
    assert join("", "two words") == "'two words'"
    assert join("model", "k" * 10**6) == "model." + "k" * 77 + "..."


def test_what_strangers_wrote_is_quoted_in_short():
    """Escaped, and cut: nobody reads a million characters."""
    assert quote("a\x9b31m\u202eb") == r"'a\x9b31m\u202eb'"
    assert quote("x" * 10**6) == "'" + "x" * 76 + "..."


@pytest.mark.parametrize("name", ["affine", "nnplug-conv:conv2d", "Affine", "a.b_c"])
def test_a_name_is_repeated(name):
    """So that one sees the misspelling."""
    assert called(name) == repr(name)


@pytest.mark.parametrize("name", ["", "x; pip install evil", "run `sh`", "\x1b[2J", "a b", "x" * 81, "a\nb", "'"])
def test_what_is_no_name_is_not_repeated(name):
    """From a stranger's file it might be a command that somebody pastes."""
    assert called(name) == "that, and none can be"


def test_nobody_misspelt_a_million_letters():
    """Comparing takes time, so there is a limit."""
    assert suggest("affine" + "e" * 75, ["affine" + "e" * 74]) == ""
    assert suggest("affinee", ["affine"]) == "; did you mean 'affine'?"


def test_many_layers_are_numbered_in_no_time():
    """A hundred thousand take a fraction of a second; in the square of that they would take minutes."""
    assert number([(None, "relu")] * 100_000)[-1] == "relu100000"


def test_names_of_other_libraries_are_known() -> None:
    """Where there is what they mean; a cross-entropy of classes is not that of two."""
    assert suggest("Dense", ["affine", "relu"]) == "; did you mean 'affine'?"
    assert suggest("categorical_crossentropy", ["binary_cross_entropy", "softmax"]) == "; did you mean 'softmax'?"
    assert suggest("lr", ["units"]) == ""
