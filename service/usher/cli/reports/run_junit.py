"""A test run as JUnit XML, which every CI server reads: a suite per file, a case per case.

Source: the schema of the Jenkins xUnit plugin, which pytest's `xunit2` family follows.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from usher.bootstrap.testing import ProofRun
from usher.domain.place import Problem, Severity
from usher.proof.run_words import failed_lines
from usher.proof.running import CaseResult

# XML 1.0 has no form for these, not even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def lines(run: ProofRun) -> Iterator[str]:
    """Yield the document."""
    errors = [problem for problem in run.problems if problem.severity is Severity.ERROR]
    counts = _counts(len(run.results) + len(errors), len(run.failed), len(errors))
    root = ET.Element("testsuites", {"name": "usher test"} | counts)
    root.set("time", f"{run.seconds:.3f}")
    by_file: dict[str, list[CaseResult]] = {}
    for result in run.results:
        by_file.setdefault(result.file, []).append(result)
    if errors:
        _problems(root, errors)
    for file, results in by_file.items():
        failed = sum(not result.passed for result in results)
        suite = ET.SubElement(root, "testsuite", {"name": _text(file)} | _counts(len(results), failed, 0))
        suite.set("time", f"{sum(result.seconds for result in results):.3f}")
        for result in results:
            _case(suite, result)
    ET.indent(root)
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield from ET.tostring(root, encoding="unicode").splitlines()


def _case(suite: ET.Element, result: CaseResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        name=_text(result.case.name),
        classname=_text(result.file),
        file=_text(result.case.place.file),
        line=str(result.case.place.line),
        time=f"{result.seconds:.6f}",
    )
    if not result.passed:
        first = result.failures[0].difference.what
        failure = ET.SubElement(case, "failure", message=_text(first), type="policy-test")
        failure.text = _text("\n".join(failed_lines(result)))


def _problems(root: ET.Element, errors: list[Problem]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": "problems"} | _counts(len(errors), 0, len(errors)))
    for problem in errors:
        case = ET.SubElement(suite, "testcase", name=_text(str(problem.place)), classname=_text(problem.place.file))
        ET.SubElement(case, "error", message=_text(problem.message), type=problem.code)


def _counts(tests: int, failures: int, errors: int) -> dict[str, str]:
    return {"tests": str(tests), "failures": str(failures), "errors": str(errors)}


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
