"""The data loader ``csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug import DataError
from nnplug_builtins.csv import Csv, nnplug_data_loaders

IRIS = "length,width,kind\n5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,virginica\n4.9,3.0,setosa\n"
HOUSES = "size,rooms,rent,price\n50,2,500.5,100\n80,3,700,1.5e2\n120,5,-1,3\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def message(loader: Csv) -> str:
    with pytest.raises(DataError) as caught:
        loader.load()
    return str(caught.value)


def test_classification(path: Path) -> None:
    """Texts of the last column become indices of named classes, in alphabetical order; the rest are features."""
    data = Csv(write(path, IRIS), task="classification").load()
    x, y = data.train
    assert x.tolist() == [[5.1, 3.5], [7.0, 3.2], [6.3, 3.3], [4.9, 3.0]]
    assert y.tolist() == [0, 1, 2, 0]
    assert (x.dtype, y.dtype) == (np.float64, np.int64)
    assert (data.classes, data.class_names) == (3, ("setosa", "versicolor", "virginica"))
    assert (data.validation, data.test, data.scale) == (None, None, None)


def test_classes_that_are_numbers_come_by_value(path: Path) -> None:
    """10 comes after 9, and a class keeps the name that the file gives it."""
    data = Csv(write(path, "x,y\n1,10\n2,9\n3,-1\n4, 9 \n"), task="classification").load()
    assert data.class_names == ("-1", "9", "10")
    assert data.train[1].tolist() == [2, 1, 0, 1]


@pytest.mark.parametrize("header", ["5.1,3.5,setosa", "3,y", "0,2,y"])
def test_a_first_line_of_numbers_may_be_a_row(path: Path, header: str) -> None:
    """Who forgot to say that there is no header is told."""
    row = "4.9," * header.count(",")
    write(path, f"{header}\n{row}virginica\n{row}setosa\n")
    with pytest.warns(UserWarning, match=r"takes its first line for the columns' names, but they are numbers: .*; if"):
        Csv(path, task="classification").load()


@pytest.mark.parametrize("header", ["0,1,2", "1,2,3", "1,2,label", "a,3.5,label"])
def test_names_that_count_the_columns_are_names(path: Path, header: str) -> None:
    """As tables have them whose columns were given no names; nothing is said."""
    assert len(Csv(write(path, f"{header}\n1,2,3\n4,5,6\n"), task="regression").load().train[0]) == 2


def test_regression(path: Path) -> None:
    """The target is one number a row, as numbers are written anywhere."""
    data = Csv(write(path, HOUSES), task="regression").load()
    x, y = data.train
    assert x.tolist() == [[50, 2, 500.5], [80, 3, 700], [120, 5, -1]]
    assert y.tolist() == [100, 150, 3]
    assert (x.dtype, y.dtype) == (np.float64, np.float64)
    assert (data.classes, data.class_names) == (None, None)
    assert x.flags.c_contiguous


@pytest.mark.parametrize("target", [("price", "size"), (3, 0), (-1, "size")])
def test_several_targets(path: Path, target: tuple[str | int, ...]) -> None:
    """They are columns of y in the order asked for, whatever the file's order is."""
    x, y = Csv(write(path, HOUSES), task="regression", target=target).load().train
    assert x.tolist() == [[2, 500.5], [3, 700], [5, -1]]
    assert y.tolist() == [[100, 50], [150, 80], [3, 120]]


def test_three_targets(path: Path) -> None:
    """An order that is not its own inverse."""
    x, y = Csv(write(path, HOUSES), task="regression", target=("price", "size", "rooms")).load().train
    assert x.tolist() == [[500.5], [700], [-1]]
    assert y.tolist() == [[100, 50, 2], [150, 80, 3], [3, 120, 5]]


def test_a_target_asked_for_twice_comes_twice(path: Path) -> None:
    """By its name and by its index it is one column."""
    x, y = Csv(write(path, HOUSES), task="regression", target=("price", 0, 3)).load().train
    assert x.tolist() == [[2, 500.5], [3, 700], [5, -1]]
    assert y.tolist() == [[100, 50, 100], [150, 80, 150], [3, 120, 3]]


