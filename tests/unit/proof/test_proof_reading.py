"""Test files as they are read: bad ones beside the problems they must give, good ones as what they say."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.bootstrap.schemas import Schemas
from usher.domain.place import Problem, Severity
from usher.proof.cases import CaseFile
from usher.proof.fixtures import inline_request, with_value, without
from usher.proof.suite import Suite

SuiteIn = Callable[..., Suite]
MakeSuite = Callable[..., Suite]
GOLDEN = Path(__file__).parents[2] / "golden" / "policy_tests"
CASES = sorted(path.name for path in GOLDEN.iterdir())
POLICY = """\
policy: p
constants: {domain: example.com, size: 3}
rules:
  - id: titled
    when: "'login' in context.conflicts"
    set: {user.title: {value: Clerk}}
"""


def line_of(problem: Problem, folder: Path) -> str:
    """Return a problem as `usher test` prints it, with paths below the folder, which itself is a dot."""
    warning = "warning: " if problem.severity is Severity.WARNING else ""
    told = f"{problem.place}: {warning}{problem.code}: {problem.message}"
    return told.replace(f"{folder.as_posix()}/", "").replace(f"{folder.as_posix()}", ".")


@pytest.mark.parametrize("case", CASES)
def test_bad_tests_give_exactly_the_expected_problems(suite_in: SuiteIn, case: str) -> None:
    """All problems at once, sorted, each `file:line:column: code: message`; a file with an error is not run."""
    folder = GOLDEN / case
    suite = suite_in(folder)
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert [line_of(problem, folder) for problem in suite.problems] == expected
    assert list(suite.problems) == sorted(suite.problems)
    at_fault = {problem.place.file for problem in suite.errors}
    assert not at_fault & {file.file for file in suite.files}
    assert (suite.case_count > 0) is not bool(suite.errors)


def codes_in(source: str) -> set[str]:
    """Return the codes of problems that a module can give."""
    takers = {"Problem", "add", "known"}
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in takers:
            texts = {part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)}
            found |= {text for text in texts if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", text)}
        if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.target) == "_CODES":
            found |= set(ast.literal_eval(node.value).values())
    return found


def test_every_code_of_a_test_file_has_a_golden_case(root: Path) -> None:
    """A code that no case shows is a code nobody has seen."""
    package = root / "service" / "usher"
    modules = [*(package / "proof").glob("*.py"), package / "engine" / "structure.py"]
    codes = set().union(*(codes_in(path.read_text(encoding="utf-8")) for path in modules))
    # Those whose names are put together, that of structure which is the rest, and those of YAML and of files.
    codes |= {"unknown-constant", "unknown-table", "bad-value", "yaml-syntax", "no-tags", "not-utf8", "duplicate-key"}
    assert {"unknown-policy", "absent-path", "missing-key", "no-such-file", "empty-expectation"} <= codes
    shown = "\n".join((GOLDEN / case / "expected.txt").read_text(encoding="utf-8") for case in CASES)
    assert {code for code in codes if f": {code}: " not in shown} == set()


# What a good file says.


def read(make: MakeSuite, tests: str, **more: str) -> CaseFile:
    """Return the one test file, which has no error."""
    suite = make({"policy.yaml": POLICY, "policy_test.yaml": tests, **more})
    assert suite.errors == (), [str(problem) for problem in suite.errors]
    (file,) = suite.files
    return file


def bodies(file: CaseFile) -> list[object]:
    """Return the requests of a file, step by step."""
    return [json.loads(step.body) for case in file.cases for step in case.steps]


HEAD = """\
tests_for: p
fixtures:
  ann: {user: {login: ann@example.com, city: Ulm}, appuser: {externalId: "7"}}
