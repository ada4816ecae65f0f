"""A test run for a person: a line per file, below it every case that failed; then coverage and mutants.

Owns the colours, which a pipe does not get.
"""

from collections.abc import Iterator

import click

from usher.bootstrap.testing import ProofRun
from usher.cli.reports import pretty
from usher.proof.coverage import Covered
from usher.proof.mutation import Judged, score
from usher.proof.run_words import Colours, failed_lines, shown_percent
from usher.proof.running import CaseResult
from usher.proof.words import clipped


def lines(run: ProofRun) -> Iterator[str]:
    """Yield the report."""
    yield from pretty.lines(run.problems)
    files: dict[str, list[CaseResult]] = {}
    for result in run.results:
        files.setdefault(result.file, []).append(result)
    for file, results in files.items():
        failed = [result for result in results if not result.passed]
        counted = f"{len(results) - len(failed)} passed"
        yield f"{file}: " + (_red(f"{len(failed)} failed, {counted}") if failed else _green(counted))
        for result in failed:
            yield from failed_lines(result, Colours(good=_green, bad=_red))
    if run.covered is not None:
        yield from _coverage(run.covered)
    if run.judged is not None:
        yield from _mutants(run.judged)


def _coverage(covered: Covered) -> Iterator[str]:
    for rule in covered.rules:
        if not rule.fired:
            yield f"{rule.place}: never fired: {rule.rule}{_failures(rule.failed)}"
    for part in covered.parts:
        for outcome, count in (("true", part.true_count), ("false", part.false_count)):
            if not count:
                failed = _failures(part.failed_count)
                yield f"{part.place}: never {outcome}: {clipped(part.text)} ({part.rule}){failed}"
    fired, rules = covered.fired_count, len(covered.rules)
    seen, outcomes = covered.outcome_count, 2 * len(covered.parts)
    reached = f"{fired} of {rules} rules fired, {seen} of {outcomes} outcomes seen"
    yield f"coverage {shown_percent(covered.percent)}: {reached}"


def _failures(count: int) -> str:
    return f", failed in {count} decisions" if count else ""


def _mutants(judged: tuple[Judged, ...]) -> Iterator[str]:
    for entry in judged:
        if not entry.caught:
            yield f"{entry.mutant.place}: no test notices: {entry.mutant.what}"
    caught = sum(entry.caught for entry in judged)
    yield f"mutation score {shown_percent(score(judged))}: {caught} of {len(judged)} mutants caught"


def _red(text: str) -> str:
    return click.style(text, fg="red")


def _green(text: str) -> str:
    return click.style(text, fg="green")