def test_a_list_of_one_target_keeps_its_axis(path: Path) -> None:
    """``("price",)`` gives (N, 1), ``"price"`` gives (N,)."""
    write(path, HOUSES)
    assert Csv(path, task="regression", target=("price",)).load().train[1].shape == (3, 1)
    assert Csv(path, task="regression", target="price").load().train[1].shape == (3,)


@pytest.mark.parametrize("target", ["rooms", 1, -3])
def test_the_target_may_be_any_column(path: Path, target: str | int) -> None:
    """By name, or by index from either end; features keep their order around it."""
    x, y = Csv(write(path, HOUSES), task="regression", target=target).load().train
    assert x.tolist() == [[50, 500.5, 100], [80, 700, 150], [120, -1, 3]]
    assert y.tolist() == [2, 3, 5]


@pytest.mark.parametrize("ignore", [("name", "size"), (0, 2), (-4, "size")])
def test_columns_can_be_left_out(path: Path, ignore: tuple[str | int, ...]) -> None:
    """What stands in them is not looked at."""
    write(path, 'name,rooms,size,price\n"Smith, J.",2,?,100\n,3,,150\n')
    x, y = Csv(path, task="regression", ignore=ignore).load().train
    assert x.tolist() == [[2], [3]]
    assert y.tolist() == [100, 150]


def test_files_without_a_header(path: Path) -> None:
    """The first line is a row, and columns have indices."""
    data = Csv(write(path, "1,2,a\n3,4,b\n"), task="classification", header=False, ignore=(0,)).load()
    assert data.train[0].tolist() == [[2], [4]]
    assert data.class_names == ("a", "b")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", ["", "end", "end end"])
def test_line_ends_and_byte_order_marks(path: Path, end: str, mark: str, last: str) -> None:
    """As Unix, Windows, old Macs and Excel write them, with the last line ended or not, and with empty lines."""
    lines = ["kind,x", "", "a,1", "", "b,2", *([""] * len(last.split()))]
    data = Csv(write(path, mark + end.join(lines)), task="classification", target="kind").load()
    assert data.train[0].tolist() == [[1], [2]]
    assert data.class_names == ("a", "b")


def test_quotes(path: Path) -> None:
    """Quoted cells hold delimiters, doubled quotes and line ends; numbers and names may be quoted too."""
    write(path, '"x, first","kind"\n"1","a, ""b"""\n 2 ,"two\nlines"\n')
    data = Csv(path, task="classification", target="kind").load()
    assert data.train[0].tolist() == [[1], [2]]
    assert data.class_names == ('a, "b"', "two\nlines")


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_other_delimiters(path: Path, delimiter: str) -> None:
    """Any one character."""
    write(path, IRIS.replace(",", delimiter))
    assert Csv(path, task="classification", delimiter=delimiter).load().train[0][0].tolist() == [5.1, 3.5]


def test_scale_is_passed_on(path: Path) -> None:
    """The model applies it; the rows stay as they are."""
    data = Csv(write(path, HOUSES), task="regression", scale=(1.0, 0.5)).load()
    assert data.scale == (1.0, 0.5)
    assert data.train[0][0].tolist() == [50, 2, 500.5]


def test_a_test_split_is_held_out(path: Path) -> None:
    """Rows stay whole, each class is divided in proportion, and it is the same division each time."""
    rows = [f"{i},{'a' if i < 80 else 'b'}" for i in range(100)]
    write(path, "x,y\n" + "\n".join(rows))
    data, again = (Csv(path, task="classification", test=0.25).load() for _ in range(2))
    (x, y), (x_test, y_test) = data.train, data.test
    assert sorted([*x[:, 0], *x_test[:, 0]]) == list(range(100))
    assert (y == (x[:, 0] >= 80)).all()
    assert (y_test == (x_test[:, 0] >= 80)).all()
    assert np.bincount(y_test).tolist() == [20, 5]
    assert (x_test == again.test[0]).all()
    assert (x == again.train[0]).all()
    other = Csv(path, task="classification", test=0.25, seed=1).load()
    assert x_test.tolist() != other.test[0].tolist()