tests:
"""


def test_an_inline_fixture_is_completed_to_a_whole_request(suite: MakeSuite, schemas: Schemas) -> None:
    """Application test_app, CREATE_USER, no conflicts; an event id of its own for every request."""
    (first, second) = bodies(
        read(
            suite,
            HEAD + "  - {name: one, given: ann, expect: {set: {}}}\n  - {name: two, given: ann, expect: {set: {}}}\n",
        )
    )
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert schemas.request.faults(first) == ()
    assert first["data"]["context"]["application"]["name"] == "test_app"
    assert first["data"]["context"]["conflicts"] == []
    assert first["data"]["action"] == {"result": "CREATE_USER"}
    assert first["data"]["user"]["profile"] == {"login": "ann@example.com", "city": "Ulm"}
    assert first["data"]["appUser"]["profile"] == {"externalId": "7"}
    assert {**second, "eventId": first["eventId"]} == first
    assert first["eventId"] != second["eventId"]


def test_a_payload_comes_as_okta_posted_it_with_the_fixture_s_parts_laid_over(
    suite: MakeSuite, payload: Callable[..., dict[str, object]]
) -> None:
    """Member by member: what the fixture does not name stays."""
    body = payload(user={"login": "eve@example.com", "city": "Ulm"}, event_id="from-okta")
    tests = """\
tests_for: p
fixtures:
  eve:
    request: eve.json
    user: {city: Bonn}
    context: {conflicts: [login]}
    action: LINK_USER
    matched_user_id: 00u1
tests:
  - {name: one, given: eve, expect: {set: {}}}
"""
    (found,) = bodies(read(suite, tests, **{"testdata/eve.json": json.dumps(body)}))
    expected = json.loads(json.dumps(body))
    expected["data"]["user"] = {"id": "00u1", "profile": {"login": "eve@example.com", "city": "Bonn"}}
    expected["data"]["context"]["conflicts"] = ["login"]
    expected["data"]["action"]["result"] = "LINK_USER"
    assert found == expected


def test_a_payload_is_looked_for_beside_the_test_and_then_at_the_top(
    suite: MakeSuite, payload: Callable[..., dict[str, object]]
) -> None:
    """Folders of policies may have testdata of their own."""
    tests = """\
tests_for: p
fixtures:
  near: {request: one.json}
  far: {request: deep/two.json}
tests:
  - {name: near, given: near, expect: {set: {}}}
  - {name: far, given: far, expect: {set: {}}}
"""
    files = {
        "policy.yaml": POLICY,
        "sub/some_test.yaml": tests,
        "testdata/one.json": json.dumps(payload(event_id="top")),
        "sub/testdata/one.json": json.dumps(payload(event_id="beside")),
        "testdata/deep/two.json": json.dumps(payload(event_id="deep")),
    }
    made = suite(files)
    assert made.problems == ()
    assert [found["eventId"] for found in bodies(made.files[0]) if isinstance(found, dict)] == ["beside", "deep"]


def test_a_case_is_laid_over_its_test(suite: MakeSuite) -> None:
    """First the test's changes, then the case's; a word of `expect` that the case says again is the case's."""
    tests = (
        HEAD
        + """\
  - name: by city
    given: ann
    with: {user.title: x, context.conflicts: [login]}
    without: [appuser.externalId]
    expect: {fired: [titled], set: {user.title: Clerk}}
    cases:
      same: {}
      moved:
        with: {user.city: Bonn, user.title: y}
        without: [user.login]
        expect: {set: {}, hold: true}
"""
    )
    file = read(suite, tests)
    same, moved = (body["data"] for body in bodies(file) if isinstance(body, dict))
    assert same["user"]["profile"] == {"login": "ann@example.com", "city": "Ulm", "title": "x"}
    assert same["appUser"]["profile"] == moved["appUser"]["profile"] == {}
    assert moved["user"]["profile"] == {"city": "Bonn", "title": "y"}
    assert moved["context"]["conflicts"] == ["login"]
    wanted = [dict(case.steps[0].expectation.wanted) for case in file.cases if case.steps[0].expectation]
    assert wanted == [
        {"fired": ["p/titled"], "set": {"user.title": "Clerk"}},
        {"fired": ["p/titled"], "set": {}, "hold": True},
    ]
    assert [case.name for case in file.cases] == ["by city[same]", "by city[moved]"]
    assert [case.place.line for case in file.cases] == [11, 12]


