"""A set that wants to go into force: what each gate demands, and that the revision is that of the very bytes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.bootstrap.conftest import POLICY, TESTS, House
from usher.adapters.last_good import Kept, KeptFile
from usher.bootstrap.candidates import Memory, Verdict, judge, kept_candidate
from usher.domain.place import Severity

Make = Callable[..., House]

FAILING = TESTS.replace("{user.title: x}}", "{user.title: y}}")
UNREADABLE = TESTS.replace("expect:", "expct:")
BROKEN = POLICY.replace("user.title", "user.titel")
SLOW = """\
policy: p
rules:
  - id: a
    when: |-
      TEN.all(a, TEN.all(b, TEN.all(c, TEN.all(d, a + b + c + d >= 0))))
    set: {user.title: {value: x}}
""".replace("TEN", str(list(range(14))))
MANY = TESTS.replace("    with: {context.conflicts: [a]}\n", "").replace(
    "{set: {user.title: x}}", "{set: {user.title: x}}\n    cases:\n" + "".join(f"      c{n}: {{}}\n" for n in range(10))
)


def codes(verdict: Verdict) -> list[str]:
    """Return the codes of a verdict's problems, warnings marked."""
    return [
        f"{'warning: ' if problem.severity is Severity.WARNING else ''}{problem.code}" for problem in verdict.problems
    ]


@pytest.mark.parametrize(
    ("files", "accepted_by"),
    [
        ({"p": POLICY, "p_test": TESTS}, ["off", "check", "tests"]),
        ({"p": POLICY, "p_test": FAILING}, ["off", "check"]),
        ({"p": POLICY, "p_test": UNREADABLE}, ["off"]),
        ({"p": BROKEN, "p_test": TESTS}, []),
        ({"p_test": TESTS}, []),
        ({}, []),
    ],
    ids=["sound", "failing tests", "tests that are none", "broken policy", "tests alone", "nothing"],
)
def test_each_gate_demands_more_than_the_one_before(house: Make, files: dict[str, str], accepted_by: list[str]) -> None:
    """`off` that the set loads, `check` that its tests can be read, `tests` that they pass."""
    accepted = [
        gate for gate in ("off", "check", "tests") if house(files, policies__gate=gate).judged().policy_set is not None
    ]
    assert accepted == accepted_by


def test_a_verdict_without_a_set_has_an_error_and_one_with_a_set_has_none(house: Make) -> None:
    """Whatever the gate: an admin is never left without a reason."""
    for gate in ("off", "check", "tests"):
        for tests in (TESTS, FAILING, UNREADABLE, "}"):
            verdict = house({"p": POLICY, "p_test": tests}, policies__gate=gate).judged()
            assert bool(verdict.errors) is (verdict.policy_set is None)


def test_a_test_that_fails_is_told_at_its_place(house: Make) -> None:
    """`file:line:column: policy-test: …` without a value of the fixture, one for each case."""
    made = house({"p": POLICY, "p_test": FAILING, "q_test": FAILING.replace("a title", "another")})
    verdict = made.judged()
    folder = made.folders.policies.as_posix()
    assert [str(problem) for problem in verdict.problems] == [
        f"{folder}/p_test.yaml:8:20: policy-test: a title: set user.title: not as expected; `usher test` shows both",
        f"{folder}/q_test.yaml:8:20: policy-test: another: set user.title: not as expected; `usher test` shows both",
    ]
    assert (verdict.policy_set, verdict.case_count) == (None, 2)


@pytest.mark.parametrize(
    ("gate", "expected"), [("off", []), ("check", ["warning: no-tests"]), ("tests", ["warning: no-tests"])]
)
def test_a_set_without_tests_is_warned_about_and_accepted(house: Make, gate: str, expected: list[str]) -> None:
    """Nobody has to write tests before the first policy answers; `usher test` is stricter."""
    verdict = house({"p": POLICY}, policies__gate=gate).judged()
    assert verdict.policy_set is not None
    assert (codes(verdict), verdict.errors, verdict.case_count) == (expected, (), 0)


def test_warnings_are_kept_and_reject_nothing(house: Make) -> None:
    """All of them, sorted by place."""
    competing = POLICY + "  - {id: b, when: \"'b' in context.conflicts\", set: {user.title: {value: y}}}\n"
    verdict = house({"p": competing, "p_test": TESTS}).judged()
    assert verdict.policy_set is not None
    assert codes(verdict) == ["warning: competing-rules"]


def test_all_problems_are_told_at_once_in_order(house: Make) -> None:
    """Those of policies; tests are not asked about policies that do not load."""
    twice = BROKEN + "  - id: b\n    set: {user.nickNam: {value: x}}\n"
    verdict = house({"p": twice, "p_test": FAILING, "q": "policy: ["}).judged()
    assert [(problem.place.line, problem.code) for problem in verdict.problems[:2]] == [
        (5, "unknown-attribute"),
        (7, "unknown-attribute"),
    ]
    assert verdict.problems[2].place.file.endswith("q.yaml")
    assert verdict.problems == tuple(sorted(verdict.problems))


