"""`pytest DIR` on policy tests, in processes of its own and in folders with their own rootdir."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from xml.etree import ElementTree as ET

import pytest

from tests.integration.installations import CHECKOUT, Ran, run

PYTEST_INI = "[pytest]\nfilterwarnings = error\njunit_family = xunit1\n"

LOGINS = """\
policy: logins
rules:
  - id: german
    when: get(user, 'countryCode', '') == 'DE'
    set: {user.locale: "'de_DE'"}
"""

LOGINS_TEST = """\
# What is expected at the end is wrong.
tests_for: logins
fixtures:
  ann: {user: {login: ann@example.com, firstName: Ann, lastName: Lee}, appuser: {externalId: "1"}}
tests:
  - name: who is nowhere gets nothing
    given: ann
    expect: {set: {}}
  - name: by country
    given: ann
    cases:
      germany: {with: {user.countryCode: DE}, expect: {set: {user.locale: de_DE}}}
      austria: {with: {user.countryCode: AT}, expect: {set: {user.locale: de_AT}}}
  - name: "an arrow -> / and (brackets)"
    given: ann
    with: {user.countryCode: DE}
    expect:
      set: {user.locale: fr_FR}
"""

# It begins with a byte order mark, and its subject is quoted and does not stand first: it is run all the same.
PLAIN_TEST = """\
\ufefffixtures:
  bob: {user: {login: bob@example.com, firstName: Bob, lastName: Lee}, appuser: {externalId: "2"}}
"tests_for": '*'
tests:
  - name: bob is let be
    given: bob
    expect: {set: {}}
"""

BROKEN_TEST = """\
tests_for: login
tests:
  - name: nobody is given
    given: nobody
    expect: {set: {user.nickname: x}}
"""
BROKEN_TOLD = """\
policies/broken_test.yaml:1:1: missing-key: fixtures is missing
policies/broken_test.yaml:1:12: unknown-policy: login is not in this folder; did you mean logins?
policies/broken_test.yaml:4:12: unknown-fixture: nobody is not in the fixtures
policies/broken_test.yaml:5:20: unknown-attribute: nickname is not in the user profile schema; did you mean nickName?
"""

MIXED = {
    "pytest.ini": PYTEST_INI,
    "policies/logins.yaml": LOGINS,
    "policies/logins_test.yaml": LOGINS_TEST,
    "policies/sub/plain_test.yml": PLAIN_TEST,
    "policies/broken_test.yaml": BROKEN_TEST,
    "policies/no_payload_test.yaml": 'tests_for: "*"\nfixtures: {cut: {request: cut.json}}\ntests: []\n',
    "policies/testdata/cut.json": '{"data":\n',
}
AUSTRIA = "policies/logins_test.yaml::by country[austria]"
ARROW = "policies/logins_test.yaml::an arrow -> / and (brackets)"
FAILING = {"by country[austria]", "an arrow -> / and (brackets)"}
AUSTRIA_TOLD = """\
  FAILED by country[austria] (policies/logins_test.yaml:13:7)
    set user.locale (policies/logins_test.yaml:13:62)
      expected "de_AT"
      came     nothing
      logins/german: not fired, false at policies/logins.yaml:4:11
        get(user, 'countryCode', '') == 'DE' is false: get(user, 'countryCode', '') = "AT"
"""

Outcomes = Mapping[tuple[str, int, str], bool]
"""Whether a case passed, by file, line from 1, and name."""


@dataclass(frozen=True, slots=True)
class PytestRun:
    """What a pytest process left behind."""

    code: int
    out: str
    outcomes: Outcomes
    junit: str

    @property
    def passed(self) -> set[str]:
        """The names of the cases that passed."""
        return {name for (_, _, name), passed in self.outcomes.items() if passed}

    @property
    def failed(self) -> set[str]:
        """The names of the cases that failed."""
        return {name for (_, _, name), passed in self.outcomes.items() if not passed}


def run_pytest(folder: Path, *arguments: str | Path, **environ: str) -> PytestRun:
    """Run pytest in a folder, without the plugins that take long to import and without the outer run's options."""
    quiet = "-p no:hypothesispytest -p no:anyio -p no:schemathesis"
    junit = folder / "junit.xml"
    junit.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--junitxml", junit, *arguments]
    ran = run(command, folder, stdin=b"", PYTEST_ADDOPTS=quiet, COLUMNS="200", PY_COLORS="0", CI="", **environ)
    assert ran.err == ""
    text = junit.read_text(encoding="utf-8") if junit.exists() else "<none/>"
    return PytestRun(ran.code, ran.out, outcomes_of(text), text)


