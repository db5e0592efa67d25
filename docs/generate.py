"""Write the generated parts of the reference pages, so that they cannot drift from the code.

A page marks such a part with a comment that names a function of this file and its arguments; what stands between the
comment and its end is replaced::

    <!-- generated: options TrainConfig -->
    ...
    <!-- end of generated -->

Run ``python docs/generate.py`` after changing a docstring, an option or a command; a test fails where it was forgotten.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ForwardRef

import attrs
import click

import nnplug
import nnplug.testing
from nnplug import arrayfiles, checkpoint, config, files, lines, table, tensorfile
from nnplug import limits as sizes
from nnplug.cli.main import COMMANDS, cli
from nnplug.hookspecs import KINDS
from nnplug.options import Option, describe_type, options_of
from nnplug.testing.examination import KITS

DOCS = Path(__file__).parent
REGION = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end of generated -->)", re.DOTALL)
WITHOUT_DOCSTRING = {
    "Array": "`numpy.ndarray` of any shape and dtype.",
    "Batch": "`(x, y, weight)`: a batch of rows, their targets, and a weight per row or None.",
    "Params": "A mapping from a parameter's name to its array, and from a child's name to the child's own mapping.",
    "hookimpl": "The decorator of a hook: `@hookimpl` above `def nnplug_layers()`. It is pluggy's, made for nnplug.",
}
SECTIONS = {"Args": "Arguments", "Attributes": "Attributes", "Returns": "Returns", "Raises": "Raises"}
NOT_MADE_BY_HAND = {"Model", "History", "Run", "TrainResult", "Source", "Report", "ComponentReport", "Result"}
CONTRACTS = {kind.contract for kind in KINDS.values()}
LIMITS = {
    "config": (
        ("a config file", config.TOML, "bytes"),
        ("all numbers, texts, tables and lists of a config together", sizes.VALUES, "values"),
        ("tables and lists within one another", sizes.DEPTH, "deep"),
        ("a text", sizes.TEXT, "characters"),
        ("an integer", files.DIGITS, "digits"),
        ("the shape of a sample", config.DIMENSIONS, "dimensions"),
    ),
    "files": (
        ("the header of a file, with the texts in it", tensorfile.HEADER, "bytes"),
        ("the `content` of a checkpoint", checkpoint.CONTENT_BYTES, "bytes"),
    ),
    "data": (
        ("the header of a `.npy` file, or of an array in a `.npz` file", arrayfiles.HEADER, "bytes"),
        ("the table of contents of a `.npz` file", arrayfiles.CONTENTS, "bytes"),
        ("what is read of a `.npz` file, unpacked", arrayfiles.SMALL, "bytes"),
        ("or, where that is more", arrayfiles.RATIO, "times the file's size"),
        ("a row of a CSV file", lines.LONGEST, "characters"),
        ("the columns of a CSV file", table.WIDEST, "columns"),
    ),
}


# Docstrings as Markdown


def markdown(text: str | None, *, skip: tuple[str, ...] = (), titles: dict[str, str] = SECTIONS) -> str:
    """A docstring in Google's style as Markdown.

    Args:
        text: the docstring.
        skip: sections to leave out.
        titles: what the sections are called on the page.
    """
    parts = re.split(r"^(Args|Attributes|Returns|Raises):\n", inspect.cleandoc(text or ""), flags=re.MULTILINE)
    done = [_prose(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        section, rest = _indented(body)
        if title not in skip:
            done.append(f"{titles[title]}:\n\n{_items(section)}")
        done.append(_prose(rest))
    return "\n\n".join(part for part in done if part)


def _indented(body: str) -> tuple[str, str]:
    """What belongs to a section, without its indentation, and what comes after it."""
    lines = body.splitlines()
    end = next((i for i, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return textwrap.dedent("\n".join(lines[:end])).strip(), "\n".join(lines[end:])


def _items(section: str) -> str:
    """``name: text`` as a list; a section without names as a paragraph."""
    items = re.findall(r"^(\w+): (.*(?:\n +.*)*)", section, re.MULTILINE)
    if not items:
        return _code(_one_line(section))
    return "\n".join(f"- `{name}`: {_code(_one_line(text))}" for name, text in items)


def _prose(text: str) -> str:
    """Paragraphs as they are; examples in fences, formulas as code."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith(">>>"):
            blocks.append(f"```pycon\n{block}\n```")
        elif block.startswith("    "):
            blocks.append(f"```text\n{inspect.cleandoc(block)}\n```")
        elif block:
            blocks.append(re.sub(r"::$", ":", _code(block)))
    return "\n\n".join(blocks)


