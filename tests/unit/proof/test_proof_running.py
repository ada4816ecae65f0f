"""Runs of policy tests: what a case starts from, what goes from step to step, and what fails."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from usher.answer.record import DecisionRecord
from usher.cel import Limits
from usher.domain.decision import Outcome
from usher.engine import Namespace
from usher.proof.hints import MAX_RULES
from usher.proof.running import CaseResult, OutOfTimeError, run_case, run_files
from usher.proof.scene import Scene
from usher.proof.suite import Suite
from usher.proof.world import World

Proved = Callable[..., list[CaseResult]]
MakeSuite = Callable[..., Suite]

LOGINS = """\
policy: logins
constants: {domain: example.com}
variables:
  same: directory('employeeNumber', get(appuser, 'employeeNumber', ''))
rules:
  - id: free
    claim:
      login:
        candidates: [user.login, "'ann' + string(n) + '@' + constants.domain"]
        counter: {from: 2, to: 9}
        except: tables.reserved
    set: {user.login: claimed.login}
  - id: known
    when: size(variables.same) == 1
    action: {link: "variables.same[0].id"}
  - id: late
    when: now > timestamp('2026-06-01T00:00:00Z')
    set: {user.title: {value: late}}
  - id: wait
    when: "'hold' in context.conflicts"
    hold: "'ask about ' + get(user, 'city', 'somebody')"
  - id: fails
    when: "'fail' in context.conflicts && user.city == 'Ulm'"
    set: {user.title: {value: x}}
"""
HEAD = """\
tests_for: logins
fixtures:
  ann: {user: {login: ann@example.com}, appuser: {externalId: "1"}}
"""
RESERVED = {"tables/reserved.yaml": "[ann3@example.com]\n"}


def differences(results: list[CaseResult]) -> list[list[tuple[str, object, object]]]:
    """Return, case by case, what was different, what was expected, and what came."""
    return [
        [(failing.difference.what, failing.difference.expected, failing.difference.actual) for failing in one.failures]
        for one in results
    ]


def test_steps_share_a_ledger_and_cases_do_not(proved: Proved) -> None:
    """What one step claims, the next finds held; every test, and every case of one, starts afresh."""
    tests = (
        HEAD
        + """\
tests:
  - name: two of one name
    steps:
      - {given: ann, expect: {claims: {login: ann@example.com}}}
      - {given: ann, with: {appuser.externalId: "2"}, expect: {claims: {login: ann2@example.com}}}
      - {given: ann, with: {appuser.externalId: "3"}, expect: {claims: {login: ann4@example.com}}}
      - {given: ann, expect: {claims: {login: ann@example.com}, set: {}}}
  - name: each alone
    given: ann
    expect: {claims: {login: ann@example.com}}
    cases:
      one: {with: {appuser.externalId: "7"}}
      two: {with: {appuser.externalId: "8"}}
"""
    )
    results = proved(LOGINS, tests, **RESERVED)
    assert differences(results) == [[], [], []]
    assert [result.case.name for result in results] == ["two of one name", "each alone[one]", "each alone[two]"]


def test_a_step_that_expects_nothing_is_decided_all_the_same(proved: Proved) -> None:
    """It sets the scene for the next one."""
    tests = (
        HEAD
        + """\
tests:
  - name: second
    steps:
      - {given: ann}
      - {given: ann, with: {appuser.externalId: "2"}, expect: {claims: {login: ann2@example.com}}}
"""
    )
    assert differences(proved(LOGINS, tests, **RESERVED)) == [[]]


def test_every_case_starts_from_the_file_s_directory_and_ledger(proved: Proved) -> None:
    """Known users are found, what they and others hold is taken, the row's own earlier value is given again."""
    tests = (
        HEAD
        + """\
directory:
  - {id: 00u1, login: ann@example.com, employeeNumber: "7"}
ledger:
  - {namespace: login, value: ann2@example.com, subject: "9"}
  - {namespace: login, value: ann5@example.com, subject: "5"}
tests:
  - name: known by number
    given: ann
    with: {appuser.employeeNumber: "7"}
    expect: {fired: [known], action: {link: 00u1}}
  - {name: a user has it and a row has the next, given: ann, expect: {claims: {login: ann4@example.com}}}
  - name: hers already
    given: ann
    with: {appuser.externalId: "5"}
    expect: {claims: {login: ann5@example.com}}
  - name: of another application
    given: ann
    with: {appuser.externalId: "5", context.application.id: other}
    expect: {claims: {login: ann4@example.com}}
"""
    )
    assert differences(proved(LOGINS, tests, **RESERVED)) == [[], [], [], []]


