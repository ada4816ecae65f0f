"""`usher test`: exit codes, reports for people and programs, coverage, mutants, watching."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from usher.cli.group import usher
from usher.errors import UsherError

Write = Callable[[str | Mapping[str, str]], Path]
Run = Callable[..., Result]
PATIENCE_SECONDS = 60

POLICY = """\
policy: p
rules:
  - id: titled
    when: get(user, 'city', '') == 'Ulm' && get(user, 'state', '') != 'x'
    set: {user.title: {value: Clerk}}
"""
HEAD = """\
tests_for: p
fixtures:
  ann: {user: {login: ann@example.com, city: Ulm}, appuser: {externalId: "1"}}
tests:
"""
GOOD = HEAD + "  - {name: in Ulm, given: ann, expect: {fired: [titled], set: {user.title: Clerk}}}\n"
BAD = (
    GOOD
    + """\
  - {name: elsewhere, given: ann, with: {user.city: Bonn}, expect: {fired: [titled]}}
  - name: by city
    given: ann
    cases:
      ulm: {expect: {set: {user.title: Boss}}}
      bonn: {with: {user.city: Bonn}, expect: {set: {}}}
"""
)
BROKEN = HEAD + "  - {name: in Ulm, given: anne, expect: {fired: [titled]}}\n"
WARNED = GOOD.replace("city: Ulm", "city: Ulm, ctiy: Ulm")


@pytest.fixture
def folder_of(write_folder: Write) -> Callable[..., Path]:
    """Return a writer of a policy and its tests."""

    def write(tests: str = GOOD, policy: str = POLICY, **more: str) -> Path:
        return write_folder({"policy.yaml": policy, "policy_test.yaml": tests, **more})

    return write


def told(result: Result) -> str:
    """Return the one clear line of a refusal."""
    assert isinstance(result.exception, UsherError)
    return str(result.exception)


def without_seconds(text: str) -> str:
    """Return a report without what a clock puts into it."""
    text = re.sub(r'("seconds": |time=")[0-9.]+', r"\g<1>0", text)
    return re.sub(r"\([0-9.]+ s\)", "(0 s)", text)


# Exit codes.


def test_tests_that_pass_exit_0(run: Run, folder_of: Callable[..., Path]) -> None:
    """A line per file on stdout, the count on stderr."""
    folder = folder_of()
    result = run("test", folder)
    assert result.stdout == f"{folder.as_posix()}/policy_test.yaml: 1 passed\n"
    assert without_seconds(result.stderr) == "1 case, 0 failed (0 s)\n"


def test_a_test_that_fails_exits_1(run: Run, folder_of: Callable[..., Path]) -> None:
    """With what was expected, what came, and why; the count says how many."""
    folder = folder_of(BAD)
    result = run("test", folder, expected=1)
    assert (
        result.stdout.replace(f"{folder.as_posix()}/", "")
        == """\
policy_test.yaml: 2 failed, 2 passed
  FAILED elsewhere (policy_test.yaml:6:5)
    fired p/titled (policy_test.yaml:6:69)
      expected "p/titled"
      came     nothing
      p/titled: not fired, false at policy.yaml:4:11
        get(user, 'city', '') == 'Ulm' is false: get(user, 'city', '') = "Bonn"
  FAILED by city[ulm] (policy_test.yaml:10:7)
    set user.title (policy_test.yaml:10:28)
      expected "Boss"
      came     "Clerk"
      p/titled: fired (policy.yaml:3:5)
