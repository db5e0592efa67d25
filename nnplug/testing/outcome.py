"""Running a check: it returns a note when all is well, and raises `Failure` or `Skipped` when not."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnplug.naming import printable
from nnplug.testing.report import Result

Check = Callable[[Any], str | None]  # given a case; its name is the check's name, its docstring what it means


class Failure(Exception):  # noqa: N818  (no error of the program: what a check found)
    """Something is wrong with the component; the message says what to write instead."""


class Unsuitable(Failure):
    """Nothing can be checked on this example or this input, which others may be better for."""


class Skipped(Exception):  # noqa: N818
    """The check says nothing about this component; the message says why."""


def run(check: Check, cases: Iterable[Any]) -> Result:
    """Run one check on every case; the first failure decides."""
    notes: list[str] = []
    reasons: list[str] = []
    for case in cases:
        try:
            with strict():
                notes.append(check(case) or "")
        except Skipped as skipped:
            reasons.append(str(skipped))
        except (Exception, SystemExit) as error:
            return Result(check.__name__, "failed", f"{case}: {sentence(error)}")
    if not notes:
        return Result(check.__name__, "skipped", reasons[0] if reasons else "there was nothing to try it on")
    told = [note for note in dict.fromkeys(notes) if note]
    return Result(check.__name__, "passed", "; ".join([count(len(notes), "case"), *told[:1]]))


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 case``, ``2 cases``."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


@contextmanager
def strict() -> Iterator[None]:
    """Numerical warnings are errors, such as an overflow or a division by zero; others are no concern of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        yield


def sentence(error: BaseException) -> str:
    """What went wrong, in words: a failure's own, or an exception with where it was raised and what to do."""
    if isinstance(error, Failure):
        return str(error)
    text = printable(str(error).strip().splitlines()[0]) if str(error).strip() else ""
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    advice = _advice(error, text)
    return f"{_where(error)} raised {told}" + (f"; {advice}" if advice else "")


def _where(error: BaseException) -> str:
    """The innermost function outside this kit, with its file and line."""
    here = Path(__file__).parent
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent != here]
    if not frames:
        return "it"
    own = [f for f in frames if "site-packages/numpy" not in Path(f.filename).as_posix()] or frames
    return f"{own[-1].name} ({Path(own[-1].filename).name}, line {own[-1].lineno})"


def _advice(error: BaseException, text: str) -> str:
    """What to write instead, for the mistakes that everybody makes once."""
    if type(error).__name__ == "FrozenInstanceError":
        return (
            "a component is a frozen description and keeps nothing: "
            "what backward needs goes into the cache, what a layer keeps between steps is state in its plan"
        )
    if "'mappingproxy' object does not support item assignment" in text:
        return "params and grads are mappings that nobody changes; write into their arrays, grads['W'][...] = dW"
    if "read-only" in text:
        return "it writes to an array that is not its own; compute into a new array or ctx.empty"
    if isinstance(error, SystemExit):
        return "a component never ends the program; raise an error"
    shapes = re.match(r"could not broadcast input array from shape \((.*)\) into shape \((.*)\)", text)
    return _about_shapes(*shapes.groups()) if shapes else ""


def _about_shapes(given: str, wanted: str) -> str:
    have, want = ([n for n in text.split(",") if n] for text in (given, wanted))
    if len(have) > 1 and have == want[::-1]:
        return "it is transposed: (A.T @ B).T is B.T @ A"
    if len(have) > len(want) and have[len(have) - len(want) :] == want:
        return "it is not summed over the rows of the batch; write .sum(axis=0)"
    return ""