def test_tests_that_take_too_long_reject_the_set(house: Make) -> None:
    """The bound is the setting's, for all tests together; who waits is told which setting."""
    slow = house({"p": SLOW, "p_test": MANY}, policies__gate_seconds=0.1, cel__steps=1_000_000)
    verdict = slow.judged()
    assert codes(verdict) == ["tests-too-slow"]
    assert verdict.problems[0].message == "the policy tests take longer than 0.1 s (policies.gate_seconds)"
    assert verdict.problems[0].place.file.endswith("p_test.yaml")
    assert verdict.policy_set is None
    patient = house({"p": SLOW, "p_test": MANY}, policies__gate_seconds=60, cel__steps=1_000_000)
    assert patient.judged().policy_set is not None
    assert house({"p": SLOW, "p_test": MANY}, policies__gate="check", policies__gate_seconds=0.1).judged().policy_set


def test_one_test_alone_cannot_take_more_than_the_time_of_all(house: Make) -> None:
    """A decision in a test ends at the same bound, and the test fails for it."""
    made = house(
        {"p": SLOW.replace("d >= 0", f"d >= 0 && {list(range(40))}.all(e, e >= 0)"), "p_test": TESTS},
        policies__gate_seconds=0.1,
        cel__steps=10_000_000,
    )
    verdict = made.judged()
    assert codes(verdict) == ["policy-test"]
    assert verdict.problems[0].message.endswith("decision: undecided: deadline")
    assert verdict.seconds < 5


def test_a_candidate_and_its_set_have_one_revision(house: Make, root: Any) -> None:
    """The one that is compared is the one that answers are given under: the shipped set, and small ones."""
    made = house()
    for files in ({}, {"q": "policy: q\nrules: []\n"}, {"q": POLICY.replace("policy: p", "policy: q")}):
        made.write(**files)
        verdict = made.judged()
        assert verdict.policy_set is None or verdict.policy_set.revision == verdict.candidate.revision
    shipped = house(policies__folder=str(root / "policies"), policies__gate="off")
    loaded = shipped.loaded.settings.policies.folder
    assert loaded is not None
    shipped.folders = type(shipped.folders)(loaded, shipped.folders.schemas, shipped.folders.state)
    verdict = shipped.judged()
    assert verdict.policy_set is not None
    assert verdict.policy_set.revision == verdict.candidate.revision


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"(testdata/)?[a-c]{1,3}", fullmatch=True), st.text(max_size=9), max_size=3))
def test_the_revision_is_that_of_every_file(house_once: House, files: dict[str, str]) -> None:
    """Law: the same files are the same revision, other bytes or names another; and the set's own is the same."""
    folder = house_once.folders.policies / "testdata"
    empty = house_once.candidate().revision
    for name, text in files.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    candidate = house_once.candidate()
    assert (candidate.revision == empty) is (not files)
    assert candidate.revision == house_once.candidate().revision
    verdict = house_once.judged(candidate)
    assert verdict.policy_set is None or verdict.policy_set.revision == candidate.revision
    for name in files:
        (folder / f"{name}.json").unlink()
    assert house_once.candidate().revision == empty


@pytest.fixture
def house_once(house: Make) -> House:
    """Return one house for all examples of a law, which tidies up after itself."""
    return house(policies__gate="off")


def test_a_profile_schema_makes_another_revision(house: Make) -> None:
    """It decides which values are sent; a schema for one application, too."""
    made = house()
    revisions = [made.candidate().revision]
    made.profile().write_bytes(made.profile().read_bytes() + b" ")
    revisions.append(made.candidate().revision)
    made.profile("appuser.csv").write_text('{"type": "object", "properties": {}}', encoding="utf-8")
    revisions.append(made.candidate().revision)
    assert len(set(revisions)) == 3
    verdict = made.judged()
    assert verdict.policy_set is not None
    assert verdict.policy_set.revision == revisions[-1]