def test_an_expectation_knows_the_place_of_every_word(suite: MakeSuite) -> None:
    """A member's, where it is named, else the word's, else that of the whole."""
    tests = (
        HEAD
        + """\
  - name: one
    given: ann
    expect:
      fired: [titled]
      set:
        user.title: Clerk
"""
    )
    expectation = read(suite, tests).cases[0].steps[0].expectation
    assert expectation is not None
    places = [expectation.place_of("set", "user.title"), expectation.place_of("set", "user.city")]
    places += [expectation.place_of("fired", "p/titled"), expectation.place_of("errors")]
    assert [(place.line, place.column) for place in places] == [(10, 9), (9, 7), (8, 7), (8, 7)]


def test_paths_lead_into_every_part_of_a_request(suite: MakeSuite) -> None:
    """Profiles, context, the proposed action and whom it matched; null is a value like another."""
    tests = (
        HEAD
        + """\
  - name: one
    given: ann
    with:
      user.city: null
      appuser.manager.name: Eve
      context.application.name: other
      context.matches: [00u1, 00u2]
      action: LINK_USER
      matched_user_id: 00u1
    without: [context.application.label]
    expect: {set: {}}
"""
    )
    (body,) = bodies(read(suite, tests))
    assert isinstance(body, dict)
    data = body["data"]
    assert data["user"] == {"id": "00u1", "profile": {"login": "ann@example.com", "city": None}}
    assert data["appUser"]["profile"] == {"externalId": "7", "manager": {"name": "Eve"}}
    assert data["context"]["application"] == {"name": "other", "id": "0oa1", "status": "ACTIVE"}
    assert data["context"]["matches"] == ["00u1", "00u2"]
    assert data["action"] == {"result": "LINK_USER"}


def test_what_a_case_starts_from_is_read(suite: MakeSuite) -> None:
    """The moment in nanoseconds, users, what is held by whom, and constants and tables in place of the folder's."""
    tests = """\
tests_for: p
now: "2026-03-01T10:00:00+01:00"
constants: {domain: example.org}
tables: {towns: [Bonn]}
directory:
  - {id: 00u1, login: eve@example.com}
ledger:
  - {namespace: login, value: Eve@example.com, subject: "8"}
  - {namespace: login, value: tom@example.com, subject: "9", application: other}
fixtures:
  ann: {user: {login: ann@example.com}}
tests:
  - {name: one, given: ann, expect: {set: {}}}
"""
    file = read(suite, tests, **{"tables/towns.yaml": "[Ulm]\n", "tables/other.yaml": "[x]\n"})
    assert file.now == 1_772_355_600 * 10**9
    assert file.directory == ({"id": "00u1", "login": "eve@example.com"},)
    assert {value: (owner.application, owner.subject) for owner, value in file.held.values()} == {
        "Eve@example.com": ("0oa1", "8"),
        "tom@example.com": ("other", "9"),
    }
    assert file.policy_set.policies[0].constants == {"domain": "example.org", "size": 3}
    assert file.policy_set.tables == {"towns": ["Bonn"], "other": ["x"]}


def test_a_test_file_sees_its_policy_alone_unless_it_asks_for_all(suite: MakeSuite) -> None:
    """`tests_for: '*'` is the whole folder as it is; then rules have their full names."""
    other = POLICY.replace("policy: p", "policy: q\nmode: shadow")
    both = "tests_for: '*'\n" + HEAD.partition("\n")[2]
    made = suite(
        {
            "p.yaml": POLICY,
            "q.yaml": other,
            "p_test.yaml": HEAD + "  - {name: one, given: ann, expect: {fired: [titled]}}\n",
            "q_test.yaml": HEAD.replace("p\n", "q\n", 1) + "  - {name: one, given: ann, expect: {fired: [titled]}}\n",
            "z_test.yml": both + "  - {name: one, given: ann, expect: {fired: [p/titled, q/titled]}}\n",
        }
    )
    assert made.problems == ()
    named = [[(policy.name, policy.shadow) for policy in file.policy_set.policies] for file in made.files]
    assert named == [[("p", False)], [("q", False)], [("p", False), ("q", True)]]
    wanted = [file.cases[0].steps[0].expectation for file in made.files]
    assert [found.wanted["fired"] for found in wanted if found] == [
        ["p/titled"],
        ["q/titled"],
        ["p/titled", "q/titled"],
    ]


