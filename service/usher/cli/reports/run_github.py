"""A test run as annotations of GitHub Actions: one per problem, and one per difference at the line that expects it."""

from collections.abc import Iterator

from usher.bootstrap.testing import ProofRun
from usher.cli.reports import github
from usher.domain.place import Problem
from usher.proof.run_words import shown
from usher.proof.running import CaseResult
from usher.proof.words import rule_lines

CODE = "policy-test"


def lines(run: ProofRun) -> Iterator[str]:
    """Yield the annotations."""
    yield from github.lines(run.problems)
    for result in run.failed:
        yield from github.lines(_failures(result))


def _failures(result: CaseResult) -> Iterator[Problem]:
    for failing in result.failures:
        difference = failing.difference
        expected, came = shown(difference.expected), shown(difference.actual)
        told = [f"{result.case.name}: {difference.what}: expected {expected}, came {came}"]
        told += [failing.hint] if failing.hint else []
        told += [line for account in failing.accounts for line in rule_lines(account)]
        yield Problem(difference.place, CODE, "\n".join(told))
