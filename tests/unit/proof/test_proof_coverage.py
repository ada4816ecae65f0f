"""What a run covers, counted exactly, and the same as an LCOV trace."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.cli.reports import lcov
from usher.domain.place import Place
from usher.proof.coverage import Coverage, Covered, PartCoverage, RuleCoverage
from usher.proof.running import run_files
from usher.proof.suite import Suite
from usher.proof.world import World

CoveredBy = Callable[..., Covered]
HEAD = """\
tests_for: p
fixtures:
  ann: {user: {login: ann@example.com, city: Ulm}, appuser: {externalId: "1"}}
tests:
"""


@pytest.fixture
def covered_by(suite: Callable[..., Suite], world: World) -> CoveredBy:
    """Return what tests of a policy cover; each test is what its request changes, and nothing is expected of it."""

    def run(policy: str, *changes: str, head: str = HEAD, **more: str) -> Covered:
        tests = "".join(
            f"  - {{name: t{number}, given: ann, {change}{', ' if change else ''}expect: {{response: {{}}}}}}\n"
            for number, change in enumerate(changes)
        )
        read = suite({"policy.yaml": policy, "policy_test.yaml": head + tests, **more})
        assert read.errors == (), [str(problem) for problem in read.errors]
        coverage = Coverage(read.policy_set)
        for _ in run_files(read.files, world, watcher=coverage):
            pass
        return coverage.covered()

    return run


def rules(covered: Covered) -> dict[str, tuple[int, int, int]]:
    """Return how often each rule fired, did not fire and failed."""
    return {rule.rule.removeprefix("p/"): (rule.fired, rule.not_fired, rule.failed) for rule in covered.rules}


def parts(covered: Covered) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how often each part was true and false, by rule and text."""
    return {(part.rule.removeprefix("p/"), part.text): (part.true_count, part.false_count) for part in covered.parts}


RULE = """\
policy: p
rules:
  - id: a
    when: get(user, 'city', '') == 'Ulm' && get(user, 'state', '') != ''
    set: {user.title: {value: x}}
"""
WHOLE = "get(user, 'city', '') == 'Ulm' && get(user, 'state', '') != ''"
CITY, STATE = WHOLE.split(" && ")


def test_rules_and_parts_are_counted_by_decision(covered_by: CoveredBy) -> None:
    """A rule fires or does not; a part that the first one spared is not seen at all."""
    covered = covered_by(RULE, "", "with: {user.state: x}", "with: {user.city: Bonn}", "with: {user.state: y}")
    assert rules(covered) == {"a": (2, 2, 0)}
    assert parts(covered) == {("a", WHOLE): (2, 2), ("a", CITY): (3, 1), ("a", STATE): (2, 1)}
    assert [(part.place.line, part.place.column) for part in covered.parts] == [(4, 11), (4, 11), (4, 45)]


@pytest.mark.parametrize(
    ("changes", "fired", "outcomes"),
    [
        ([""], 0, 3),
        (["with: {user.state: x}"], 1, 3),
        (["with: {user.city: Bonn}"], 0, 2),
        (["", "with: {user.state: x}"], 1, 5),
        (["", "with: {user.state: x}", "with: {user.city: Bonn}"], 1, 6),
    ],
)
def test_coverage_is_full_only_with_both_outcomes_of_every_part(
    covered_by: CoveredBy, changes: list[str], fired: int, outcomes: int
) -> None:
    """A rule counts once it fired, a part by its outcomes: one rule and three parts make seven."""
    covered = covered_by(RULE, *changes)
    assert (covered.fired_count, covered.outcome_count) == (fired, outcomes)
    assert covered.percent == pytest.approx(100 * (fired + outcomes) / 7)
    assert (covered.percent == 100) is (outcomes == 6)


def test_a_policy_without_conditions_is_covered_by_firing(covered_by: CoveredBy) -> None:
    """There is nothing else to see."""
    covered = covered_by("policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n", "")
    assert (covered.percent, covered.parts) == (100.0, ())
    assert Covered((), ()).percent == 100.0


