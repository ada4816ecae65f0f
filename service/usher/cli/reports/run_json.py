"""A test run for a program: one JSON object, as docs/policy-language.md describes it."""

import json
from collections.abc import Iterator

from usher.bootstrap.testing import ProofRun
from usher.proof.coverage import Covered
from usher.proof.mutation import Judged, score
from usher.proof.running import CaseResult, Failing
from usher.proof.words import rule_data


def lines(run: ProofRun) -> Iterator[str]:
    """Yield the object, indented."""
    # A path may hold half a surrogate pair: escaped, it can be written to any stream.
    yield from json.dumps(_run(run), indent=1, ensure_ascii=True).splitlines()


def _run(run: ProofRun) -> dict[str, object]:
    return {
        "passed": len(run.results) - len(run.failed),
        "failed": len(run.failed),
        "seconds": round(run.seconds, 3),
        "problems": [problem.as_data() for problem in run.problems],
        "cases": [_case(result) for result in run.results],
        "coverage": None if run.covered is None else _coverage(run.covered),
        "mutants": None if run.judged is None else _mutants(run.judged),
    }


def _case(result: CaseResult) -> dict[str, object]:
    place = result.case.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "tests_for": result.subject,
        "name": result.case.name,
        "passed": result.passed,
        "seconds": round(result.seconds, 6),
        "failures": [_failing(failing) for failing in result.failures],
    }


def _failing(failing: Failing) -> dict[str, object]:
    difference = failing.difference
    return {
        "what": difference.what,
        "expected": difference.expected,
        "came": difference.actual,
        "step": failing.step,
        "file": difference.place.file,
        "line": difference.place.line,
        "column": difference.place.column,
        "hint": failing.hint,
        "rules": [rule_data(account) for account in failing.accounts],
    }


def _coverage(covered: Covered) -> dict[str, object]:
    return {
        "percent": round(covered.percent, 2),
        "rules": [
            {
                "rule": rule.rule,
                "file": rule.place.file,
                "line": rule.place.line,
                "fired": rule.fired,
                "not_fired": rule.not_fired,
                "failed": rule.failed,
            }
            for rule in covered.rules
        ],
        "parts": [
            {
                "rule": part.rule,
                "text": part.text,
                "file": part.place.file,
                "line": part.place.line,
                "column": part.place.column,
                "true": part.true_count,
                "false": part.false_count,
                "failed": part.failed_count,
            }
            for part in covered.parts
        ],
    }


def _mutants(judged: tuple[Judged, ...]) -> dict[str, object]:
    return {
        "score": round(score(judged), 2),
        "mutants": [
            {
                "what": entry.mutant.what,
                "file": entry.mutant.place.file,
                "line": entry.mutant.place.line,
                "caught": entry.caught,
                "by": entry.by,
            }
            for entry in judged
        ],
    }