def test_constants_tables_and_the_moment_are_the_test_s(proved: Proved) -> None:
    """They stand in for the folder's; without them the folder's stand, and one moment that never changes."""
    tests = "now: '2026-07-01T00:00:00Z'\nconstants: {domain: example.org}\ntables: {reserved: [ann@example.com]}\n"
    tests += (
        HEAD
        + """\
tests:
  - {name: one, given: ann, expect: {claims: {login: ann2@example.org}, fired: [free, late]}}
"""
    )
    assert differences(proved(LOGINS, tests, **RESERVED)) == [[]]
    plain = HEAD + "tests:\n  - {name: one, given: ann, expect: {claims: {login: ann@example.com}, fired: [free]}}\n"
    assert differences(proved(LOGINS, plain, **RESERVED)) == [[]]


def test_a_shadow_policy_is_tested_as_if_it_were_in_force(proved: Proved) -> None:
    """By its own tests; by those of the whole folder it is on trial, and does nothing."""
    shadow = "policy: s\nmode: shadow\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"
    own = "tests_for: s\nfixtures:\n  ann: {user: {city: Ulm}}\ntests:\n"
    own += "  - {name: one, given: ann, expect: {fired: [a], set: {user.title: x}}}\n"
    whole = own.replace("tests_for: s", "tests_for: '*'").replace(
        "fired: [a], set: {user.title: x}", "fired: [], set: {}"
    )
    assert differences(proved(shadow, own, **{"whole_test.yaml": whole})) == [[], []]


def test_a_test_of_one_policy_hears_nothing_of_the_others(proved: Proved) -> None:
    """The whole folder does."""
    other = "policy: q\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"
    alone = HEAD + "tests:\n  - {name: alone, given: ann, expect: {fired: [free], set: {}}}\n"
    both = alone.replace("tests_for: logins", "tests_for: '*'").replace("[free], set: {}", "[logins/free, q/a]")
    assert differences(proved(LOGINS, alone, **RESERVED, **{"q.yaml": other, "whole_test.yaml": both})) == [[], []]


def test_everything_that_comes_out_can_be_expected(proved: Proved) -> None:
    """Every word at once, met."""
    policy = """\
policy: p
rules:
  - {id: a, set: {user.title: {value: x}, user.city: {value: Ulm}, user.nickName: {value: y}}}
  - {id: b, set: {user.city: {value: Bonn}}}
  - {id: c, set: {user.email: {value: none}}}
  - {id: d, veto: [user.nickName]}
  - {id: e, only: link, set: {user.state: {value: x}}}
"""
    tests = """\
tests_for: p
fixtures:
  ann: {user: {login: ann@example.com}, appuser: {externalId: "1"}}
tests:
  - name: everything
    given: ann
    expect:
      fired: [d, c, b, a]
      set: {user.title: x}
      action: create
      hold: ""
      vetoed: [user.nickName]
      conflicts: [user.city]
      errors: [c]
      claims: {}
      remembered: {login: ann@example.com}
      response: {commands: [{type: com.okta.user.profile.update, value: {title: x}}]}
"""
    assert differences(proved(policy, tests)) == [[]]


def test_a_link_of_okta_s_that_stands_is_told_without_a_command(proved: Proved) -> None:
    """How the decision ends counts, not what is sent."""
    tests = (
        HEAD
        + """\
directory: [{id: 00u1, login: x@example.com, employeeNumber: "7"}]
tests:
  - name: proposed already
    given: ann
    with: {action: LINK_USER, matched_user_id: 00u1, appuser.employeeNumber: "7"}
    expect: {action: {link: 00u1}, set: {}, response: {}, claims: {}, remembered: {}}
"""
    )
    assert differences(proved(LOGINS, tests, **RESERVED)) == [[]]


@pytest.mark.parametrize(
    ("expect", "different"),
    [
        ("collisions: {login: ann@example.com}, remembered: {}", []),
        ("set: {}", [("collisions login", None, "ann@example.com")]),
        (
            "remembered: {login: ann@example.com}",
            [("remembered login", "ann@example.com", None), ("collisions login", None, "ann@example.com")],
        ),
    ],
)
@pytest.mark.parametrize(
    "holder",
    [
        'ledger: [{namespace: login, value: Ann@example.com, subject: "8"}]',
        "directory: [{id: 00u8, login: ann@example.com}]",
    ],
)
def test_what_somebody_else_holds_is_a_collision_and_not_remembered(
    proved: Proved, holder: str, expect: str, different: list[tuple[str, object, object]]
) -> None:
    """Whoever holds it; a test that does not expect it fails."""
    tests = f"""\
tests_for: p
{holder}
fixtures: {{ann: {{user: {{login: ann@example.com}}, appuser: {{externalId: "1"}}}}}}
tests:
  - {{name: one, given: ann, expect: {{{expect}}}}}
"""
    policy = "policy: p\nrules:\n  - {id: a, when: 'false', set: {user.title: {value: x}}}\n"
    assert differences(proved(policy, tests)) == [different]