def test_regression_is_held_out_without_classes(path: Path) -> None:
    """A third of three rows is one."""
    data = Csv(write(path, HOUSES), task="regression", test=0.34).load()
    assert (data.train[0].shape, data.test[0].shape) == ((2, 3), (1, 3))
    assert (data.train[1].shape, data.test[1].shape) == ((2,), (1,))


def test_many_rows_are_read_in_order(path: Path) -> None:
    """Ten thousand rows, compared with what was written."""
    expected = np.random.default_rng(0).standard_normal((10000, 3))
    np.savetxt(path, expected, delimiter=",", fmt="%.17g")
    x, y = Csv(path, task="regression", header=False).load().train
    assert (np.column_stack([x, y]) == expected).all()


ADVICE = "; correct it, remove the row, or leave the column out of training (option ignore)"


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("n/a", "'n/a' is no number"),
        ("1_000", "'1_000' is no number"),
        ('"1,000"', "'1,000' is no number"),
        ("0x10", "'0x10' is no number"),
        ("٣", "'٣' is no number"),
        ("", "the cell is empty"),
        ("  ", "the cell is empty"),
        ("nan", "'nan' is not finite"),
        ("-inf", "'-inf' is not finite"),
        ("1e400", "'1e400' is not finite"),
    ],
)
@pytest.mark.parametrize("column", ["rooms", "price"])
def test_a_bad_cell_is_told_with_line_and_column(path: Path, cell: str, problem: str, column: str) -> None:
    """In a feature and in the target of a regression alike; empty lines count as lines."""
    bad = f"70,{cell},1,2" if column == "rooms" else f"70,2,1,{cell}"
    write(path, HOUSES.replace("120,", f"\n{bad}\n120,"))
    assert message(Csv(path, task="regression")) == f"{path}: line 5, column {column!r}: {problem}{ADVICE}"


def test_columns_without_names_are_told_by_index(path: Path) -> None:
    """No header at all, or an empty name in it."""
    write(path, ",y\na,1\n")
    assert message(Csv(path, task="regression")) == (
        f"{path}: line 2, column 0 (counted from 0): 'a' is no number{ADVICE}"
    )
    assert message(Csv(path, task="regression", header=False)) == (
        f"{path}: line 1, column 0 (counted from 0): the cell is empty{ADVICE}"
    )


def test_an_empty_class_is_no_class(path: Path) -> None:
    """A missing label is not the class of the missing."""
    write(path, IRIS + "5,3, \n")
    assert message(Csv(path, task="classification")) == f"{path}: line 6, column 'kind': the cell is empty{ADVICE}"


def test_line_numbers_count_quoted_lines(path: Path) -> None:
    """A cell that goes over two lines moves those after it."""
    write(path, 'note,x,y\n"over\ntwo lines",1,2\nshort,?,4\n')
    assert message(Csv(path, task="regression", ignore=("note",))) == (
        f"{path}: line 4, column 'x': '?' is no number{ADVICE}"
    )


@pytest.mark.parametrize(
    ("row", "cells"), [("1,2", "2 cells"), ("1,2,3,4,5", "5 cells"), ("x", "1 cell"), ("  ", "1 cell")]
)
def test_rows_of_another_length_are_refused(path: Path, row: str, cells: str) -> None:
    """Also where the missing or the extra cells are of no interest."""
    write(path, HOUSES + row + "\n")
    assert message(Csv(path, task="regression")) == f"{path}: line 5: {cells}, expected 4"
    assert message(Csv(path, task="regression", ignore=("rent",), target=0)) == f"{path}: line 5: {cells}, expected 4"