def _code(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


# Options


def options(name: str) -> str:
    """The options of a class of `nnplug.config`, or of a contract, as a table."""
    cls = getattr(config, name, None) or getattr(nnplug, name)
    return _option_table(list(options_of(cls).values()))


def _option_table(chosen: list[Option]) -> str:
    rows = [(f"`{o.name}`", describe_type(o.hint), _default(o), _code(o.help)) for o in chosen]
    return _table(("option", "type", "default", "meaning"), rows)


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if option.derived:
        return "follows from the others"
    value = option.default_value()
    if attrs.has(type(value)):
        return "its defaults"
    return "nothing" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


# Limits


def limits(name: str) -> str:
    """The most that is read, of configs, of our own files or of data."""
    rows = [(what, _amount(number, unit)) for what, number, unit in LIMITS[name]]
    return _table(("what", "the most that is read"), rows)


def _amount(number: int, unit: str) -> str:
    if unit == "bytes":
        return f"{number >> 20} MiB" if number >= 2**20 else f"{number >> 10} KiB"
    return f"{number:,} {unit}"


# Plugins


def plugins(kind: str) -> str:
    """Every built-in of a kind: its formula, its own options."""
    registry = nnplug.Registry(only=["nnplug"])
    return "\n\n".join(_plugin(kind, name, registry.get(kind, name)) for name in registry.names(kind))


def _plugin(kind: str, name: str, cls: type) -> str:
    shared = options_of(KINDS[kind].contract)
    own = [o for o in options_of(cls).values() if o.name not in shared or o.default != shared[o.name].default]
    parts = [f"### {name}", markdown(cls.__doc__, skip=("Args", "Attributes"))]
    if own:
        parts.append(_option_table(own))
    metrics = getattr(cls, "metrics", ())
    if metrics:
        parts.append("Metrics: " + ", ".join(f"[`{m}`](#{m})" for m in metrics) + ".")
    return "\n\n".join(parts)


def kinds() -> str:
    """The kinds of plugins with their entry-point groups and hooks."""
    rows = [
        (
            kind.name,
            f"`{kind.group}`",
            f"`{kind.hook}`",
            f"[{kind.contract.__name__}](#{kind.contract.__name__.lower()})",
        )
        for kind in KINDS.values()
    ]
    return _table(("kind", "entry-point group", "hook", "contract"), rows)


def checks(kind: str = "") -> str:
    """What the conformance kit checks of a kind of component; without one, of all."""
    kit = import_module(f"nnplug.testing.{KITS[kind] if kind else 'common'}")
    rows = [(f"`{check.__name__}`", _code(_one_line(check.__doc__.split("\n\n")[0]))) for check in kit.CHECKS]
    return _table(("check", "what must hold"), rows)


# The Python interface


def api(*names: str) -> str:
    """Public names with their signatures and docstrings; classes with their methods."""
    return "\n\n".join("\n\n".join(_api(name, getattr(nnplug, name))) for name in names)


def sections(name: str) -> str:
    """Like `api` for a name that has a heading already."""
    return "\n\n".join(list(_api(name, getattr(nnplug, name)))[1:])


def testing(*names: str) -> str:
    """Like `api` for names of the conformance kit."""
    return "\n\n".join("\n\n".join(_api(name, getattr(nnplug.testing, name))) for name in names)


def _api(name: str, value: Any) -> Iterator[str]:
    yield f"### {name}"
    if not isinstance(value, type):
        yield from _callable(name, value)
        return
    if issubclass(value, Exception):
        yield f"Derives from `{value.__bases__[0].__name__}`."
    elif name not in NOT_MADE_BY_HAND and value not in CONTRACTS:
        yield _fence(name, value, result=None)
    yield markdown(value.__doc__, titles={**SECTIONS, "Args": "Options"} if value in CONTRACTS else SECTIONS)
    for member_name, member in vars(value).items():
        if isinstance(member, property) and member.__doc__:
            yield f"#### {name}.{member_name}"
            yield markdown(member.__doc__)
            continue
        member = member.__func__ if isinstance(member, staticmethod) else member
        if inspect.isfunction(member) and member.__doc__ and _public(value, member_name):
            yield f"#### {name}.{member_name}"
            yield from _callable(member_name, member)


def _public(cls: type, name: str) -> bool:
    """Methods to call or to write; calling itself where it is what a contract asks for."""
    return not name.startswith("_") or (name == "__call__" and cls in CONTRACTS)


def _callable(name: str, function: Callable[..., Any]) -> Iterator[str]:
    if inspect.isfunction(inspect.unwrap(function)):
        yield _fence(name, function)
        yield markdown(function.__doc__)
    else:
        yield WITHOUT_DOCSTRING[name]


def _fence(name: str, function: Callable[..., Any], result: str | None = "") -> str:
    signature = inspect.signature(function)
    types = {field.alias: field.type for field in getattr(function, "__attrs_attrs__", ())}
    words = []
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        words.append(_parameter(parameter, types.get(parameter.name, parameter.annotation)))
    end = "" if result is None else f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(words)}){end}"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){end}"
    return f"```pyi\n{line}\n```"