def test_a_fixture_that_the_service_would_not_read_is_a_problem(suite: MakeSuite) -> None:
    """More values than a request may hold: told before anything is run."""
    many = ", ".join(["1"] * 20_001)
    made = suite(
        {
            "policy.yaml": POLICY,
            "policy_test.yaml": HEAD.replace("city: Ulm", f"city: [{many}]")
            + "  - {name: one, given: ann, expect: {set: {}}}\n",
        }
    )
    assert [problem.code for problem in made.errors] == ["bad-fixture"]
    assert "more than 20000 values" in made.errors[0].message


def test_reading_changes_no_payload_for_the_next_test(suite: MakeSuite) -> None:
    """Every test starts from the fixture as the file has it."""
    tests = (
        HEAD
        + """\
  - {name: one, given: ann, with: {user.city: Bonn}, without: [user.login], expect: {set: {}}}
  - {name: two, given: ann, expect: {set: {}}}
"""
    )
    _, second = bodies(read(suite, tests))
    assert isinstance(second, dict)
    assert second["data"]["user"]["profile"] == {"login": "ann@example.com", "city": "Ulm"}


def test_cases_that_change_nothing_share_the_payload(
    suite: MakeSuite, payload: Callable[..., dict[str, object]]
) -> None:
    """Its bytes are held once, however many cases there are; what is changed has bytes of its own."""
    tests = """\
tests_for: p
fixtures:
  eve: {request: eve.json}
tests:
  - name: by city
    given: eve
    expect: {set: {}}
    cases:
      one: {}
      two: {}
      moved: {with: {user.city: Bonn}}
  - {name: another, given: eve, expect: {set: {}}}
"""
    file = read(suite, tests, **{"testdata/eve.json": json.dumps(payload())})
    one, two, moved, another = (case.steps[0].body for case in file.cases)
    assert one is two
    assert one is another
    assert moved != one


def test_names_are_on_one_line(suite: MakeSuite) -> None:
    """Those of tests and of cases: folds and blanks come to one blank each."""
    tests = """\
  - name: >
      a long
      name
    given: ann
    expect: {set: {}}
    cases:
      " of  a case ": {}
"""
    assert [case.name for case in read(suite, HEAD + tests).cases] == ["a long name[of a case]"]


ANYTHING = st.text(max_size=6) | st.integers() | st.none() | st.lists(st.text(max_size=2), max_size=2)


@given(st.lists(ANYTHING, min_size=9, max_size=9))
def test_reading_never_raises(suite: MakeSuite, values: list[object]) -> None:
    """Whatever stands in a test file, half characters included: problems, and those of the next file all the same."""
    test = {"name": values[0], "given": "ann", "with": {"user.city": values[1]}, "expect": {"set": values[2]}}
    cases = {"cases": {str(values[3]): {"expect": {"remembered": {"login": values[4]}}}}}
    document = {
        "tests_for": "p",
        "directory": [{"id": values[5], "city": values[6]}],
        "ledger": [{"namespace": "login", "value": values[7], "subject": "1"}],
        "fixtures": {"ann": {"user": {"login": "ann@example.com", "firstName": values[8]}}},
        "tests": [test, {**test, **cases}],
    }
    other = HEAD + "  - {name: one, given: nobody, expect: {set: {}}}\n"
    made = suite({"policy.yaml": POLICY, "a_test.yaml": json.dumps(document), "z_test.yaml": other})
    assert "unknown-fixture" in {problem.code for problem in made.errors if problem.place.file.endswith("z_test.yaml")}


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(NAMES, VALUES), NAMES, VALUES, st.sampled_from(["user", "appuser", "context"]))
def test_what_is_put_in_and_taken_out_again_leaves_nothing(
    profile: dict[str, object], name: str, value: object, part: str
) -> None:
    """For any name that was not there, and every other member stays as it is."""
    before = inline_request({part: {key: kept for key, kept in profile.items() if key != name}})
    if part == "context" and name in before["data"]["context"]:
        return
    after = json.loads(json.dumps(before))
    with_value(after, f"{part}.{name}", value)
    assert after != before
    without(after, f"{part}.{name}")
    assert after == before
