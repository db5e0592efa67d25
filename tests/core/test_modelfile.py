"""Model files: what is written, and that an old one survives whatever happens."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors

import nnplug
from nnplug import Model, ModelFileError
from nnplug.modelfile import open_model, write_model

LAYERS = [{"type": "affine", "units": 5, "name": "hidden"}, "tanh", {"type": "chain", "layers": ["relu"]}, "flatten"]


def build(**options: Any) -> Model:
    """A small model."""
    return nnplug.build({"layers": LAYERS, "l2": 0.25}, **{"input_shape": 3, "seed": 7, **options})


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and all arrays of a model file."""
    with open_model(path) as (header, file):
        return header, {name: file.read(name) for name in file.arrays}


def header_of(path: Path) -> Any:
    """The JSON in a model file, read without any code of ours."""
    with safetensors.safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["nnplug"])


def test_the_header_holds_the_filled_in_config(tmp_path: Path) -> None:
    """Every option is written out, defaults too, so that a later default changes nothing."""
    path = tmp_path / "m.safetensors"
    build(scale=(1.0, 0.5), classes=5, class_names=["ant", "bee", "cat", "dog", "eel"]).save(path)
    header = header_of(path)
    assert header.pop("plugins").keys() == {"nnplug"}
    assert header == {
        "format": 1,
        "model": {
            "layers": [
                {"type": "affine", "name": "hidden", "trainable": True, "units": 5, "weight_init": {"type": "he"}},
                {"type": "tanh", "name": "tanh1", "trainable": True},
                {
                    "type": "chain",
                    "name": "chain1",
                    "trainable": True,
                    "layers": [{"type": "relu", "name": "relu1", "trainable": True}],
                },
                {"type": "flatten", "name": "flatten1", "trainable": True},
            ],
            "loss": {"type": "softmax"},
            "l2": 0.25,
            "input_shape": [3],
        },
        "input_shape": [3],
        "dtype": "float32",
        "seed": 7,
        "scale": [1.0, 0.5],
        "classes": 5,
        "feature_names": None,
        "class_names": ["ant", "bee", "cat", "dog", "eel"],
    }