def test_one_decision_counts_once_however_often_a_macro_turns(covered_by: CoveredBy) -> None:
    """A part in a macro may come to both outcomes in one decision; what no turn reached came to none."""
    policy = """\
policy: p
rules:
  - id: a
    when: "['Ulm', 'Bonn', 'Trier'].exists(town, town == get(user, 'city', '') && has(user.state))"
    set: {user.title: {value: x}}
"""
    covered = covered_by(policy, "")
    whole = "['Ulm', 'Bonn', 'Trier'].exists(town, town == get(user, 'city', '') && has(user.state))"
    body = "town == get(user, 'city', '') && has(user.state)"
    assert parts(covered) == {
        ("a", whole): (0, 1),
        ("a", body): (0, 1),
        ("a", "town == get(user, 'city', '')"): (1, 1),
        ("a", "has(user.state)"): (0, 1),
    }
    covered = covered_by(policy, "with: {user.city: Trier, user.state: x}")
    assert parts(covered)["a", "town == get(user, 'city', '')"] == (1, 1)
    assert parts(covered)["a", whole] == (1, 0)


def test_an_error_is_neither_outcome(covered_by: CoveredBy) -> None:
    """The rule failed; parts that were judged on the way count."""
    policy = RULE.replace("get(user, 'state', '') != ''", "user.state != ''")
    covered = covered_by(policy, "")
    assert rules(covered) == {"a": (0, 0, 1)}
    assert parts(covered) == {
        ("a", "get(user, 'city', '') == 'Ulm' && user.state != ''"): (0, 0),
        ("a", CITY): (1, 0),
        ("a", "user.state != ''"): (0, 0),
    }


def test_an_absorbed_error_hides_nothing(covered_by: CoveredBy) -> None:
    """The whole was false; the part that failed came to nothing."""
    policy = RULE.replace(f"{CITY} &&", "user.state == 'x' &&")
    assert parts(covered_by(policy, "")) == {
        ("a", f"user.state == 'x' && {STATE}"): (0, 1),
        ("a", "user.state == 'x'"): (0, 0),
        ("a", STATE): (0, 1),
    }


LADDER = """\
policy: p
rules:
  - id: steps
    when: get(user, 'state', '') != 'none'
    first:
      - id: one
        when: get(user, 'city', '') == 'Ulm'
        set: {user.title: {value: x}}
      - id: two
        when: user.city == 'Bonn'
        set: {user.title: {value: y}}
      - id: three
        when: get(user, 'state', '') == 'x'
        veto: [user.title]
      - id: four
        veto: [user.title]
"""


@pytest.mark.parametrize(
    ("change", "counts", "seen"),
    [
        ("", {"one": (1, 0, 0)}, {"steps", "one"}),
        ("with: {user.city: Bonn}", {"one": (0, 1, 0), "two": (1, 0, 0)}, {"steps", "one", "two"}),
        (
            "with: {user.city: x, user.state: x}",
            {"one": (0, 1, 0), "two": (0, 1, 0), "three": (1, 0, 0)},
            {"steps", "one", "two", "three"},
        ),
        (
            "with: {user.city: x}",
            {"one": (0, 1, 0), "two": (0, 1, 0), "three": (0, 1, 0), "four": (1, 0, 0)},
            {"steps", "one", "two", "three"},
        ),
        ("with: {user.state: none}", {}, {"steps"}),
        # An error stops the ladder: the restrictions below apply, but were not asked.
        ("without: [user.city]", {"one": (0, 1, 0), "two": (0, 0, 1)}, {"steps", "one"}),
    ],
)
def test_only_branches_that_were_asked_count(
    covered_by: CoveredBy, change: str, counts: dict[str, tuple[int, int, int]], seen: set[str]
) -> None:
    """Down to the one where the ladder stopped; its own condition counts with them."""
    covered = covered_by(LADDER, change)
    asked = {name.removeprefix("steps/"): found for name, found in rules(covered).items() if any(found)}
    assert asked == counts
    assert {name.removeprefix("steps/") for (name, _), found in parts(covered).items() if any(found)} == seen