def outcomes_of(junit: str) -> Outcomes:
    """Return the outcomes of a JUnit file of pytest, whose lines are counted from 0; files not collected have none."""
    return {
        (case.get("file", ""), int(case.get("line", "")) + 1, case.get("name", "")): case.find("failure") is None
        for case in ET.fromstring(junit).iter("testcase")  # noqa: S314 - written by pytest a moment ago
        if case.find("error") is None
    }


def run_usher(folder: Path, *arguments: str) -> Ran:
    """Run `usher test`."""
    return run([Path(sys.executable).parent / "usher", "test", *arguments], folder)


def outcomes_of_usher(folder: Path) -> Outcomes:
    """Return what `usher test policies` finds."""
    cases = json.loads(run_usher(folder, "policies", "--format", "json").out)["cases"]
    return {(case["file"], case["line"], case["name"]): case["passed"] for case in cases}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files by their paths."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project where tests pass, fail and cannot be run."""
    return write(tmp_path_factory.mktemp("mixed"), MIXED)


@pytest.fixture(scope="module")
def whole(mixed: Path) -> PytestRun:
    """Return one run of all of it, which `--lf` goes by later."""
    return run_pytest(mixed, "-v")


def test_pytest_and_usher_test_agree_on_every_shipped_test(tmp_path: Path) -> None:
    """Every case has the same file, line, name and outcome, all pass, and no test file is left out."""
    shutil.copytree(CHECKOUT / "policies", tmp_path / "policies")
    write(tmp_path, {"pytest.ini": PYTEST_INI})
    ran = run_pytest(tmp_path, "-q", "policies")
    assert ran.code == 0, ran.out
    assert ran.outcomes == outcomes_of_usher(tmp_path)
    assert {file for file, _, _ in ran.outcomes} == {
        f"policies/{path.name}" for path in (CHECKOUT / "policies").glob("*_test.yaml")
    }
    assert all(ran.outcomes.values())


def test_pytest_and_usher_test_agree_where_tests_fail_and_files_are_broken(whole: PytestRun, mixed: Path) -> None:
    """A broken file fails the run at both doors, and keeps none of the other files from being run."""
    assert whole.code == 1
    assert whole.outcomes == outcomes_of_usher(mixed)
    assert whole.failed == FAILING
    assert whole.passed == {"who is nowhere gets nothing", "by country[germany]", "bob is let be"}


def test_an_item_has_a_readable_id_and_its_line(whole: PytestRun) -> None:
    """The id is path and name, as the test file has them; the line is that of the name or of the case."""
    assert f"{AUSTRIA} FAILED" in whole.out
    assert "policies/logins_test.yaml::who is nowhere gets nothing PASSED" in whole.out
    lines = LOGINS_TEST.splitlines()
    found = {name: lines[line - 1] for file, line, name in whole.outcomes if file.endswith("logins_test.yaml")}
    assert found["who is nowhere gets nothing"] == "  - name: who is nowhere gets nothing"
    assert found["by country[austria]"].startswith("      austria: ")


def test_a_failure_says_what_usher_test_says(whole: PytestRun, mixed: Path) -> None:
    """What was expected, what came, and why not at file:line:column; no traceback."""
    assert AUSTRIA_TOLD in whole.out
    assert AUSTRIA_TOLD in run_usher(mixed, "policies").out
    assert "Traceback" not in whole.out
    assert "pytest_plugin.py" not in whole.out


def test_the_short_summary_says_what_differs(whole: PytestRun) -> None:
    """The line of a failed case ends with its first difference."""
    assert f"FAILED {AUSTRIA} - set user.locale\n" in whole.out


def test_a_broken_file_lists_its_own_problems_and_no_others(whole: PytestRun) -> None:
    """One problem a line, as `usher check` prints them; what is wrong with a payload stands at the payload."""
    broken, _, rest = whole.out.partition("ERROR collecting policies/broken_test.yaml ")[2].partition("\n____")
    assert broken.partition("\n")[2] == BROKEN_TOLD.rstrip("\n")
    problems = rest.partition("ERROR collecting policies/no_payload_test.yaml ")[2].partition("\n===")[0]
    places = [line.split(" ")[0] for line in problems.splitlines()[1:]]
    assert "policies/testdata/cut.json:2:1:" in places
    assert not any("/broken_test.yaml" in place for place in places)