"""
    )
    assert without_seconds(result.stderr) == "4 cases, 2 failed (0 s)\n"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"policy.yaml": POLICY}, "no-tests"),
        ({"policy.yaml": POLICY, "policy_test.yaml": ""}, "no-tests"),
        ({"policy.yaml": POLICY, "policy_test.yaml": BROKEN}, "unknown-fixture"),
        ({"policy.yaml": POLICY.replace("get(", "gte(", 1), "policy_test.yaml": GOOD}, "unknown-function"),
        ({"policy_test.yaml": GOOD}, "no-policies"),
        ({}, "no-policies"),
    ],
)
def test_what_cannot_be_tested_exits_1(run: Run, write_folder: Write, files: dict[str, str], code: str) -> None:
    """No tests, tests with an error, policies with one: the problems are told, nothing is run."""
    folder = write_folder(files)
    result = run("test", folder, expected=1)
    assert [line.split(": ")[1] for line in result.stdout.splitlines()] == [code]
    assert without_seconds(result.stderr) == "0 cases, 0 failed (0 s)\n"


def test_no_folder_at_all_is_a_finding(run: Run) -> None:
    """One line, exit 1, as `check` says it."""
    assert ": no-folder: " in run("test", "nowhere", expected=1).stdout


def test_a_file_with_an_error_does_not_hide_the_others(run: Run, folder_of: Callable[..., Path]) -> None:
    """They are run, and the exit code tells all the same."""
    result = run("test", folder_of(GOOD, **{"a_test.yaml": BROKEN}), expected=1)
    assert [line.split(": ")[1] for line in result.stdout.splitlines()] == ["unknown-fixture", "1 passed"]


def test_a_warning_alone_is_no_failure(run: Run, folder_of: Callable[..., Path]) -> None:
    """It is told before the results."""
    first, second = run("test", folder_of(WARNED)).stdout.splitlines()
    assert ": warning: unknown-attribute: " in first
    assert second.endswith(": 1 passed")


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "xml"],
        ["--threshold", "101"],
        ["--threshold", "-1"],
        ["--threshold", "many"],
        ["--mutant-threshold", "100.1"],
        ["--nonsense"],
        ["one", "two"],
        ["-k"],
    ],
)
def test_misuse_exits_2(run: Run, options: list[str]) -> None:
    """With click's usage line, and no report."""
    result = run("test", *options, expected=2)
    assert result.stdout == ""
    assert "Error: " in result.stderr


def test_schemas_that_cannot_be_read_exit_2(run: Run, folder_of: Callable[..., Path], folder: Path) -> None:
    """It is the installation, not the tests."""
    (folder / "schemas").mkdir()
    said = told(run("test", folder_of(), "--set", "schemas.folder=schemas", expected=2))
    assert "import-request.schema.json: unreadable: " in said


def test_without_a_folder_the_settings_policies_are_tested(
    run: Run, folder: Path, folder_of: Callable[..., Path]
) -> None:
    """Else the shipped ones, which pass their own tests."""
    shipped = run("test")
    assert "failed" not in shipped.stdout
    assert "logins_test.yaml: " in shipped.stdout
    (folder / "usher.toml").write_text(f'[policies]\nfolder = "{folder_of(BAD).as_posix()}"\n', encoding="utf-8")
    assert "FAILED elsewhere" in run("test", expected=1).stdout


def test_nothing_is_left_behind(run: Run, folder: Path, folder_of: Callable[..., Path]) -> None:
    """No ledger, no log, no state."""
    policies = folder_of(BAD)
    before = sorted(policies.rglob("*"))
    run("test", policies, "--coverage", expected=1)
    assert list(folder.iterdir()) == []
    assert sorted(policies.rglob("*")) == before


# Choosing.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("in Ulm", ["in Ulm"]),
        ("city", ["by city[ulm]", "by city[bonn]"]),
        ("[bonn]", ["by city[bonn]"]),
        ("e", ["elsewhere"]),
        ("", ["in Ulm", "elsewhere", "by city[ulm]", "by city[bonn]"]),
    ],
)
def test_k_chooses_cases_by_their_names(run: Run, folder_of: Callable[..., Path], text: str, names: list[str]) -> None:
    """By a part of the name, cases included; the order stays."""
    result = run(
        "test", folder_of(BAD), "-k", text, "--format", "json", expected=int("e" in text or "city" in text or not text)
    )
    assert [case["name"] for case in json.loads(result.stdout)["cases"]] == names


