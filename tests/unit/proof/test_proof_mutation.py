"""Mutants: one thing made wrong at a time, each once, and which of them the tests notice."""

from collections import Counter
from collections.abc import Callable

import pytest

from usher.engine import Ladder, PolicySet, Rule
from usher.proof.mutation import Judged, Mutant, judge, mutants, score
from usher.proof.running import run_files
from usher.proof.suite import Suite
from usher.proof.world import World

Judge = Callable[..., tuple[Judged, ...]]

POLICY = """\
policy: p
match: has(user.city)
constants: {town: Ulm}
rules:
  - id: titled
    when: get(user, 'city', '') == constants.town // a comment at the end
    set: {user.title: {value: x}, user.nickName: {value: y}}
  - id: free
    claim: {login: {candidates: [user.login, "'ann@example.org'"]}}
    set: {user.login: claimed.login, user.department: {value: z}}
  - id: known
    when: get(user, 'state', '') == 'known'
    action: {link: "'00u1'"}
  - id: steps
    when: get(user, 'countryCode', '') != 'IT'
    first:
      - id: asks
        when: get(user, 'state', '') == 'ask'
        hold: {value: ask}
      - id: guards
        veto: [user.nickName, action.link]
"""
EVERY = [
    "p: match negated",
    "p/titled: when negated",
    "p/titled: set user.title dropped",
    "p/titled: set user.nickName dropped",
    "p/free: set user.department dropped",
    "p/free: set user.login dropped",
    "p/free: claim dropped",
    "p/known: when negated",
    "p/known: action dropped",
    "p/steps: when negated",
    "p/steps/asks: when negated",
    "p/steps/asks: hold dropped",
    "p/steps/guards: veto user.nickName dropped",
    "p/steps/guards: veto action.link dropped",
]
HEAD = """\
tests_for: p
constants: {town: Bonn}
fixtures:
  ann: {user: {login: ann@example.com, city: Bonn, countryCode: DE}, appuser: {externalId: "1"}}
tests:
"""
STRONG = (
    HEAD
    + """\
  - name: created
    given: ann
    with: {context.conflicts: [login]}
    expect:
      fired: [titled, free, steps/guards]
      set: {user.title: x, user.login: ann@example.org, user.department: z}
      claims: {login: ann@example.org}
      vetoed: [user.nickName, action.link]
  - {name: elsewhere, given: ann, with: {user.city: Ulm}, expect: {fired: [free, steps/guards]}}
  - name: in Italy
    given: ann
    with: {user.countryCode: IT}
    expect: {fired: [titled, free], set: {user.title: x, user.nickName: y, user.department: z}}
  - name: known
    given: ann
    with: {user.countryCode: IT, user.state: known}
    expect: {action: {link: 00u1}, fired: [titled, known]}
  - {name: asked, given: ann, with: {user.state: ask}, expect: {hold: ask}}
  - {name: no city, given: ann, without: [user.city], expect: {fired: []}}
"""
)


@pytest.fixture
def judged(suite: Callable[..., Suite], world: World) -> Judge:
    """Return what runs tests, which pass, against every mutant of a policy."""

    def run(tests: str, policy: str = POLICY, **more: str) -> tuple[Judged, ...]:
        read = suite({"policy.yaml": policy, "policy_test.yaml": tests, **more})
        assert read.errors == (), [str(problem) for problem in read.errors]
        failed = [result for result in run_files(read.files, world) if not result.passed]
        assert failed == [], [failing.difference for result in failed for failing in result.failures]
        return tuple(judge(mutant, read.files, world) for mutant in mutants(read.policy_set))

    return run


def survivors(entries: tuple[Judged, ...]) -> list[str]:
    """Return what no test noticed."""
    return [entry.mutant.what for entry in entries if not entry.caught]


def test_each_mutant_is_made_once_in_the_order_of_the_file(policy_set: Callable[[str], PolicySet]) -> None:
    """Every condition negated, every effect dropped; each has a name of its own and the place of its rule."""
    policies = policy_set(POLICY)
    made = list(mutants(policies))
    assert [mutant.what for mutant in made] == EVERY
    assert max(Counter(mutant.what for mutant in made).values()) == 1
    places = {mutant.what.partition(":")[0]: mutant.place.line for mutant in made}
    assert places == {
        "p": 1, "p/titled": 5, "p/free": 8, "p/known": 11, "p/steps": 14, "p/steps/asks": 17, "p/steps/guards": 20,
    }  # fmt: skip


def changed(before: Rule, after: Rule) -> set[str]:
    """Return the fields in which two rules differ."""
    names = ("when", "sets", "claimed_sets", "claim", "action", "hold", "veto", "only", "overrides", "because")
    return {name for name in names if getattr(before, name) != getattr(after, name)}


def parts_of(policies: PolicySet, mutant: Mutant | None = None) -> dict[str, Rule]:
    """Return every rule, branch and gate of the one policy, changed by a mutant or not, by name."""
    (policy,) = policies.policies
    policy = mutant.apply(policy) if mutant else policy
    found: list[Rule] = []
    for item in policy.items:
        found += (item.gate, *item.branches) if isinstance(item, Ladder) else (item,)
    return {rule.name: rule for rule in found}