def test_junit_has_the_reason_without_colours(mixed: Path) -> None:
    """On a terminal what is wrong is red; in the JUnit file of the same run it is plain."""
    ran = run_pytest(mixed, "policies/logins_test.yaml", "--color=yes")
    assert "\x1b[31mFAILED\x1b[0m by country[austria] (policies/logins_test.yaml:13:7)\n" in ran.out
    assert "came     \x1b[31mnothing\x1b[0m\n" in ran.out
    failures = [failure.text for failure in ET.fromstring(ran.junit).iter("failure")]  # noqa: S314 - see above
    assert failures[0] == AUSTRIA_TOLD.rstrip("\n")


def test_two_processes_find_what_one_finds(whole: PytestRun, mixed: Path) -> None:
    """With `-n 2` there are the same outcomes and the same words, and broken files fail the run, too."""
    ran = run_pytest(mixed, "-n", "2")
    assert (ran.code, ran.outcomes) == (1, whole.outcomes)
    assert AUSTRIA_TOLD in ran.out
    assert BROKEN_TOLD in ran.out


@pytest.mark.usefixtures("whole")
def test_last_failed_runs_what_failed(mixed: Path) -> None:
    """`--lf` runs the cases that failed and no other of their file."""
    ran = run_pytest(mixed, "--lf")
    assert ran.failed == FAILING
    assert not ran.passed & {"who is nowhere gets nothing", "by country[germany]"}


@pytest.mark.parametrize(
    ("arguments", "passed", "failed"),
    [
        (["-k", "country and not germany"], set(), {"by country[austria]"}),
        (["-x"], {"who is nowhere gets nothing", "by country[germany]"}, {"by country[austria]"}),
        (["--deselect", AUSTRIA, "--deselect", ARROW], {"who is nowhere gets nothing", "by country[germany]"}, set()),
    ],
)
def test_cases_are_chosen_as_other_tests_are(
    mixed: Path, arguments: list[str], passed: set[str], failed: set[str]
) -> None:
    """`-k`, `-x` and `--deselect` mean what they mean elsewhere."""
    ran = run_pytest(mixed, "policies/logins_test.yaml", *arguments)
    assert (ran.passed, ran.failed) == (passed, failed)
    assert ran.code == (1 if failed else 0)


def test_one_case_is_run_by_its_id_from_any_folder(mixed: Path) -> None:
    """Paths in what is said lead from the working directory, the id from rootdir; a cache is not needed."""
    ran = run_pytest(mixed / "policies" / "sub", f"../../{AUSTRIA}", "-p", "no:cacheprovider")
    assert (ran.code, ran.passed, ran.failed) == (1, set(), {"by country[austria]"})
    assert AUSTRIA_TOLD.replace("policies/", "../") in ran.out


def test_collecting_runs_nothing(mixed: Path) -> None:
    """`--collect-only` lists the ids and still fails because of what is broken."""
    ran = run_pytest(mixed, "--collect-only", "-q", "-p", "no:cacheprovider")
    assert ran.code == 1
    assert {line for line in ran.out.splitlines() if line.startswith("policies/")} >= {
        AUSTRIA,
        ARROW,
        "policies/sub/plain_test.yml::bob is let be",
    }


def test_other_errors_interrupt_as_they_always_do(tmp_path: Path) -> None:
    """Where a Python file cannot be imported either, nothing is run."""
    ran = run_pytest(write(tmp_path, {**MIXED, "test_cut.py": "import nowhere\n"}))
    assert (ran.code, ran.outcomes) == (2, {})
    assert "3 errors during collection" in ran.out


def test_errors_of_the_policies_are_told_and_other_folders_run(tmp_path: Path) -> None:
    """Tests of policies with errors are not run; the run fails, with the policies' problems and not the tests'."""
    files = {f"sound/{name}": text for name, text in MIXED.items() if "broken" not in name and "payload" not in name}
    cut = {"cut/policies/cut.yaml": "policy: cut\nrules: 1\n", "cut/policies/cut_test.yaml": BROKEN_TEST}
    ran = run_pytest(write(tmp_path, {"pytest.ini": PYTEST_INI, **files, **cut}), "cut", "sound")
    assert ran.code == 1
    assert "cut/policies/cut.yaml:2:1: wrong-type: " in ran.out
    assert "unknown-policy" not in ran.out
    assert "bob is let be" in ran.passed


