"""The reader of tables, on files that were made to harm: each ends in time, in little memory, and says why."""

from __future__ import annotations

import csv
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins.csv import Csv

TOO_LONG = "the row has more than 8388608 characters; is the file a table, and every quote closed?"
TASKS = ("regression", "classification")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def write(path: Path, *parts: bytes | tuple[bytes, int]) -> Path:
    """A file of parts, each once or many times."""
    with path.open("wb") as file:
        for part in parts:
            content, times = part if isinstance(part, tuple) else (part, 1)
            for _ in range(times):
                file.write(content)
    return path


def refusal(path: Path, task: str, **options: Any) -> str:
    """What the loader says of a file, which it must say in time and in printable characters."""
    loader = Csv(path, task=task, **options)
    start = time.process_time()
    with pytest.raises(DataError) as caught:
        loader.load()
    assert time.process_time() - start < 2
    tracemalloc.start()  # it takes its time, too
    try:
        with pytest.raises(DataError):
            loader.load()
        assert tracemalloc.get_traced_memory()[1] < 500e6
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 1000
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("line", [b"1" * 1_000_000, b"1," * 500_000, bytes(1_000_000), "é".encode() * 500_000])
def test_a_line_without_end(path: Path, line: bytes, task: str) -> None:
    """As the first one, or after others: it is read as far as a line may go."""
    assert refusal(write(path, (line, 100)), task) == f"line 1: {TOO_LONG}"
    assert refusal(write(path, b"a,b\n1,2\n", (line, 100)), task) == f"line 3: {TOO_LONG}"


@pytest.mark.parametrize("task", TASKS)
def test_a_row_without_end(path: Path, task: str) -> None:
    """Every line closes one quote and opens another, so all are of one row."""
    part = (b'"%s\n",' % (b"a" * 96) * 10_000, 10)  # a hundred characters a line
    assert refusal(write(path, part), task) == f"line 83887: {TOO_LONG}"
    assert refusal(write(path, b"a,b\n1,2\n", part), task) == f"line 83889: {TOO_LONG}"


@pytest.mark.parametrize("task", TASKS)
def test_a_quote_without_end(path: Path, task: str) -> None:
    """What follows it is not gathered into one cell, be it in a column of numbers, texts or neither."""
    write(path, b'a,b\n1,2\n1,"', (b"3,4\n" * 250_000, 100))
    assert refusal(path, task) == f"line 32771: field larger than field limit ({csv.field_size_limit()})"
    write(path, b'a,b,c\n1,2,3\n1,2,"', (b"3,4\n" * 250_000, 100))
    assert refusal(path, task, target="a", ignore=("c",)).startswith("line 32771: field larger than field limit")


@pytest.mark.parametrize("task", TASKS)
def test_rows_of_millions_of_cells(path: Path, task: str) -> None:
    """In the header, and in the body of a table of two columns."""
    cells = b"," * 8_000_000
    assert refusal(write(path, cells, b"\n1,2\n"), task) == "has 8000001 columns; more than 1048576 are not read"
    assert refusal(write(path, b"a,b\n1,2\n", cells, b"\n"), task) == "line 3: 8000001 cells, expected 2"


def test_a_million_columns_are_read(path: Path) -> None:
    """They may be meant."""
    write(path, b",".join(b"%d" % i for i in range(1_000_000)), b"\n", b"1.5," * 999_999, b"2\n")
    x, y = Csv(path, task="regression").load().train
    assert x.shape == (1, 999_999)
    assert (x == 1.5).all()
    assert y.tolist() == [2]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1\0,2\n", r"line 2, column 'a': '1\x00' is no number"),
        (b"a,b\n\0\n", "line 2: 1 cell, expected 2"),
        (b"a\0\x1b[2J,b\n?,2\n", r"line 2, column 'a\x00\x1b[2J': '?' is no number"),
        (b"a,b\n\x1b[2J,2\n", r"line 2, column 'a': '\x1b[2J' is no number"),
        (b"a,b\n" + b"x" * 100_000 + b",2\n", "line 2, column 'a': 'xxxxxxxxxxxx...xxxxxxxxxxxxx' is no number"),
        (b"x" * 100_000 + b",b\n?,2\n", "line 2, column 'xxxxxxxxxxxx...xxxxxxxxxxxxx': '?' is no number"),
        (b"a,b\n1,\xff\n", "is not in UTF-8 ("),
        (b"a,b\n1,\xc3", "is not in UTF-8 ("),
        ("a,b\n1,2\n".encode("utf-16"), "is not in UTF-8 ("),
        ("a,b\n1,2\n".encode("utf-32-le"), r"line 2, column 'a\x00\x00\x00': "),
        (b'a,b\n"1"2,3\n', "line 2: ',' expected after '\"'"),
    ],
)
def test_what_is_no_text_of_numbers(path: Path, content: bytes, problem: str) -> None:
    """NUL, escape sequences, other encodings; what is quoted from the file is quoted in part and as text."""
    assert refusal(write(path, content), "regression").startswith(problem)


def test_a_delimiter_is_quoted_as_text(path: Path) -> None:
    """A tab, too, which Python's reader puts into its message as it is."""
    write(path, b'a\tb\n"1"2\t3\n')
    assert refusal(path, "regression", delimiter="\t") == "line 2: '\\t' expected after '\"'"


def test_names_and_classes_are_quoted_in_part(path: Path) -> None:
    """However long they are."""
    write(path, b"x" * 100_000 + b",b\n1," + b"y" * 100_000 + b"\n")
    with pytest.warns(UserWarning, match=r"column 'b': all rows are of one class, 'yyyyyyyyyyyy\.\.\.yyyyyyyyyyyyy'"):
        Csv(path, task="classification").load()
    assert refusal(path, "regression", target="z") == (
        "no column is called 'z'; the columns are 'xxxxxxxxxxxx...xxxxxxxxxxxxx', 'b'"
    )


def test_rows_before_and_after_a_quote_are_all_read(path: Path) -> None:
    """Quotes within a cell open nothing; those around one may hold a line's end, anywhere in the file."""
    plain = [f"{i},item {i},a" for i in range(1000)]
    plain[300] = '300,a 5" disk,a'
    quoted = [f'{i},"item\n{i}",b' for i in range(1000, 2000)]
    mixed = [f"{i},{'' if i % 3 else chr(34) * 2},a" for i in range(2000, 3000)]
    path.write_text("\n".join(["x,note,kind", *plain, *quoted, "", *mixed]), encoding="utf-8")
    data = Csv(path, task="classification", ignore=("note",)).load()
    assert data.train[0][:, 0].tolist() == list(range(3000))
    assert data.train[1].tolist() == np.repeat([0, 1, 0], 1000).tolist()


@pytest.mark.parametrize("before", [b"", b"1\t2\n"])
def test_a_line_of_blanks_is_a_row(path: Path, before: bytes) -> None:
    """Only an empty line is passed over: of cells that are lost somebody wants to know, in the first row, too."""
    line = 3 if before else 2
    text = refusal(write(path, b"a\tb\n", before, b"\t\n3\t4\n"), "regression", delimiter="\t")
    assert text.startswith(f"line {line}, column 'a': the cell is empty; ")
    assert refusal(write(path, b"a\tb\n", before, b" \n3\t4\n"), "regression", delimiter="\t") == (
        f"line {line}: 1 cell, expected 2"
    )