def test_what_cannot_be_read_makes_another_revision(house: Make) -> None:
    """Else a set that lacks a file for a moment could pass for one that never had it."""
    made = house()
    (made.folders.policies / "large.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    revisions = [made.candidate().revision]
    (made.folders.policies / "large.yaml").unlink()
    revisions.append(made.candidate().revision)
    made.profile("appuser.csv").mkdir()
    revisions.append(made.candidate().revision)
    assert [problem.code for problem in made.judged().errors] == ["unreadable"]
    made.profile("appuser.csv").rmdir()
    assert len(set(revisions)) == 3
    assert made.candidate().revision == revisions[1]


@pytest.mark.parametrize("name", ["nowhere", "x" * 5000], ids=["not there", "an error to ask for"])
@pytest.mark.parametrize("which", ["policies", "schemas"])
def test_reading_folders_that_are_away_raises_nothing(house: Make, name: str, which: str) -> None:
    """A drive that is not there is a set that is rejected, and another one than that of an empty folder."""
    made = house()
    schemas = made.folders.schemas
    sound = made.candidate().revision
    folders = {"policies": made.folders.policies, "schemas": schemas, "state": made.folders.state}
    made.folders = type(made.folders)(**{**folders, which: made.base / name})
    candidate = made.candidate()
    made.folders = type(made.folders)(**folders)
    verdict = made.judged(candidate)
    assert verdict.policy_set is None
    assert verdict.errors
    assert candidate.revision != sound


def test_settings_that_speak_of_what_the_new_profile_schemas_lack_reject_the_set(house: Make) -> None:
    """Okta would refuse the quarantine's answer: the place is that in the settings."""
    made = house(text='[hold.quarantine]\nuserType = "held"\n')
    assert made.judged().policy_set is not None
    made.profile().write_text(made.profile().read_text(encoding="utf-8").replace('"userType"', '"userKind"'), "utf-8")
    verdict = made.judged()
    assert verdict.policy_set is None
    [problem] = verdict.errors
    assert str(problem).startswith("usher.toml:2:1: unknown-attribute: hold.quarantine.userType: ")


def test_policies_are_judged_by_the_profile_schemas_they_came_with(house: Make) -> None:
    """Both are read anew and are one set: a new attribute and the rule that sets it may be saved together."""
    made = house(
        {"p": POLICY.replace("user.title", "user.shoeSize"), "p_test": TESTS.replace("title: x", "shoeSize: x")}
    )
    assert [problem.code for problem in made.judged().errors] == ["unknown-attribute"]
    schema = json.loads(made.profile().read_bytes())
    schema["properties"]["shoeSize"] = {"type": "string"}
    made.profile().write_text(json.dumps(schema), encoding="utf-8")
    assert made.judged().policy_set is not None


def test_a_kept_set_is_the_candidate_it_was(house: Make) -> None:
    """From the archive come the same files, the same revision, the same verdict; nothing is read from disk."""
    made = house({"p": POLICY, "p_test": TESTS, "tables": ""})
    (made.folders.policies / "tables.yaml").unlink()
    (made.folders.policies / "tables").mkdir()
    (made.folders.policies / "tables" / "towns.csv").write_text("a,b\nc,d\n", encoding="utf-8")
    candidate = made.candidate()
    files = tuple(KeptFile(file.name, file.shown, file.content) for file in candidate.sources)
    kept = kept_candidate(Kept(candidate.revision, "s", candidate.folder, files))
    assert kept == candidate
    assert kept.revision == candidate.revision
    verdict, before = made.judged(kept), made.judged(candidate)
    assert verdict.policy_set is not None
    assert before.policy_set is not None
    assert (verdict.policy_set.revision, verdict.policy_set.tables) == (
        before.policy_set.revision,
        before.policy_set.tables,
    )


TABLE_POLICY = """\
policy: p
rules:
  - id: a
    set: {user.title: "%s"}
"""
TABLE_TESTS = """\
tests_for: p
fixtures:
  ann: {user: {}, appuser: {externalId: "1"}}
tests:
  - {name: a title, given: ann, expect: {set: {user.title: x}}}
"""


@pytest.mark.parametrize(
    "expression", ["tables.titles.a.title", "get(tables, 'titles', {}).a.title", "tables['titles'].a.title"]
)
def test_what_has_passed_is_run_again_when_a_table_it_looks_at_changes(house: Make, expression: str) -> None:
    """However the table is named: a stale pass would put a set into force that no test vouches for."""
    made = house({"p": TABLE_POLICY % expression, "p_test": TABLE_TESTS})
    tables = made.folders.policies / "tables"
    tables.mkdir()
    (tables / "titles.csv").write_text("key,title\na,x\n", encoding="utf-8")
    memory = Memory()

    def errors() -> list[str]:
        verdict = judge(made.candidate(), made.loaded, made.schemas, gate="tests", memory=memory)
        return [problem.code for problem in verdict.errors]

    assert errors() == []
    (tables / "other.csv").write_text("key,title\nb,y\n", encoding="utf-8")
    assert errors() == []
    (tables / "titles.csv").write_text("key,title\na,y\n", encoding="utf-8")
    assert errors() == ["policy-test"]
    assert errors() == ["policy-test"]
    (tables / "titles.csv").write_text("key,title\na,x\n", encoding="utf-8")
    assert errors() == []


def test_what_has_passed_is_not_run_again_while_nothing_it_depends_on_changes(house: Make) -> None:
    """Of a large folder only the tests of what was edited take time."""
    made = house({"p": POLICY, "p_test": TESTS, "q": POLICY.replace("policy: p", "policy: q")})
    memory, asked = Memory(), [0]

    def wanted() -> bool:
        asked[0] += 1
        return True

    def judged() -> int:
        asked[0] = 0
        judge(made.candidate(), made.loaded, made.schemas, gate="tests", memory=memory, wanted=wanted)
        return asked[0]

    assert judged() == 1
    assert judged() == 0
    made.write(q=POLICY.replace("policy: p", "policy: q").replace("value: x", "value: y"))
    assert judged() == 0
    made.write(p=POLICY.replace("policy: p", "policy: p\ndescription: the same"))
    assert judged() == 1