def a_test(name: str, *, held_in: str = "login") -> str:
    """Return a sound test; what is held is held in a namespace that the settings must declare."""
    return f"""\
tests_for: logins
ledger: [{{namespace: {held_in}, value: "7", subject: "1"}}]
fixtures: {{ann: {{user: {{login: ann@example.com}}}}}}
tests:
  - name: {name}
    given: ann
    expect: {{set: {{}}}}
"""


LAYOUTS = {
    "pytest.ini": PYTEST_INI + "usher_policies = mine/rules\n",
    # The ini option's folder, where every test file counts.
    "mine/rules/logins.yaml": LOGINS,
    "mine/rules/deep/policies/logins_test.yaml": a_test("ini option"),
    "mine/rules/subjectless_test.yaml": "tests: []\n",
    "mine/rules/testdata/data_test.yaml": a_test("testdata of the ini option's"),
    # The folder of the nearest settings file, which also declares a namespace.
    "served/usher.toml": '[policies]\nfolder = "../served/rules"\n[ledger.namespaces.badge]\n',
    "served/rules/logins.yaml": LOGINS,
    "served/rules/deep/policies/logins_test.yaml": a_test("settings", held_in="badge"),
    "served/rules/typo_test.yaml": a_test("typo").replace("tests_for", "test_for"),
    # A settings file that says nothing of the folder, and the nearest folder named policies.
    "named/usher.toml": '[policies]\nfolder = "elsewhere"\n',
    "named/policies/logins.yaml": LOGINS,
    "named/policies/deep/logins_test.yaml": a_test("named policies"),
    "named/policies/empty_test.yaml": "",
    # The file's own folder.
    "own/logins.yaml": LOGINS,
    "own/logins_test.yaml": a_test("own folder"),
    "own/indented_test.yaml": "# A comment.\n---\n" + indent(a_test("indented"), "  "),
    "own/braces_test.yaml": "{fixtures: {ann: {user: {login: ann@example.com}}}, 'tests_for': logins,\n"
    " tests: [{name: in braces, given: ann, expect: {set: {}}}]}\n",
    "own/returns_test.yaml": a_test("carriage returns").replace("\n", "\r"),
    # Settings that cannot be used.
    "wrong/usher.toml": "[server]\nport = true\n",
    "wrong/logins_test.yaml": a_test("wrong settings"),
    # Data and what others call tests.
    "named/policies/testdata/data_test.yaml": a_test("testdata"),
    "named/policies/tables/data_test.yaml": a_test("tables"),
    "others/testdata/policies/data_test.yaml": a_test("testdata above"),
    "others/typo_test.yaml": a_test("typo of others").replace("tests_for", "test_for"),
    "others/empty_test.yaml": "",
    "others/list_test.yaml": "- tests_for: logins\n",
    "named/policies/.hidden/logins_test.yaml": a_test("hidden"),
    "others/compose_test.yaml": "services:\n  tests_for: logins\n",
    "others/latin_test.yml": "name: \xe4\n",
    "others/tests_for.yaml": "tests_for: logins\n",
    "others/test_code.py": "def test_code(): pass\n",
}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> PytestRun:
    """Return a run over every place that policies can be kept in, with a settings file in the environment."""
    folder = write(tmp_path_factory.mktemp("layouts"), LAYOUTS)
    hidden = "named/policies/.hidden/logins_test.yaml"
    return run_pytest(folder, ".", hidden, USHER_CONFIG="nowhere.toml", USHER_SERVER_PORT="no number")


def test_a_file_belongs_to_the_folder_that_is_declared_or_named(layouts: PytestRun) -> None:
    """The ini option's folder, else the settings', else the nearest one named policies, else the file's own."""
    own = {"own folder", "indented", "in braces", "carriage returns"}
    assert layouts.passed == {"ini option", "settings", "named policies", *own, "test_code"}
    assert not layouts.failed