def test_a_quote_left_open_is_refused(path: Path) -> None:
    """It would swallow the rest of the file and make one class of it."""
    write(path, 'x,kind\n1,a\n2,"b\n3,c\n4,d\n')
    assert message(Csv(path, task="classification")) == (
        f"{path}: line 5: unexpected end of data; a quote is left open in the row that begins at line 3"
    )
    write(path, 'x,kind\n1,a\n2,"b\n3,"c"\n4,d\n')
    assert message(Csv(path, task="classification")) == f"{path}: line 4: ',' expected after '\"'"


def test_text_that_is_not_in_utf8(path: Path) -> None:
    """Excel's habit; the message says what to do."""
    path.write_bytes("x,kind\n1,süß\n".encode("latin-1"))
    assert message(Csv(path, task="classification")) == (
        f"{path}: is not in UTF-8 (byte 0xfc is out of place); save it in UTF-8"
    )


@pytest.mark.parametrize(
    ("text", "header", "problem"),
    [
        ("", True, "the first line is empty"),
        ("\n1,2\n", False, "the first line is empty"),
        ("x,y\n", True, "has no rows"),
        ("x,y\n\n\r\n", True, "has no rows"),
        ("x,y\n\n  \n", True, "line 3: 1 cell, expected 2"),
        ("x;y\n1;2\n", True, "no column is left for the features; is ',' its delimiter?"),
    ],
)
def test_files_without_a_table(path: Path, text: str, header: bool, problem: str) -> None:
    """Empty files, files of names alone, another delimiter."""
    assert message(Csv(write(path, text), task="regression", header=header)) == f"{path}: {problem}"


def test_missing_files(path: Path) -> None:
    """The message names the file and the folder a relative path starts from."""
    assert message(Csv(path, task="regression")) == f"{path}: no such file; the current folder is {Path.cwd()}"
    assert message(Csv("none.csv", task="regression")) == (
        f"none.csv: no such file; the current folder is {Path.cwd()}"
    )
    assert message(Csv(path.parent, task="regression")) == f"{path.parent}: is a folder, not a file"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"target": "prize"}, "no column is called 'prize'; the columns are 'size', 'rooms', 'rent', 'price'"),
        ({"ignore": ("rom",)}, "no column is called 'rom'; the columns are 'size', 'rooms', 'rent', 'price'"),
        (
            {"target": "price", "header": False},
            "no column is called 'price'; the columns are 4 without names, counted from 0",
        ),
        ({"target": 4}, "there is no column 4; the 4 columns are counted from 0"),
        ({"target": -5}, "there is no column -5; the 4 columns are counted from 0"),
        ({"ignore": ("price",)}, "column 'price' is both target and ignored"),
        ({"ignore": (0, 1, 2)}, "no column is left for the features; is ',' its delimiter?"),
        (
            {"target": ("rent", "price"), "task": "classification"},
            "classification has one target column, not 2",
        ),
        ({"target": (), "task": "regression"}, "there is no target column"),
    ],
)
def test_columns_that_do_not_exist_or_contradict(path: Path, options: dict[str, Any], problem: str) -> None:
    """The message says which columns there are."""
    write(path, HOUSES)
    assert message(Csv(path, **{"task": "regression"} | options)) == f"{path}: {problem}"


def test_a_name_that_two_columns_have_is_refused(path: Path) -> None:
    """Either may have been meant; an index tells."""
    write(path, "a,a,y\n1,2,3\n")
    assert message(Csv(path, task="regression", target="a")) == (
        f"{path}: several columns are called 'a'; the columns are 'a', 'a', 'y'"
    )
    assert Csv(path, task="regression", target=0).load().train[1].tolist() == [1]


def test_long_lists_of_columns_are_cut(path: Path) -> None:
    """A table of pixels has hundreds."""
    write(path, ",".join(f"p{i}" for i in range(784)) + "\n" + ",".join("1" * 784) + "\n")
    text = message(Csv(path, task="regression", target="label"))
    assert text == (
        f"{path}: no column is called 'label'; the columns are "
        "'p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9', ..."
    )