@pytest.mark.parametrize(
    ("conflicts", "expect", "different"),
    [
        ("[fail]", "set: {}", [("errors logins/fails", None, "logins/fails")]),
        ("[fail]", "set: {}, errors: [fails]", []),
        ("[hold]", "set: {}", [("hold", None, "ask about somebody")]),
        ("[hold]", "hold: true", []),
        ("[hold]", "hold: ask about somebody, fired: [wait, free]", []),
        ("[hold]", "hold: ask about Eve", [("hold", "ask about Eve", "ask about somebody")]),
        ("[]", "errors: [fails]", [("errors logins/fails", "logins/fails", None)]),
    ],
)
def test_what_nobody_expected_fails(
    proved: Proved, conflicts: str, expect: str, different: list[tuple[str, object, object]]
) -> None:
    """An error or a hold that the test does not name; and one that it names and that does not come."""
    tests = (
        HEAD
        + f"tests:\n  - {{name: one, given: ann, with: {{context.conflicts: {conflicts}}}, expect: {{{expect}}}}}\n"
    )
    assert differences(proved(LOGINS, tests, **RESERVED)) == [different]


def test_a_failing_step_is_told_by_its_number(proved: Proved) -> None:
    """Counted from 1; a case of one request has none."""
    tests = (
        HEAD
        + """\
tests:
  - name: many
    steps:
      - {given: ann, expect: {hold: ""}}
      - {given: ann, expect: {hold: true}}
      - {given: ann, expect: {hold: true}}
  - {name: one, given: ann, expect: {hold: true}}
"""
    )
    many, one = proved(LOGINS, tests, **RESERVED)
    assert [failing.step for failing in many.failures] == [2, 3]
    assert [failing.step for failing in one.failures] == [0]
    assert [failing.difference.place.line for failing in many.failures] == [8, 9]


def heavy(world: World) -> World:
    """Return a world in which next to nothing may be computed."""
    return replace(world, limits=Limits(steps=3))


def test_a_decision_that_does_not_end_is_a_failure_of_its_own(suite: MakeSuite, world: World) -> None:
    """With the code of what ran out, at the case; what it was expected to say is not compared."""
    policy = (
        "policy: p\nrules:\n  - id: a\n    when: '[1, 2, 3, 4, 5].all(n, n > 0)'\n    set: {user.title: {value: x}}\n"
    )
    tests = HEAD.replace("logins", "p") + "tests:\n  - {name: one, given: ann, expect: {fired: [a], set: {}}}\n"
    read = suite({"policy.yaml": policy, "policy_test.yaml": tests})
    (result,) = run_files(read.files, heavy(world))
    assert differences([result]) == [[("decision", "decided", "undecided: too-many-steps")]]
    assert result.failures[0].difference.place == result.case.place
    assert not result.passed


def test_a_decision_has_a_bound_of_its_own(suite: MakeSuite, world: World) -> None:
    """In seconds; what takes longer is undecided."""
    read = suite(
        {
            "policy.yaml": LOGINS,
            "logins_test.yaml": HEAD + "tests:\n  - {name: one, given: ann, expect: {set: {}}}\n",
            **RESERVED,
        }
    )
    (result,) = run_files(read.files, replace(world, decision_seconds=0.0))
    ((what, _, came),) = differences([result])[0]
    assert (what, str(came).partition(":")[0]) == ("decision", "undecided")


def test_a_run_has_a_bound_on_its_time(suite: MakeSuite, world: World) -> None:
    """What was run before it stands; then `OutOfTimeError` is raised, between two requests."""
    tests = (
        HEAD
        + "tests:\n"
        + "".join(f"  - {{name: t{number}, given: ann, expect: {{hold: ''}}}}\n" for number in range(3))
    )
    read = suite({"policy.yaml": LOGINS, "logins_test.yaml": tests, **RESERVED})
    run = run_files(read.files, world, until=time.monotonic() + 60)
    assert next(run).passed
    with pytest.raises(OutOfTimeError):
        list(run_files(read.files, world, until=time.monotonic()))
    file = read.files[0]
    with pytest.raises(OutOfTimeError):
        run_case(file, file.cases[0], world, until=0.0)