def test_variables_do_not_count_and_faulty_settings_do(layouts: PytestRun) -> None:
    """What is wrong with the nearest usher.toml is told for its test files; what variables say is not even read."""
    assert layouts.code == 1
    assert "wrong/usher.toml:2:1: " in layouts.out
    assert "nowhere.toml" not in layouts.out
    assert layouts.out.count("ERROR collecting") == 4


def test_in_a_folder_of_policies_a_test_without_a_subject_is_an_error(layouts: PytestRun) -> None:
    """There it is no one else's file: to `usher test` it is an error as well."""
    assert "mine/rules/subjectless_test.yaml:1:1: missing-key: " in layouts.out
    assert "served/rules/typo_test.yaml:1:1: unknown-key: test_for is not known here; did you mean tests_for?" in (
        layouts.out
    )
    assert "named/policies/empty_test.yaml: no-tests: " in layouts.out


def test_the_name_of_a_folder_above_rootdir_says_nothing(tmp_path: Path) -> None:
    """A project may lie in a folder that is called policies for reasons of its own."""
    files = {"pytest.ini": PYTEST_INI, "compose_test.yaml": "services: {}\n", "test_code.py": "def test_code(): pass\n"}
    ran = run_pytest(write(tmp_path / "policies" / "project", files))
    assert (ran.code, ran.passed) == (0, {"test_code"}), ran.out


def test_half_a_character_hides_no_other_file(tmp_path: Path) -> None:
    """Its problems can be told, also between processes, and the other files are run."""
    half = 'tests_for: "\\ud800"\n' + a_test("half").partition("\n")[2].replace("ann@", "\\ud801@")
    files = {
        "policies/logins.yaml": LOGINS,
        "policies/half_test.yaml": half,
        "policies/whole_test.yaml": a_test("whole"),
    }
    ran = run_pytest(write(tmp_path, {"pytest.ini": PYTEST_INI, **files}), "-n", "2")
    assert (ran.code, ran.passed) == (1, {"whole"}), ran.out
    assert "policies/half_test.yaml:1:12: not-unicode: " in ran.out
    assert "unknown-policy: \\ud800 is not in this folder" in ran.out


def test_a_defect_of_ours_fails_the_files_alone(tmp_path: Path) -> None:
    """Whatever comes out of loading a folder: all other tests are run, and no traceback of ours is shown."""
    breaking = """\
import usher.bootstrap.policy_folders

def broken(*_):
    raise ZeroDivisionError("nobody thought of that")

usher.bootstrap.policy_folders.load_tests = broken
"""
    files = {"conftest.py": breaking, "policies/logins.yaml": LOGINS, "policies/logins_test.yaml": a_test("one")}
    files["test_code.py"] = "def test_code(): pass\n"
    ran = run_pytest(write(tmp_path, {"pytest.ini": PYTEST_INI, **files}))
    assert (ran.code, ran.passed) == (1, {"test_code"}), ran.out
    assert "its policy folder cannot be loaded: ZeroDivisionError: nobody thought of that" in ran.out
    assert "policy_folders.py" not in ran.out


def test_a_run_without_policy_tests_imports_nothing(tmp_path: Path) -> None:
    """The plugin is active and looks at files of others, and neither Usher nor what it needs is imported."""
    rooms = "usher.proof usher.engine usher.bootstrap usher.settings celpy jsonschema ruamel"
    code = f"""\
import sys

def test_modules():
    assert "usher.pytest_plugin" in sys.modules
    assert not {{*"{rooms}".split()}} & {{*sys.modules}}
    assert {{name for name in sys.modules if name.startswith("usher.")}} == {{"usher.pytest_plugin"}}
"""
    files = {"pytest.ini": PYTEST_INI, "test_modules.py": code, "compose_test.yaml": "services: {}\n"}
    ran = run_pytest(write(tmp_path, files))
    assert (ran.code, ran.passed) == (0, {"test_modules"}), ran.out


def test_no_golden_file_of_this_project_is_collected(request: pytest.FixtureRequest) -> None:
    """Policy tests below tests/golden are broken on purpose; those of the shipped policies are run with the rest."""
    config = request.config
    golden = CHECKOUT / "tests" / "golden"
    ignores: Callable[..., object] = config.hook.pytest_ignore_collect
    assert ignores(collection_path=golden, config=config)
    assert config.getini("testpaths") == ["tests", "policies"]