def _parameter(parameter: inspect.Parameter, annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):  # as a NamedTuple keeps what its fields are
        annotation = annotation.__forward_arg__
    text = f"{parameter.name}: {getattr(annotation, '__name__', annotation)}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return f"{'*' if parameter.kind is parameter.VAR_POSITIONAL else '**'}{text}"
    if parameter.default is parameter.empty:
        return text
    made = type(parameter.default).__name__ == "Factory" or parameter.default is attrs.NOTHING  # by the class itself
    return f"{text} = {'...' if made else repr(parameter.default)}"


# The command line


def command(*names: str) -> str:
    """What a command does, its own commands and its options; without a name, the overview."""
    chosen: click.Command = cli
    for name in names:
        assert isinstance(chosen, click.Group)  # noqa: S101
        chosen = chosen.get_command(click.Context(chosen), name) or click.Command(name)
    usage = " ".join(["nnplug", *names, *chosen.collect_usage_pieces(click.Context(chosen))])
    parts = [f"```text\n{usage}\n```", *_help(chosen.help or "")]
    if isinstance(chosen, click.Group):
        inner = {} if chosen is cli else {name: c.get_short_help_str(200) for name, c in chosen.commands.items()}
        rows = [(f"[{c}](#{'-'.join(['nnplug', *names, c])})", text) for c, text in (inner or COMMANDS).items()]
        parts.append(_table(("command", "what it does"), rows))
    rows = [(f"`{_option_words(p)}`", _option_help(p)) for p in chosen.params if isinstance(p, click.Option)]
    return "\n\n".join([*parts, _table(("option", "meaning"), [*rows, ("`-h`, `--help`", "Show the command's help.")])])


def _option_words(option: click.Option) -> str:
    if option.is_flag:
        return ", ".join(option.opts)
    value = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else option.metavar
    return f"{', '.join(option.opts)} {value or option.type.name.upper()}"


def _option_help(option: click.Option) -> str:
    default = f"  [default: {option.default}]" if option.show_default else ""
    return f"{option.help or ''}{default}"


def _help(text: str) -> Iterator[str]:
    """Paragraphs; those that click is told to leave as they are, behind a backspace, as code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"```text\n{textwrap.dedent(paragraph[1:].strip(chr(10)))}\n```"
        else:
            yield paragraph


# Pages

PARTS: dict[str, Callable[..., str]] = {
    function.__name__: function
    for function in (options, limits, plugins, kinds, checks, api, sections, testing, command)
}


def generated(page: str) -> str:
    """A page with every generated part made anew."""

    def fill(match: re.Match[str]) -> str:
        function, *arguments = match[2].split()
        return f"{match[1]}\n{PARTS[function](*arguments)}\n\n{match[3]}"

    return REGION.sub(fill, page)


def pages() -> list[Path]:
    """The pages that have generated parts."""
    return [path for path in sorted(DOCS.rglob("*.md")) if REGION.search(path.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    for path in pages():
        path.write_text(generated(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
