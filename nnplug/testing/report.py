"""The report: what ran, what was skipped and why, what failed and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Literal

from attrs import frozen

Status = Literal["passed", "failed", "skipped"]
WIDTH = 110


@frozen
class Result:
    """What one check found.

    Args:
        check: the check's name.
        status: ``passed``, ``failed`` or ``skipped``.
        detail: how much ran, what is wrong, or why nothing ran.
    """

    check: str
    status: Status
    detail: str = ""


@frozen
class ComponentReport:
    """What all checks found about one component.

    Args:
        kind: what it is, such as ``update_rule``.
        name: its registry name; its class's name where it has none.
        origin: the distribution and version, or the module, that it comes from.
        examples: the components that were made of it, as text.
        results: one for each check.
    """

    kind: str
    name: str
    origin: str
    examples: tuple[str, ...]
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """True if no check failed."""
        return not self.having("failed")

    def having(self, status: Status) -> list[Result]:
        """The results of one status."""
        return [result for result in self.results if result.status == status]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "origin": self.origin,
            "passed": self.passed,
            "examples": list(self.examples),
            "results": [{"check": r.check, "status": r.status, "detail": r.detail} for r in self.results],
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        counts = (f"{len(self.having(s))} {s}" for s in ("passed", "failed", "skipped") if self.having(s))
        yield f"{self.kind.replace('_', ' ')} {self.name!r} ({self.origin}): {', '.join(counts)}"
        if self.examples:
            extent = next((result.detail for result in self.results if result.check == "examples"), "")
            yield _wrapped("tried on", f"{'; '.join(self.examples)} ({extent})")
        for result in self.having("failed"):
            yield _wrapped("FAILED", f"{result.check}: {result.detail}")
        reasons = dict.fromkeys(result.detail for result in self.having("skipped"))
        for reason in reasons:
            names = ", ".join(result.check for result in self.having("skipped") if result.detail == reason)
            yield _wrapped("skipped", f"{names}: {reason}")
        if passed := self.having("passed"):
            yield _wrapped("passed", ", ".join(result.check for result in passed))


def _wrapped(label: str, text: str) -> str:
    """A text behind its label; further lines are indented so that the text stands in a column."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"  {label:<9}",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )


@frozen
class Report:
    """What the kit found about everything it was asked to check; ``print(report)`` tells it.

    Args:
        target: what was asked for.
        components: a report for each component.
    """

    target: str
    components: tuple[ComponentReport, ...]

    @property
    def passed(self) -> bool:
        """True if no check of any component failed."""
        return all(component.passed for component in self.components)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it: ``target``, ``passed``, ``components``, each with its ``results``."""
        return {
            "target": self.target,
            "passed": self.passed,
            "components": [component.as_dict() for component in self.components],
        }

    def __str__(self) -> str:
        texts = [str(component) for component in self.components]
        if len(texts) > 1:
            failed = [f"{c.kind.replace('_', ' ')} {c.name!r}" for c in self.components if not c.passed]
            told = f"failed: {', '.join(failed)}" if failed else "all passed"
            texts.append(f"{self.target}: {len(self.components)} components, {told}")
        return "\n\n".join(texts)