def test_one_class_is_nothing_to_learn(path: Path) -> None:
    """Most likely another column was meant; but a model may be evaluated on one class."""
    write(path, "x,y\n1,a\n2,a\n")
    with pytest.warns(UserWarning, match="column 'y': all rows are of one class, 'a'"):
        assert Csv(path, task="classification").load().class_names == ("a",)


def test_a_number_for_every_row_is_no_class(path: Path) -> None:
    """Prices, most likely; of words, and of few rows, there may be as many."""
    write(path, "x,y\n" + "".join(f"1,{i * 1.5}\n" for i in range(11)))
    told = "11 different numbers in 11 rows are no classes; for a number that is to be predicted set task = "
    assert message(Csv(path, task="classification")) == f"{path}: column 'y': {told}'regression'"
    write(path, "x,y\n" + "".join(f"1,w{i}\n" for i in range(11)))
    assert Csv(path, task="classification").load().classes == 11
    write(path, "x,y\n1,0\n1,1\n1,2\n")
    assert Csv(path, task="classification").load().classes == 3


def test_one_number_is_one_class(path: Path) -> None:
    """However it is written; the shortest way is its name."""
    data = Csv(write(path, "x,y\n1,1.0\n2,0\n3,1\n4,0e0\n5,-2\n"), task="classification").load()
    assert data.class_names == ("-2", "0", "1")
    assert data.train[1].tolist() == [2, 1, 2, 1, 0]


def test_a_delimiter_at_the_end_of_every_line(path: Path) -> None:
    """The target by default is then a column of nothing."""
    write(path, "x,y,\n1,2,\n3,4,\n")
    told = "the last column, which is the target by default, has no name; name the target, and if each line ends"
    assert message(Csv(path, task="regression")) == f"{path}: {told} with a delimiter, ignore = [-1]"
    data = Csv(path, task="regression", target="y", ignore=(-1,)).load()
    assert (data.train[0].tolist(), data.train[1].tolist()) == ([[1], [3]], [2, 4])


@pytest.mark.parametrize("delimiter", ["", ", ", '"', "\n"])
def test_delimiters_that_are_not_one_character_are_refused(delimiter: str) -> None:
    """When the component is made, not when it loads."""
    with pytest.raises(ValueError) as caught:
        Csv("table.csv", task="regression", delimiter=delimiter)
    assert str(caught.value) == f"'delimiter' must be one character, no quote and no line end, not {delimiter!r}"


@pytest.mark.parametrize("options", [{"test": 1.0}, {"test": -0.1}, {"seed": -1}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    """When the component is made, not when it loads."""
    with pytest.raises(ValueError, match=f"'{next(iter(options))}' must"):
        Csv("table.csv", task="regression", **options)


def test_the_hook_names_it() -> None:
    """The entry point's name and the hook's agree."""
    assert nnplug_data_loaders() == {"csv": Csv}


def test_features_are_named(path: Path) -> None:
    """By the header, without target and what is ignored; not where a name is missing or stands there twice."""
    write(path, HOUSES)
    assert Csv(path, task="regression").load().feature_names == ("size", "rooms", "rent")
    data = Csv(path, task="regression", target=["rent", "price"], ignore=["rooms"]).load()
    assert data.feature_names == ("size",)
    assert Csv(write(path, "1,2,3\n4,5,6\n"), task="regression", header=False).load().feature_names is None
    assert Csv(write(path, "a,a,y\n4,5,6\n"), task="regression").load().feature_names is None
    assert Csv(write(path, "a,,y\n4,5,6\n"), task="regression").load().feature_names is None


def test_more_names_than_a_model_file_holds(path: Path) -> None:
    """Wide tables are learned from all the same, and the model can be kept."""
    names = [f"gene{i:06}" for i in range(9000)]
    write(path, ",".join([*names, "y"]) + "\n" + ",".join(["0"] * 9001) + "\n")
    data = Csv(path, task="regression").load()
    assert (data.train[0].shape, data.feature_names) == ((1, 9000), None)