def test_namespaces_are_those_of_the_settings(suite: MakeSuite, world: World) -> None:
    """What counts as the same login is fixed there, in tests as in the service."""
    declared = replace(world.declared, namespaces={"login": Namespace("login", compare="local")})
    local = replace(world, declared=declared)
    tests = (
        HEAD
        + """\
ledger: [{namespace: login, value: ann@elsewhere.example, subject: "9"}]
tests:
  - {name: one, given: ann, expect: {claims: {login: ann2@example.com}}}
"""
    )
    read = suite({"policy.yaml": LOGINS, "logins_test.yaml": tests, **RESERVED}, within=local)
    assert [result.passed for result in run_files(read.files, local)] == [True]
    read = suite({"policy.yaml": LOGINS, "logins_test.yaml": tests, **RESERVED})
    assert [result.passed for result in run_files(read.files, world)] == [False]


class Watching:
    """Keeps what it saw."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def saw(self, record: DecisionRecord, scene: Scene) -> None:
        """Keep the record."""
        del scene
        self.records.append(record)


def test_a_watcher_sees_every_decision(suite: MakeSuite, world: World) -> None:
    """Step by step, also those of which nothing is expected; with the whole request, however long."""
    tests = (
        HEAD
        + """\
  eve: {user: {login: eve@example.com}, appuser: {externalId: "2"}, context: {note: "%s"}}
tests:
  - name: many
    steps:
      - {given: ann}
      - {given: eve, expect: {hold: ""}}
  - {name: one, given: ann, expect: {hold: true}}
"""
        % ("x" * 200_000)
    )
    read = suite({"policy.yaml": LOGINS, "logins_test.yaml": tests, **RESERVED})
    watching = Watching()
    list(run_files(read.files, world, watcher=watching))
    logins = [_login(record.input) for record in watching.records]
    assert logins == ["ann@example.com", "eve@example.com", "ann@example.com"]
    assert {record.outcome for record in watching.records} == {Outcome.DEFAULT}
    assert {record.timestamp for record in watching.records} == {"2026-03-02T09:00:00.000Z"}


def _login(wire: Any) -> object:
    return wire["data"]["user"]["profile"]["login"]


def test_a_long_request_is_read_whole(proved: Proved, payload: Callable[..., dict[str, Any]]) -> None:
    """Records leave long input out; what is linked and why not is told all the same."""
    body = payload(action="LINK_USER", context={"note": "x" * 200_000}, user={"city": "Ulm"})
    body["data"]["user"]["id"] = "00u1"
    policy = (
        "policy: p\nrules:\n  - id: a\n    when: get(user, 'city', '') == 'Bonn'\n    set: {user.title: {value: x}}\n"
    )
    tests = """\
tests_for: p
fixtures: {eve: {request: eve.json}}
tests:
  - {name: one, given: eve, expect: {action: {link: 00u1}, fired: [a]}}
"""
    (result,) = proved(policy, tests, **{"testdata/eve.json": json.dumps(body)})
    assert differences([result]) == [[("fired p/a", "p/a", None)]]
    reason = result.failures[0].accounts[0].reasons[0].reason
    assert [(sight.text, sight.value) for sight in reason.sights] == [("get(user, 'city', '')", "Ulm")]


def test_a_run_leaves_the_files_as_they_were(suite: MakeSuite, world: World) -> None:
    """Run twice, it comes to the same."""
    tests = HEAD + "tests:\n  - {name: one, given: ann, expect: {claims: {login: ann@example.com}}}\n"
    read = suite({"policy.yaml": LOGINS, "logins_test.yaml": tests, **RESERVED})
    for _ in range(2):
        assert [result.passed for result in run_files(read.files, world)] == [True]


def test_the_rules_that_explain_a_difference_are_bounded(proved: Proved) -> None:
    """A wall of rules explains nothing."""
    rules = "".join(
        f"  - {{id: r{number}, when: \"get(user, 'city', '') == 'x{number}'\", set: {{user.title: {{value: x}}}}}}\n"
        for number in range(MAX_RULES + 3)
    )
    tests = HEAD.replace("logins", "p") + "tests:\n  - {name: one, given: ann, expect: {set: {user.title: x}}}\n"
    (result,) = proved("policy: p\nrules:\n" + rules, tests)
    (failing,) = result.failures
    assert [account.rule for account in failing.accounts] == [f"p/r{number}" for number in range(MAX_RULES)]