def test_a_match_counts_like_a_condition(covered_by: CoveredBy) -> None:
    """While it is false, no rule of the policy was asked."""
    policy = RULE.replace("rules:", "match: get(user, 'countryCode', '') == ''\nrules:")
    match = ("p", "get(user, 'countryCode', '') == ''")
    covered = covered_by(policy, "with: {user.countryCode: DE}")
    assert parts(covered)[match] == (0, 1)
    assert rules(covered) == {"a": (0, 0, 0)}
    assert [part.rule for part in covered.parts] == ["p", "p/a", "p/a", "p/a"]
    covered = covered_by(policy, "with: {user.countryCode: DE}", "")
    assert parts(covered)[match] == (1, 1)
    assert rules(covered) == {"a": (0, 1, 0)}


def test_a_rule_that_does_not_apply_in_the_end_did_not_fire(covered_by: CoveredBy) -> None:
    """It speaks of another ending, or none of its candidates is free; its condition was judged."""
    policy = """\
policy: p
rules:
  - {id: a, only: link, when: has(user.city), set: {user.title: {value: x}}}
  - id: b
    when: has(user.city)
    claim: {login: {candidates: [user.login], except: [ann@example.com], exhausted: skip}}
    set: {user.login: claimed.login}
"""
    covered = covered_by(policy, "")
    assert rules(covered) == {"a": (0, 1, 0), "b": (0, 1, 0)}
    assert set(parts(covered).values()) == {(1, 0)}


def test_a_rule_whose_value_fails_failed(covered_by: CoveredBy) -> None:
    """Its condition came to true all the same."""
    policy = "policy: p\nrules:\n  - id: a\n    when: has(user.city)\n    set: {user.title: user.state}\n"
    covered = covered_by(policy, "")
    assert (rules(covered), parts(covered)) == ({"a": (0, 0, 1)}, {("a", "has(user.city)"): (1, 0)})


def test_policies_without_a_test_count_as_not_covered(covered_by: CoveredBy) -> None:
    """Coverage is of the whole folder; a shadow policy's own tests cover it, those of the folder do not."""
    other = RULE.replace("policy: p", "policy: q\nmode: shadow")
    covered = covered_by(RULE, "with: {user.state: x}", **{"q.yaml": other})
    assert [(rule.rule, rule.fired) for rule in covered.rules] == [("p/a", 1), ("q/a", 0)]
    whole = HEAD.replace("tests_for: p", "tests_for: '*'")
    covered = covered_by(RULE, "with: {user.state: x}", head=whole, **{"q.yaml": other})
    assert [(rule.rule, rule.fired) for rule in covered.rules] == [("p/a", 1), ("q/a", 0)]
    own = HEAD.replace("tests_for: p", "tests_for: q")
    covered = covered_by(RULE, "with: {user.state: x}", head=own, **{"q.yaml": other})
    assert [(rule.rule, rule.fired) for rule in covered.rules] == [("p/a", 0), ("q/a", 1)]


def test_variables_and_look_ups_are_seen_as_the_decision_saw_them(covered_by: CoveredBy) -> None:
    """What a row claims in a decision is not taken when its conditions are looked at again."""
    policy = """\
policy: p
variables:
  taken: taken('login', 'ann@example.com')
rules:
  - id: a
    when: "!variables.taken"
    claim: {login: {candidates: [user.login]}}
    set: {user.login: claimed.login}
"""
    covered = covered_by(policy, "")
    assert (rules(covered), parts(covered)) == ({"a": (1, 0, 0)}, {("a", "variables.taken"): (0, 1)})


# LCOV.