def test_the_arrays_stand_under_their_paths(tmp_path: Path) -> None:
    """Any reader of safetensors finds the parameters by path, byte for byte."""
    model, path = build(), tmp_path / "m.safetensors"
    model.save(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == {"hidden.W", "hidden.b"}
        for name in file.keys():  # noqa: SIM118  (it is no dict)
            assert file.get_tensor(name).tobytes() == model.params[name].tobytes()


def test_the_same_model_gives_the_same_file(tmp_path: Path) -> None:
    """Nothing in a file depends on when or where it was written."""
    for name in ("a", "b"):
        build().save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_saving_replaces_the_file_and_leaves_no_other(tmp_path: Path) -> None:
    """An old file is replaced, missing folders are made, nothing temporary stays."""
    path = tmp_path / "new" / "folder" / "m.safetensors"
    build(seed=1).save(path)
    build(seed=2).save(str(path))
    assert header_of(path)["seed"] == 2
    assert [p.name for p in path.parent.iterdir()] == ["m.safetensors"]


def test_what_nobody_registered_cannot_be_saved(tmp_path: Path) -> None:
    """A layer without a registry name is refused before a file is touched."""
    from attrs import frozen

    @frozen
    class Odd(nnplug.Registry().get("layer", "relu")):  # type: ignore[misc]
        """A relu by another name."""

    model = nnplug.build([Odd()], input_shape=3)
    with pytest.raises(nnplug.RegistryError, match=r"^Odd has no registry name, so it cannot be written down;"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="folders can be made unwritable for ordinary users only"
)
def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    """The message names the file and the reason, and the old file is as it was."""
    path = tmp_path / "m.safetensors"
    build().save(path)
    old = path.read_bytes()
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(ModelFileError, match=r"m.safetensors cannot be written: Permission denied$"):
            build(seed=2).save(path)
    finally:
        tmp_path.chmod(stat.S_IRWXU)
    assert path.read_bytes() == old


@pytest.mark.parametrize("kind", ["folder in its place", "file in the folder's place"])
def test_a_place_that_is_taken_is_told(tmp_path: Path, kind: str) -> None:
    """A folder where the file should be, or a file where its folder should be, is one sentence."""
    path = tmp_path / "taken" / "m.safetensors"
    if kind == "folder in its place":
        (path / "inner").mkdir(parents=True)
    else:
        (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"m.safetensors cannot be written: \w[\w ]+$"):
        build().save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    assert not list(tmp_path.rglob(".m.safetensors*"))


@pytest.mark.skipif(os.name == "nt", reason="limits are POSIX's")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, run_python: Any) -> None:
    """When the new file cannot grow (RLIMIT_FSIZE), the old one stays and no part of the new one does."""
    printed = run_python(
        """
        import resource
        from pathlib import Path
        import nnplug

        path = Path("models") / "m.safetensors"
        nnplug.build([{"type": "affine", "units": 5}], input_shape=3).save(path)
        old = path.read_bytes()
        large = nnplug.build([{"type": "affine", "units": 500}], input_shape=100)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            large.save(path)
        except nnplug.ModelFileError as error:
            print(error)
        print(path.read_bytes() == old, [p.name for p in path.parent.iterdir()])
        """
    )
    message, rest = printed.splitlines()
    assert message == f"{Path('models') / 'm.safetensors'} cannot be written: File too large"
    assert rest == "True ['m.safetensors']"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"l2": float("inf")}, "l2: must be a finite number, since a model file holds no other: inf"),
        ({"layers": ["x" * 10_001]}, "layers[0]: has 10,001 characters, 10,000 is the most that nnplug reads"),
        ({"option": {1, 2}}, "an option is {1, 2}, which has no place in a file"),
        ({"option": np.ones(2)}, "an option is array([1., 1.]), which has no place in a file"),
        ({"names": ["x" * 9_000] * 300}, "its header takes 2,701,880 bytes, and nnplug reads at most 2,097,152"),
    ],
    ids=range(5),
)
def test_what_nobody_could_read_is_not_written(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    """The limits of the reader are the writer's; the old file stays."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(ModelFileError) as caught:
        write_model(path, {"model": {}, **change}, {})
    assert str(caught.value) == f"{path} cannot be written: {told}"
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_state_that_has_no_place_in_a_file(tmp_path: Path) -> None:
    """A dtype that the format does not know is told with the array's name."""
    with pytest.raises(
        ModelFileError, match=r"m cannot be written: 'a.b' has dtype complex128, which has no place in a"
    ):
        write_model(tmp_path / "m", {"model": {}}, {"a.b": np.ones(1, "complex128")})
    assert list(tmp_path.iterdir()) == []


def test_saving_holds_no_second_copy(tmp_path: Path) -> None:
    """A model of gigabytes is saved by a computer that it barely fits into."""
    model = nnplug.build([{"type": "affine", "units": 1000}], input_shape=1000)
    tracemalloc.start()
    try:
        model.save(tmp_path / "m")
        assert tracemalloc.get_traced_memory()[1] < model.network.buffers.vector.nbytes / 10
    finally:
        tracemalloc.stop()


def test_writing_and_reading_are_inverse(tmp_path: Path) -> None:
    """Arrays of every layout and dtype that state may have come back equal, and so does the header."""
    arrays = {
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "sliced": np.arange(10, dtype=np.float32)[::2],
        "scalar": np.array(3, np.int64),
        "none": np.zeros((0, 3), np.float32),
        "flags": np.array([True, False]),
        "ä/ö ": np.ones(1),
    }
    path = tmp_path / "m.safetensors"
    write_model(path, {"model": {"layers": []}, "umlauts": "äöü\n"}, arrays)
    header, found = read(path)
    assert header == {"format": 1, "model": {"layers": []}, "umlauts": "äöü\n"}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape


# Files that are none of ours


def tensors(content: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file by hand."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def one(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8), **metadata: Any) -> dict[str, Any]:
    """The header of a file with one tensor."""
    return {"__metadata__": metadata, "a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


OURS = '{"format": 1, "model": {}}'
BROKEN = {
    "empty": b"",
    "seven bytes": b"1234567",
    "text": b"hello, world; this is no model at all",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07example\x94.",
    "huge header": tensors(b"{}", length=2**62),
    "header past the end": tensors(b"{}", length=100),
    "header no json": tensors(b"{nonsense"),
    "header no utf-8": tensors(b"\xff\xfe{}"),
    "header a list": tensors([1, 2]),
    "header nested": tensors(b"[" * 50_000 + b"]" * 50_000),
    "data missing": tensors(one(), b"1234"),
    "data left over": tensors(one(), b"0" * 12),
    "offsets beyond": tensors(one(offsets=(0, 2**40)), b"0" * 8),
    "offsets reversed": tensors(one(offsets=(8, 0)), b"0" * 8),
    "negative shape": tensors(one(shape=(-2,)), b"0" * 8),
    "shape overflows": tensors(one(shape=(2**40, 2**40)), b"0" * 8),
    "unknown dtype": tensors(one(dtype="F99"), b"0" * 8),
    "dtype NumPy lacks": tensors(one(dtype="BF16", shape=(4,), nnplug=OURS), b"0" * 8),
    "eight-bit float": tensors(one(dtype="F8_E4M3", shape=(8,), nnplug=OURS), b"0" * 8),
    "metadata no json": tensors(one(nnplug="{"), b"0" * 8),
    "metadata nested": tensors(one(nnplug="[" * 100_000), b"0" * 8),
    "metadata no text": tensors(one(nnplug=3), b"0" * 8),
    "metadata says it twice": tensors(one(nnplug='{"model": {}, "model": {}}'), b"0" * 8),
    "metadata with digits": tensors(one(nnplug='{"seed": ' + "1" * 10**6 + "}"), b"0" * 8),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    """Whatever is in the file, the error is ours, names the file and fits on a line."""
    path = tmp_path / "broken.safetensors"
    path.write_bytes(BROKEN[kind])
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} is no model file: it")
    assert str(caught.value).endswith(
        "; if it should be a model, it was damaged or cut off: get it once more from where it came from"
    )
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"l2": NaN', "model.l2: must be a finite number, since a model file holds no other: nan"),
        ('"l2": -Infinity', "model.l2: must be a finite number, since a model file holds no other: -inf"),
        ('"l2": 1e999', "model.l2: must be a finite number, since a model file holds no other: inf"),
        ('"l2": ' + "1" * 300 + "0", None),
        ('"layers": [' + '"relu",' * 25_000 + '"relu"]', "holds more than 25,000 values, the most that nnplug reads"),
        (
            '"layers": ["' + "x" * 10_001 + '"]',
            "model.layers[0]: has 10,001 characters, 10,000 is the most that nnplug re",
        ),
        ('"layers": ["\\ud800"]', "model.layers[0]: is half a character, which no file can hold"),
        (
            '"x": ' + '{"x":' * 200 + "1" + "}" * 200,
            "model.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x....: is nested more than 128 deep, the most that",
        ),
    ],
    ids=range(8),
)
def test_configs_that_are_too_much(tmp_path: Path, text: str, told: str | None) -> None:
    """Numbers that are none, and tables without end, are told with their place, before anything is built of them."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(tensors({"__metadata__": {"nnplug": f'{{"format": 1, "model": {{{text}}}}}'}}))
    with pytest.raises(ModelFileError) as caught:
        read(path)
    expected = (
        f"is no model that nnplug can read: {told}" if told else "is no model file: its config holds a number of 301"
    )
    assert str(caught.value).startswith(f"{path} {expected}")


@pytest.mark.skipif(os.name == "nt", reason="names on Windows hold no control characters")
def test_a_file_by_a_name_that_drives_terminals(tmp_path: Path) -> None:
    """Archives from strangers hold files of such names."""
    path = tmp_path / "\x1b[2J\u202e"
    path.write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"/\\x1b\[2J\\u202e is no model file") as caught:
        read(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "metadata",
    [{}, {"format": "pt"}, {"nnplug": "null"}, {"nnplug": "[]"}, {"nnplug": "{}"}, {"nnplug": '{"model": 1}'}],
)
def test_other_peoples_safetensors_are_refused(tmp_path: Path, metadata: dict[str, str]) -> None:
    """A file of weights without our config is told apart from a broken one."""
    path = tmp_path / "other.safetensors"
    path.write_bytes(tensors(one(**metadata), b"0" * 8))
    with pytest.raises(ModelFileError) as caught:
        read(path)
    assert str(caught.value) == f"{path} is a safetensors file, but not one that nnplug wrote: it has no config"


@pytest.mark.parametrize("number", [2, 0, None, "1", [1], True, 1.0])
def test_another_format_is_refused(tmp_path: Path, number: Any) -> None:
    """A later format is told as such, not guessed at."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(tensors(one(nnplug=json.dumps({"format": number, "model": {}})), b"0" * 8))
    with pytest.raises(ModelFileError) as caught:
        read(path)
    told = f"has format {number!r}; this nnplug reads format 1, a newer one may read it"
    assert str(caught.value) == f"{path} {told}"


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    """The operating system's reason is given."""
    with pytest.raises(ModelFileError, match=r"nothing.safetensors cannot be read: No such file or directory$"):
        read(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelFileError, match=r"cannot be read: (Is a directory|Permission denied)$"):
        read(tmp_path)


def test_a_truncated_model_is_refused_wherever_it_was_cut(tmp_path: Path) -> None:
    """Cut at any of many places, a real file is refused."""
    path = tmp_path / "m.safetensors"
    build().save(path)
    content = path.read_bytes()
    for length in [*range(0, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            nnplug.load(path)
    path.write_bytes(content)
    nnplug.load(path)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bits_never_raise_anything_else(tmp_path: Path, seed: int) -> None:
    """With bytes of the header changed at random, loading works or raises ModelFileError."""
    path = tmp_path / "m.safetensors"
    build().save(path)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for i in rng.integers(0, len(content) - 80, 3):
        content[i] = rng.integers(256)
    path.write_bytes(content)
    try:
        model = nnplug.load(path)
    except ModelFileError as error:
        assert "\n" not in str(error)  # noqa: PT017  (most files are refused, not all)
    else:
        assert model.scores(np.zeros((1, *model.input_spec.shape))).shape[0] == 1