def test_a_mutant_is_wrong_in_one_thing_only(policy_set: Callable[[str], PolicySet]) -> None:
    """Every other rule is as it was; the policies themselves are never touched."""
    policies = policy_set(POLICY)
    before = parts_of(policies)
    for mutant in mutants(policies):
        after = parts_of(policies, mutant)
        differing = {name: changed(rule, after[name]) for name, rule in before.items() if changed(rule, after[name])}
        if mutant.what.startswith("p: "):
            assert differing == {}
            assert mutant.apply(policies.policies[0]).match != policies.policies[0].match
        else:
            assert list(differing) == [mutant.what.partition(":")[0]]
            expected = {"claim", "claimed_sets"} if mutant.what == "p/free: claim dropped" else 1
            (fields,) = differing.values()
            assert fields == expected or len(fields) == expected
        assert parts_of(policies) == before


def test_tests_that_say_everything_catch_every_mutant(judged: Judge) -> None:
    """Each by the first test that fails on it, named with its file."""
    entries = judged(STRONG)
    assert survivors(entries) == []
    assert score(entries) == 100.0
    by = {entry.mutant.what: entry.by.rpartition("/")[2] for entry in entries}
    assert by["p/titled: when negated"] == "policy_test.yaml: created"
    assert by["p/known: action dropped"] == "policy_test.yaml: known"
    assert by["p: match negated"] == "policy_test.yaml: created"


@pytest.mark.parametrize(
    ("expect", "noticed"),
    [
        ("expect: {hold: ''}", {"p/steps/asks: when negated"}),
        (
            "expect: {set: {user.title: x}, partial: true}",
            {
                "p: match negated",
                "p/titled: when negated",
                "p/titled: set user.title dropped",
                "p/steps/asks: when negated",
            },
        ),
        (
            "with: {user.state: ask}, expect: {hold: ask}",
            {
                "p: match negated",
                "p/steps: when negated",
                "p/steps/asks: when negated",
                "p/steps/asks: hold dropped",
            },
        ),
        (
            "expect: {vetoed: [action.link, user.nickName]}",
            {
                "p: match negated",
                "p/steps: when negated",
                "p/steps/asks: when negated",
                "p/steps/guards: veto user.nickName dropped",
                "p/steps/guards: veto action.link dropped",
            },
        ),
    ],
)
def test_what_a_weak_test_does_not_say_survives(judged: Judge, expect: str, noticed: set[str]) -> None:
    """Exactly that, in the order of the file."""
    entries = judged(HEAD + f"  - {{name: a, given: ann, {expect}}}\n")
    assert survivors(entries) == [what for what in EVERY if what not in noticed]
    assert score(entries) == pytest.approx(100 * len(noticed) / len(EVERY))
    assert all(not entry.by for entry in entries if not entry.caught)


def test_a_policy_without_tests_is_noticed_by_nobody(judged: Judge) -> None:
    """Tests of another policy do not count for it; those of the whole folder do."""
    other = "policy: q\nrules:\n  - id: a\n    set: {user.state: {value: x}}\n"
    entries = judged(STRONG, **{"q.yaml": other})
    assert survivors(entries) == ["q/a: set user.state dropped"]
    whole = HEAD.replace("tests_for: p\nconstants: {town: Bonn}", "tests_for: '*'")
    whole += "  - {name: one, given: ann, expect: {set: {user.state: x}, partial: true}}\n"
    entries = judged(STRONG, **{"q.yaml": other, "z_test.yaml": whole})
    assert survivors(entries) == []
    assert entries[-1].by.endswith("z_test.yaml: one")


def test_a_shadow_policy_s_own_tests_notice(judged: Judge) -> None:
    """Its mutants are judged as it is tested: as if it were in force."""
    shadow = POLICY.replace("policy: p\n", "policy: p\nmode: shadow\n")
    assert survivors(judged(STRONG, shadow)) == []


def test_a_condition_at_its_limits_is_left_as_it_is(suite: Callable[..., Suite], world: World) -> None:
    """Negated, it could not be compiled; no mutant is better than one that proves nothing."""
    long = f"get(user, 'city', '') == '{'x' * 9_970}'"
    assert len(long) < world.limits.length_chars < len(long) + 5
    policy = f"policy: p\nrules:\n  - id: a\n    when: {long}\n    set: {{user.title: {{value: x}}}}\n"
    tests = "tests_for: p\nfixtures: {ann: {user: {city: x}}}\ntests: [{name: one, given: ann, expect: {set: {}}}]\n"
    read = suite({"policy.yaml": policy, "policy_test.yaml": tests})
    whats = [mutant.what for mutant in mutants(read.policy_set)]
    assert whats == ["p/a: set user.title dropped"]


def test_a_negated_condition_is_the_opposite_and_an_error_stays_one(judged: Judge) -> None:
    """So what fails closed still does, and a test that expects the error does not notice."""
    rule = "    when: user.city == 'x' || user.city == 'y'\n    set: {user.title: {value: x}}\n"
    policy = f"policy: p\nrules:\n  - id: a\n{rule}"
    head = "tests_for: p\nfixtures: {ann: {user: {login: ann@example.com}}}\ntests:\n"
    error = head + "  - {name: one, given: ann, expect: {errors: [a], set: {}}}\n"
    assert survivors(judged(error, policy)) == ["p/a: when negated", "p/a: set user.title dropped"]
    both = error + "  - {name: two, given: ann, with: {user.city: y}, expect: {fired: [a]}}\n"
    assert survivors(judged(both, policy)) == ["p/a: set user.title dropped"]


def test_no_mutant_at_all_is_a_full_score() -> None:
    """There is nothing that nobody proves."""
    assert score(()) == 100.0