def test_k_that_chooses_nothing_exits_1(run: Run, folder_of: Callable[..., Path]) -> None:
    """A typing error must not look like success."""
    result = run("test", folder_of(), "-k", "in Ulmm", expected=1)
    assert "no case is named like 'in Ulmm'" in result.stderr


# Reports.


def test_files_and_cases_come_in_one_order(run: Run, folder_of: Callable[..., Path]) -> None:
    """Files by name, cases as they stand in them, whatever the format; two runs say the same."""
    more = {"z_test.yaml": GOOD, "a/b_test.yml": GOOD, "a.b_test.yaml": BAD}
    folder = folder_of(BAD, **more)
    for name in ("pretty", "json", "junit", "github"):
        first, second = (run("test", folder, "--format", name, "--coverage", expected=1).stdout for _ in range(2))
        assert without_seconds(first) == without_seconds(second)
    result = json.loads(run("test", folder, "--format", "json", expected=1).stdout)
    files = [case["file"].removeprefix(f"{folder.as_posix()}/") for case in result["cases"]]
    assert list(dict.fromkeys(files)) == ["a/b_test.yml", "a.b_test.yaml", "policy_test.yaml", "z_test.yaml"]
    names = [case["name"] for case in result["cases"] if case["file"].endswith("/policy_test.yaml")]
    assert names == ["in Ulm", "elsewhere", "by city[ulm]", "by city[bonn]"]


def test_json_says_all_of_it(run: Run, folder_of: Callable[..., Path]) -> None:
    """One object: counts, problems, every case with its differences, and why."""
    folder = folder_of(BAD, **{"a_test.yaml": BROKEN})
    data = json.loads(run("test", folder, "--format", "json", expected=1).stdout)
    assert (data["passed"], data["failed"]) == (2, 2)
    assert [problem["code"] for problem in data["problems"]] == ["unknown-fixture"]
    assert (data["coverage"], data["mutants"]) == (None, None)
    passed = data["cases"][0]
    assert (passed["name"], passed["passed"], passed["failures"], passed["tests_for"]) == ("in Ulm", True, [], "p")
    (failure,) = data["cases"][1]["failures"]
    assert (failure["what"], failure["expected"], failure["came"]) == ("fired p/titled", "p/titled", None)
    assert (failure["line"], failure["column"], failure["step"]) == (6, 69, 0)
    (rule,) = failure["rules"]
    assert (rule["rule"], rule["standing"], rule["line"], rule["column"]) == ("p/titled", "false", 4, 11)
    (reason,) = rule["reasons"]
    assert reason["text"] == "get(user, 'city', '') == 'Ulm'"
    assert reason["values"] == [{"text": "get(user, 'city', '')", "value": "Bonn", "note": ""}]
    (failure,) = data["cases"][2]["failures"]
    assert (failure["expected"], failure["came"]) == ("Boss", "Clerk")


def suites(result: Result) -> ET.Element:
    """Return the document's root, in which every total must be right."""
    root = ET.fromstring(result.stdout)  # noqa: S314 - our own report
    for total in ("tests", "failures", "errors"):
        assert int(root.attrib[total]) == sum(int(suite.attrib[total]) for suite in root)
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
    return root