GRAMMAR = [
    re.compile(pattern)
    for pattern in (
        r"TN:[A-Za-z0-9_]*",
        r"SF:.+",
        r"FN:[1-9][0-9]*,[^,]+",
        r"FNDA:[0-9]+,[^,]+",
        r"FN[FH]:[0-9]+",
        r"BRDA:[1-9][0-9]*,[0-9]+,[01],([0-9]+|-)",
        r"BR[FH]:[0-9]+",
        r"DA:[1-9][0-9]*,[0-9]+",
        r"L[FH]:[0-9]+",
        r"end_of_record",
    )
]
PLACES = st.builds(Place, st.sampled_from(["a.yaml", "b/c d.yaml"]), st.integers(1, 9), st.integers(1, 9))
COUNTS = st.integers(0, 3)
NAMES = st.from_regex(r"[a-z0-9-]{1,4}(/[a-z0-9-]{1,4}){1,2}", fullmatch=True)
COVERED = st.builds(
    Covered,
    st.lists(
        st.builds(RuleCoverage, NAMES, PLACES, COUNTS, COUNTS, COUNTS), max_size=5, unique_by=lambda rule: rule.rule
    ).map(tuple),
    st.lists(st.builds(PartCoverage, NAMES, st.text(max_size=5), PLACES, COUNTS, COUNTS), max_size=5).map(tuple),
)


def records(covered: Covered) -> list[list[str]]:
    """Return the lines of a trace, record by record."""
    found: list[list[str]] = [[]]
    for line in lcov.lines(covered):
        assert any(pattern.fullmatch(line) for pattern in GRAMMAR), line
        found[-1].append(line)
        if line == "end_of_record":
            found.append([])
    assert found.pop() == []
    return found


def values(record: list[str], key: str) -> list[list[str]]:
    """Return the fields of every line of a kind."""
    return [line.removeprefix(f"{key}:").split(",") for line in record if line.startswith(f"{key}:")]


def number(record: list[str], key: str) -> int:
    """Return the one number of a total."""
    ((found,),) = values(record, key)
    return int(found)


@given(COVERED)
def test_an_lcov_trace_is_well_formed_and_its_totals_are_right(covered: Covered) -> None:
    """One record per file, every line in the grammar of geninfo(1), found and hit as counted."""
    files = []
    for record in records(covered):
        assert record[0] == "TN:usher"
        ((file,),) = values(record, "SF")
        files.append(file)
        functions, hits = values(record, "FN"), values(record, "FNDA")
        assert [name for _, name in functions] == [name for _, name in hits]
        assert number(record, "FNF") == len(functions)
        assert number(record, "FNH") == sum(count != "0" for count, _ in hits)
        branches = values(record, "BRDA")
        assert number(record, "BRF") == len(branches)
        assert number(record, "BRH") == sum(count not in {"0", "-"} for *_, count in branches)
        assert len({(block, branch) for _, block, branch, _ in branches}) == len(branches)
        lines = values(record, "DA")
        assert number(record, "LF") == len(lines) == len({line for line, _ in lines})
        assert number(record, "LH") == sum(count != "0" for _, count in lines)
        assert {line for line, *_ in (*functions, *branches)} == {line for line, _ in lines}
        assert [int(line) for line, _ in lines] == sorted(int(line) for line, _ in lines)
    places = [rule.place for rule in covered.rules] + [part.place for part in covered.parts]
    assert files == sorted({place.file for place in places})
    assert sum(number(record, "FNH") for record in records(covered)) == covered.fired_count
    assert sum(number(record, "BRH") for record in records(covered)) == covered.outcome_count


def test_a_trace_tells_what_was_seen(covered_by: CoveredBy) -> None:
    """Rules stand as functions, parts as branches: true is 0, false is 1, a part never asked has a dash."""
    covered = covered_by(RULE, "with: {user.city: Bonn}")
    (record,) = records(covered)
    assert record[1].endswith("/policy.yaml")
    assert record[2:] == [
        "FN:3,p/a",
        "FNDA:0,p/a",
        "FNF:1",
        "FNH:0",
        "BRDA:4,0,0,0",
        "BRDA:4,0,1,1",
        "BRDA:4,1,0,0",
        "BRDA:4,1,1,1",
        "BRDA:4,2,0,-",
        "BRDA:4,2,1,-",
        "BRF:6",
        "BRH:2",
        "DA:3,0",
        "DA:4,1",
        "LF:2",
        "LH:1",
        "end_of_record",
    ]
    assert list(lcov.lines(Covered((), ()))) == []
