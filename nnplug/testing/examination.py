"""The examination: from a target to a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module  # noqa: TID251  (of modules listed below)
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nnplug.registry import Registry, default_registry
from nnplug.testing import common
from nnplug.testing.examples import Example, Maker, examples_beside, given_examples
from nnplug.testing.importing import ImportCase, import_time
from nnplug.testing.outcome import count, run, sentence, strict
from nnplug.testing.report import ComponentReport, Report, Result
from nnplug.testing.subjects import Subject, subjects_of
from nnplug.testing.wording import brief

KITS = {
    "layer": "layers",
    "loss": "losses",
    "update_rule": "update_rules",
    "data_loader": "data_loaders",
    "initializer": "initializers",
    "schedule": "schedules",
    "metric": "metrics",
    "callback": "callbacks",
}


def check(
    target: Any,
    *,
    kind: str | None = None,
    examples: Iterable[Any] = (),
    inputs: Iterable[Any] = (),
    import_seconds: float = 0.5,
    registry: Registry | None = None,
) -> Report:
    """Hold a component, or all components of a distribution, against the contract.

    Args:
        target: a registry name (``"softsign"``, ``"dist:softsign"``), a distribution (``"nnplug-conv"``), a component
            class, or a component.
        kind: the kind, where several have the name: layer, loss, update_rule, data_loader, initializer, schedule,
            metric or callback.
        examples: components to run the checks on, or pairs of a component and an input; default: what the list
            ``NNPLUG_EXAMPLES`` in the component's module holds of it, else some made from the types of its options.
        inputs: what each of them is tried on. For a layer: shapes of a sample, an `nnplug.ArraySpec` each, or batches.
            For a loss or a metric: pairs of arrays, scores and targets. Default: usual ones that the component accepts.
        import_seconds: how long its module may take to import.
        registry: where names are looked up; default: everything installed.

    Returns:
        what ran and what was skipped.

    Raises:
        AssertionError: a check failed, or too little ran; with the report.
        RegistryError: nothing is called so, or several things are.
    """
    report = examine(
        target, kind=kind, examples=examples, inputs=inputs, import_seconds=import_seconds, registry=registry
    )
    if not report.passed:
        raise AssertionError(f"{report}")
    return report


def examine(
    target: Any,
    *,
    kind: str | None = None,
    examples: Iterable[Any] = (),
    inputs: Iterable[Any] = (),
    import_seconds: float = 0.5,
    registry: Registry | None = None,
) -> Report:
    """Like `check`, but return the report whatever is in it."""
    registry = registry or default_registry()
    subjects = subjects_of(target, kind, registry)
    examples, inputs = list(examples), list(inputs)
    if len(subjects) > 1 and (examples or inputs):
        raise ValueError("examples and inputs belong to one component; check the components of a distribution by name")
    with TemporaryDirectory(prefix="nnplug-check-", ignore_cleanup_errors=True) as folder:
        reports = [
            Examination(subject, registry, Path(folder)).report(examples, inputs, import_seconds)
            for subject in subjects
        ]
    told = target.__name__ if isinstance(target, type) else target if isinstance(target, str) else brief(target)
    return Report(told, tuple(reports))


class Examination:
    """The examination of one component.

    Args:
        subject: the component.
        registry: builds the components among its options.
        folder: where files may be put.
    """

    def __init__(self, subject: Subject, registry: Registry, folder: Path) -> None:
        self._subject, self._registry, self._folder = subject, registry, folder
        self._kit: Any = import_module(f"nnplug.testing.{KITS[subject.kind]}")

    def report(self, examples: Sequence[Any], inputs: Sequence[Any], import_seconds: float) -> ComponentReport:
        """Run everything."""
        subject = self._subject
        found: list[Example] = []
        if subject.error:
            results = [Result("loads", "failed", subject.error)]
        else:
            results = [Result("loads", "passed", subject.module)]
            try:
                with strict():
                    found = self._examples(examples, inputs)
                    cases = [case for example in found for case in self._cases(example)]
            except (Exception, SystemExit) as error:
                results.append(Result("examples", "failed", sentence(error)))
            else:
                results.append(
                    Result("examples", "passed", f"{count(len(found), 'component')}, {count(len(cases), 'case')}")
                )
                results += self._checks(found, cases)
            results.append(run(import_time, [ImportCase(subject.module, import_seconds)]))
        told = tuple(brief(example.component) for example in found)
        return ComponentReport(subject.kind, subject.name, subject.origin, told, tuple(results))

    def _examples(self, examples: Sequence[Any], inputs: Sequence[Any]) -> list[Example]:
        subject = self._subject
        if subject.component is not None:
            examples = [subject.component, *examples]
        examples = examples or examples_beside(subject.cls, [subject.module])
        if examples:
            return given_examples(subject.cls, examples, inputs, self._registry)
        return Maker(subject.kind, subject.cls, inputs, self._registry, self._folder, self._cases).make()

    def _cases(self, example: Example) -> list[Any]:
        cases: list[Any] = self._kit.cases(example.component, example.inputs, self._registry)
        return cases

    def _checks(self, examples: Sequence[Example], cases: Sequence[Any]) -> Iterator[Result]:
        """The checks of every component, then those of its kind; where the first of these fails, the rest is moot."""
        components = [common.ComponentCase(example.component, self._registry) for example in examples]
        yield from (run(check, components) for check in common.CHECKS)
        first, *others = self._kit.CHECKS
        result = run(first, cases)
        yield result
        if result.status == "failed":
            yield from (Result(check.__name__, "skipped", f"{first.__name__} failed") for check in others)
            return
        results = [result]
        for check in others:
            results.append(self._after(results, check, cases))
        yield from results[1:]
        yield from self._enough(results)

    def _after(self, results: Sequence[Result], check: Any, cases: Sequence[Any]) -> Result:
        """The result of a check, which is skipped where another failed and what it would say might be untrue."""
        needs = getattr(self._kit, "NEEDS", {}).get(check.__name__, ())
        for result in results:
            if result.check in needs and result.status == "failed":
                return Result(check.__name__, "skipped", f"{result.check} failed")
        return run(check, cases)

    def _enough(self, results: Sequence[Result]) -> Iterator[Result]:
        """A failure if nothing ran that matters most, unless that is because something else failed."""
        wanted = [result for result in results if result.check in self._kit.ONE_OF]
        if all(result.status == "skipped" for result in wanted):
            if any(result.status == "failed" for result in results):
                return
            told = "; ".join(f"{result.check}: {result.detail}" for result in wanted)
            yield Result("enough", "failed", f"too little ran to say anything about it ({told}); give other inputs=")
        else:
            yield Result("enough", "passed", f"{sum(result.status == 'passed' for result in results)} checks ran")