def test_junit_is_xml_with_a_suite_per_file(run: Run, folder_of: Callable[..., Path]) -> None:
    """Problems are errors, differences failures; all totals are right."""
    folder = folder_of(BAD, **{"a_test.yaml": BROKEN})
    result = run("test", folder, "--format", "junit", expected=1)
    assert result.stdout.startswith('<?xml version="1.0" encoding="utf-8"?>\n<testsuites ')
    root = suites(result)
    assert [(suite.attrib["name"].rpartition("/")[2], len(suite)) for suite in root] == [
        ("problems", 1),
        ("policy_test.yaml", 4),
    ]
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.attrib["type"] == "unknown-fixture"
    cases = {case.attrib["name"]: case for case in root[1]}
    assert list(cases) == ["in Ulm", "elsewhere", "by city[ulm]", "by city[bonn]"]
    assert (cases["elsewhere"].attrib["line"], cases["in Ulm"].find("failure")) == ("6", None)
    failure = cases["elsewhere"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "fired p/titled"
    assert "get(user, 'city', '') == 'Ulm' is false: get(user, 'city', '') = \"Bonn\"" in (failure.text or "")
    assert suites(run("test", folder_of(), "--format", "junit")).attrib["failures"] == "0"


def test_junit_holds_what_xml_cannot(run: Run, folder_of: Callable[..., Path]) -> None:
    """Names and values with markup, control characters and signs beyond the plane arrive, or a mark for them."""
    name = '"<b>&amp; \\u0001\\u001b[31m \\U0001F600 ]]> \\u2028"'
    tests = HEAD + f"  - {{name: {name}, given: ann, with: {{user.city: {name}}}, expect: {{fired: [titled]}}}}\n"
    root = suites(run("test", folder_of(tests), "--format", "junit", expected=1))
    (case,) = root[0]
    assert case.attrib["name"].startswith("<b>&amp; \ufffd\ufffd[31m \U0001f600 ]]>")
    assert "\x1b" not in ET.tostring(case, encoding="unicode")


ANNOTATION = re.compile(r"::(error|warning) file=([^,:]+)(?:,line=([0-9]+),col=([0-9]+))?,title=([a-z-]+)::(.+)")


def test_github_gets_an_annotation_for_every_difference(run: Run, folder_of: Callable[..., Path]) -> None:
    """At the line that expects it; a message of several lines is one command."""
    folder = folder_of(BAD, **{"a_test.yaml": BROKEN})
    result = run("test", folder, "--format", "github", expected=1)
    found = [ANNOTATION.fullmatch(line) for line in result.stdout.splitlines()]
    assert all(found)
    places = [(one[5], one[2].rpartition("/")[2], one[3], one[4]) for one in found if one]
    assert places == [
        ("unknown-fixture", "a_test.yaml", "5", "27"),
        ("policy-test", "policy_test.yaml", "6", "69"),
        ("policy-test", "policy_test.yaml", "10", "28"),
    ]
    assert found[1] is not None
    message = found[1][6].split("%0A")
    assert message[0] == 'elsewhere: fired p/titled: expected "p/titled", came nothing'
    assert message[-1].endswith("== 'Ulm' is false: get(user, 'city', '') = \"Bonn\"")
    assert run("test", folder_of(), "--format", "github").stdout == ""


def test_github_s_signs_are_escaped(run: Run, folder_of: Callable[..., Path]) -> None:
    """A name or a value cannot end the command or begin another."""
    value = '"100 %\\r\\n::error::gotcha"'
    name = value.replace("::", ":")  # a name with two is refused
    tests = HEAD + f"  - {{name: {name}, given: ann, with: {{user.city: {value}}}, expect: {{fired: [titled]}}}}\n"
    folder = folder_of(tests)
    (line,) = run("test", folder, "--format", "github", expected=1).stdout.splitlines()
    found = ANNOTATION.fullmatch(line)
    assert found is not None
    assert found[6].startswith("100 %25 :error:gotcha: fired p/titled: ")
    assert found[6].count("%0A") == 2  # between the lines of the message, and nowhere else


def test_every_format_exits_the_same_and_counts_the_same(run: Run, folder_of: Callable[..., Path]) -> None:
    """The format is a matter of taste."""
    for tests, expected in ((GOOD, 0), (WARNED, 0), (BAD, 1), (BROKEN, 1)):
        folder = folder_of(tests)
        results = [
            run("test", folder, "--format", name, expected=expected) for name in ("pretty", "json", "junit", "github")
        ]
        assert len({without_seconds(result.stderr) for result in results}) == 1


# Colours.


def test_a_pipe_gets_no_colours(run: Run, folder_of: Callable[..., Path]) -> None:
    """Neither does a file."""
    assert "\x1b" not in run("test", folder_of(BAD), expected=1).stdout


@pytest.fixture
def terminal(folder: Path, root: Path) -> Callable[..., str]:
    """Return what runs the command as on a terminal."""
    del folder

    def call(*arguments: object, **environ: str) -> str:
        variables: dict[str, str | None] = {name: None for name in os.environ if name.startswith("USHER_")}
        variables |= {"NO_COLOR": None, "USHER_SCHEMAS_FOLDER": str(root / "schemas"), **environ}
        return CliRunner(env=variables).invoke(usher, [str(argument) for argument in arguments], color=True).stdout

    return call


def test_a_terminal_gets_colours_unless_it_says_otherwise(
    terminal: Callable[..., str], folder_of: Callable[..., Path]
) -> None:
    """Good is green, bad is red; NO_COLOR (no-color.org) takes them away, but not when it is empty."""
    folder = folder_of(BAD)
    plain = terminal("test", folder, NO_COLOR="1")
    assert "\x1b" not in plain
    for coloured in (terminal("test", folder), terminal("test", folder, NO_COLOR="")):
        assert "\x1b[31mFAILED\x1b[0m elsewhere" in coloured
        assert '\x1b[32m"Boss"\x1b[0m' in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b[32m1 passed\x1b[0m" in terminal("test", folder_of())


def test_reports_for_programs_are_never_coloured(terminal: Callable[..., str], folder_of: Callable[..., Path]) -> None:
    """Not even on a terminal."""
    for name in ("json", "junit", "github"):
        assert "\x1b" not in terminal("test", folder_of(BAD), "--format", name)


def program() -> Path:
    """Return the console script beside the interpreter that runs the tests."""
    return Path(sys.executable).with_name("usher.exe" if os.name == "nt" else "usher")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_a_real_terminal_is_recognised(
    folder_of: Callable[..., Path], tmp_path: Path, no_color: str | None, *, coloured: bool
) -> None:
    """The installed command, writing to a pseudo-terminal."""
    import pty  # noqa: PLC0415 - POSIX only

    environ = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}
    environ.pop("NO_COLOR", None)
    environ |= {"TERM": "xterm"} | ({"NO_COLOR": no_color} if no_color else {})
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [program(), "test", folder_of(BAD)], stdout=theirs, stderr=subprocess.DEVNULL, cwd=tmp_path, env=environ
        )
        os.close(theirs)
        said = b""
        try:
            while chunk := os.read(ours, 65_536):
                said += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        assert process.wait(PATIENCE_SECONDS) == 1
    finally:
        os.close(ours)
    assert b"FAILED" in said
    assert (b"\x1b[31m" in said) is coloured


# Coverage.


def test_coverage_tells_what_nobody_saw(run: Run, folder_of: Callable[..., Path]) -> None:
    """What never fired, was never true or never false, at its place; without the option nothing of it."""
    folder = folder_of(HEAD + "  - {name: a, given: ann, with: {user.city: Bonn}, expect: {fired: []}}\n")
    lines = run("test", folder, "--coverage").stdout.replace(f"{folder.as_posix()}/", "").splitlines()
    assert lines[1:] == [
        "policy.yaml:3:5: never fired: p/titled",
        "policy.yaml:4:11: never true: get(user, 'city', '') == 'Ulm' && get(user, 'state', '') != 'x' (p/titled)",
        "policy.yaml:4:11: never true: get(user, 'city', '') == 'Ulm' (p/titled)",
        "policy.yaml:4:45: never true: get(user, 'state', '') != 'x' (p/titled)",
        "policy.yaml:4:45: never false: get(user, 'state', '') != 'x' (p/titled)",
        "coverage 28.5 %: 0 of 1 rules fired, 2 of 6 outcomes seen",
    ]
    assert "coverage" not in run("test", folder).stdout
    data = json.loads(run("test", folder, "--coverage", "--format", "json").stdout)["coverage"]
    assert data["percent"] == 28.57
    assert [(part["line"], part["column"], part["true"], part["false"]) for part in data["parts"]] == [
        (4, 11, 0, 1),
        (4, 11, 0, 1),
        (4, 45, 0, 0),
    ]
    assert [(rule["rule"], rule["fired"], rule["not_fired"], rule["failed"]) for rule in data["rules"]] == [
        ("p/titled", 0, 1, 0)
    ]


FULL = (
    GOOD
    + """\
  - {name: elsewhere, given: ann, with: {user.city: Bonn}, expect: {fired: []}}
  - {name: in x, given: ann, with: {user.state: x}, expect: {fired: []}}
"""
)


@pytest.mark.parametrize(
    ("tests", "threshold", "expected"),
    [(GOOD, "0", 0), (GOOD, "57", 0), (GOOD, "57.2", 1), (GOOD, "100", 1), (FULL, "100", 0)],
)
def test_a_threshold_decides_the_exit_code(
    run: Run, folder_of: Callable[..., Path], tests: str, threshold: str, expected: int
) -> None:
    """Four of seven are 57.1 %; the option alone asks for coverage."""
    result = run("test", folder_of(tests), "--threshold", threshold, expected=expected)
    assert ("coverage is 57.1 %, less than" in result.stderr) is bool(expected)
    assert "coverage " in result.stdout


def test_a_threshold_does_not_make_up_for_a_failing_test(run: Run, folder_of: Callable[..., Path]) -> None:
    """Both count."""
    run("test", folder_of(BAD), "--threshold", "0", expected=1)


def test_an_lcov_file_is_written_whole(run: Run, folder: Path, folder_of: Callable[..., Path]) -> None:
    """One record for the policy; a file that was there is replaced, and nothing else lies beside it."""
    (folder / "out").mkdir()
    trace = folder / "out" / "policies.info"
    trace.write_text("old", encoding="utf-8")
    policies = folder_of()
    result = run("test", policies, "--lcov", trace)
    lines = trace.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["TN:usher", f"SF:{policies.as_posix()}/policy.yaml", "FN:3,p/titled"]
    assert lines[-1] == "end_of_record"
    assert [path.name for path in trace.parent.iterdir()] == ["policies.info"]
    assert "1 passed" in result.stdout


def test_an_lcov_file_that_cannot_be_written_exits_2(run: Run, folder: Path, folder_of: Callable[..., Path]) -> None:
    """One line with its name, after the report; what lies there stays."""
    (folder / "file").write_text("mine", encoding="utf-8")
    for name in ("nowhere/x.info", "file/x.info"):
        result = run("test", folder_of(), "--lcov", name, expected=2)
        assert told(result).startswith(f"{name}: cannot be written: ")
        assert "1 passed" in result.stdout
    assert "is a directory" in run("test", folder_of(), "--lcov", ".", expected=2).stderr
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert (folder / "file").read_text(encoding="utf-8") == "mine"


# Mutants.


def test_mutants_tell_what_no_test_notices(run: Run, folder_of: Callable[..., Path]) -> None:
    """One line each, and the score; all of it as data, too."""
    folder = folder_of(HEAD + "  - {name: a, given: ann, expect: {fired: [titled]}}\n")
    lines = run("test", folder, "--mutants").stdout.replace(f"{folder.as_posix()}/", "").splitlines()
    assert lines[1:] == [
        "policy.yaml:3:5: no test notices: p/titled: set user.title dropped",
        "mutation score 50.0 %: 1 of 2 mutants caught",
    ]
    data = json.loads(run("test", folder, "--mutants", "--format", "json").stdout)["mutants"]
    assert data["score"] == 50.0
    assert [(entry["what"], entry["caught"]) for entry in data["mutants"]] == [
        ("p/titled: when negated", True),
        ("p/titled: set user.title dropped", False),
    ]
    assert data["mutants"][0]["by"].endswith("policy_test.yaml: a")


@pytest.mark.parametrize(("threshold", "expected"), [("50", 0), ("50.1", 1), ("0", 0)])
def test_a_mutant_threshold_decides_the_exit_code(
    run: Run, folder_of: Callable[..., Path], threshold: str, expected: int
) -> None:
    """The option alone asks for mutants."""
    folder = folder_of(HEAD + "  - {name: a, given: ann, expect: {fired: [titled]}}\n")
    result = run("test", folder, "--mutant-threshold", threshold, expected=expected)
    assert ("the mutation score is 50.0 %, less than" in result.stderr) is bool(expected)
    assert "mutation score 50.0 %" in result.stdout


def test_mutants_of_tests_that_fail_are_not_judged(run: Run, folder_of: Callable[..., Path]) -> None:
    """A test that fails anyway catches everything."""
    result = run("test", folder_of(BAD), "--mutants", expected=1)
    assert "mutation score" not in result.stdout
    assert (
        json.loads(run("test", folder_of(BAD), "--mutants", "--format", "json", expected=1).stdout)["mutants"] is None
    )


# Watching.


class Watched:
    """A running `usher test --watch` with what it said so far, line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        threading.Thread(target=self._listen, args=(process.stdout,), daemon=True).start()

    def _listen(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.put(line.decode())

    def line_with(self, text: str, *, within_seconds: float = PATIENCE_SECONDS) -> str | None:
        """Return the next line that holds a text, or None when none comes in time."""
        until = time.monotonic() + within_seconds
        while (left := until - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                return None
            if text in line:
                return line
        return None


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Return a starter of `usher test DIR --watch`; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []
    environ = {name: value for name, value in os.environ.items() if not name.startswith("USHER_")}

    def start(folder: Path, *options: str) -> Watched:
        process = subprocess.Popen(
            [program(), "test", folder, "--watch", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environ,
        )
        started.append(process)
        return Watched(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def saved_until(watched: Watched, path: Path, text: str, expected: str) -> str | None:
    """Save a file until a line comes: nobody knows when the watching has begun."""
    for _ in range(20):
        path.write_text(text, encoding="utf-8")
        if line := watched.line_with(expected, within_seconds=2):
            return line
    return None


@pytest.mark.skipif(os.name != "posix", reason="a process of its own group cannot be interrupted alone elsewhere")
def test_watch_runs_again_on_every_save(watch: Callable[..., Watched], folder_of: Callable[..., Path]) -> None:
    """A test that fails does not end it, nor a policy with an error; Ctrl-C does, without a traceback."""
    folder = folder_of()
    watched = watch(folder)
    assert watched.line_with("policy_test.yaml: 1 passed")
    assert saved_until(watched, folder / "policy_test.yaml", BAD, "policy_test.yaml: 2 failed, 2 passed")
    assert saved_until(watched, folder / "policy.yaml", "policy: p\n", ": missing-key: ")
    assert saved_until(watched, folder / "policy.yaml", POLICY, "policy_test.yaml: 2 failed, 2 passed")
    assert watched.process.poll() is None
    os.kill(watched.process.pid, signal.SIGINT)
    assert watched.process.wait(PATIENCE_SECONDS) == 0


def test_there_is_nothing_to_watch_without_a_folder(run: Run) -> None:
    """The report says so, and the command ends."""
    assert ": no-folder: " in run("test", "nowhere", "--watch", expected=1).stdout


# The reports themselves.


def test_a_path_that_is_no_unicode_can_be_reported(run: Run, folder_of: Callable[..., Path], folder: Path) -> None:
    """By every format that a program reads."""
    if sys.platform != "linux":
        pytest.skip("file names are texts here")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/od\xff"))
    folder_of(BAD).rename(odd)
    for name in ("json", "junit"):
        result = run("test", odd, "--format", name, "--lcov", "x.info", expected=1)
        data: Any = json.loads(result.stdout) if name == "json" else suites(result)
        assert data
    assert b"SF:" + os.fsencode(odd) + b"/policy.yaml" in (folder / "x.info").read_bytes()
