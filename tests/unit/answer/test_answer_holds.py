"""Rows that wait for a person, and answers that stay within Okta's bounds whatever the policies say."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from usher.answer.debug_context import CUT, MAX_DEBUG_BYTES, cut_text, debug_context, published
from usher.answer.line import HOLD_SUMMARY, AnswerOptions
from usher.answer.own_answer import MAX_ANSWER_BYTES
from usher.domain.decision import Conflict, Decision, Ending, Hold, Outcome, RuleFault, RuleTrace, Verdict
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Owner, Stores

Payload = Callable[..., dict[str, Any]]
World = Any  # the dataclass of this folder's conftest
Make = Callable[..., World]

POLICY = """\
policy: p
rules:
  - id: no-number
    when: "'hold' in context.conflicts"
    hold: "'no number for ' + get(user, 'title', 'somebody')"
  - id: as-well
    when: "'twice' in context.conflicts"
    hold: "'and another reason'"
  - id: city
    set: {user.city: {value: Rome}}
  - id: free-login
    claim:
      login:
        candidates: ["get(user, 'login', '')", "'ann' + string(n) + '@example.com'"]
        counter: {from: 2, to: 3}
    set: {user.login: claimed.login}
"""


def asked(world: World, body: object) -> tuple[Any, Outcome | None]:
    """Return answer and outcome of a call that is answered within Okta's contract."""
    reply = world.line.answer(json.dumps(body).encode(), time.monotonic())
    assert reply.status == 200
    assert len(reply.body) < MAX_ANSWER_BYTES
    assert world.line.response_shape.faults(json.loads(reply.body)) == ()
    return json.loads(reply.body), reply.outcome


def test_a_hold_is_an_error_with_one_cause_a_hold_and_no_commands(world: Make, payload: Payload) -> None:
    """Row: hold: `error` is the default answer; the cause tells the text and the rule."""
    held = world(POLICY)
    body = payload(user={"login": "a@example.com", "title": "Ann"}, context={"conflicts": ["hold", "twice"]})
    answer, outcome = asked(held, body)
    assert outcome is Outcome.HOLD
    assert set(answer) == {"error", "debugContext"}
    assert answer["error"]["errorSummary"] == HOLD_SUMMARY
    causes = [(cause["errorSummary"], cause["reason"]) for cause in answer["error"]["errorCauses"]]
    assert causes == [("and another reason", "p/as-well"), ("no number for Ann", "p/no-number")]
    assert answer["debugContext"]["holds"] == ["p/as-well", "p/no-number"]
    assert "Ann" not in json.dumps(answer["debugContext"])
    assert held.ledger.held == {}
    [record] = held.kept.records
    assert (record.outcome, record.commands, record.claims) == (Outcome.HOLD, (), ())
    assert [hold.rule for hold in record.holds] == ["p/as-well", "p/no-number"]


@pytest.mark.parametrize("action", ["CREATE_USER", "LINK_USER"])
def test_quarantine_creates_the_row_with_the_attributes_of_the_settings(
    world: Make, payload: Payload, action: str
) -> None:
    """Row: hold: `quarantine`: CREATE_USER, for orgs where `error` does not stop Okta; no policy's commands."""
    options = AnswerOptions(hold="quarantine", quarantine={"userType": "held"})
    answer, outcome = asked(world(POLICY, options=options), payload(context={"conflicts": ["hold"]}, action=action))
    assert outcome is Outcome.HOLD
    created = [{"type": "com.okta.action.update", "value": {"result": "CREATE_USER"}}] if action == "LINK_USER" else []
    profile = {"type": "com.okta.user.profile.update", "value": {"userType": "held"}}
    assert answer["commands"] == [*created, profile]
    assert "error" not in answer


def test_a_quarantine_without_attributes_is_no_empty_command(world: Make, payload: Payload) -> None:
    """Okta refuses a profile command without a profile."""
    answer, _ = asked(world(POLICY, options=AnswerOptions(hold="quarantine")), payload(context={"conflicts": ["hold"]}))
    assert set(answer) == {"debugContext"}


def test_a_claim_that_is_exhausted_is_a_hold(world: Make, payload: Payload) -> None:
    """All candidates taken: the row waits, the reason names the rule, and nobody's value is told."""
    ledger = MemoryLedger()
    for value in ("a@example.com", "ann2@example.com", "ann3@example.com"):
        ledger.held["login", value] = (Owner("0oa1", "77"), value)
    full = world(POLICY, stores=Stores(ledger, MemoryDirectory(), DEFAULT_NAMESPACES))
    answer, outcome = asked(full, payload(user={"login": "a@example.com"}))
    assert outcome is Outcome.HOLD
    assert [cause["reason"] for cause in answer["error"]["errorCauses"]] == ["p/free-login"]
    assert "example.com" not in json.dumps(answer)
    [record] = full.kept.records
    assert [tried.refused for tried in record.claims[0].tried] == ["held", "held", "held"]


def test_a_claim_is_answered_recorded_and_kept(world: Make, payload: Payload) -> None:
    """Two rows in a row; then the first is asked again in another call and gets the same."""
    desk = world(POLICY)
    given = []
    for event_id, subject in (("1", "7"), ("2", "8"), ("3", "7")):
        body = payload(user={"login": "ann@example.com"}, appuser={"externalId": subject}, event_id=event_id)
        answer, _ = asked(desk, body)
        changed = {key: value for command in answer["commands"] for key, value in command["value"].items()}
        given.append(changed.get("login", "ann@example.com"))
    assert given == ["ann@example.com", "ann2@example.com", "ann@example.com"]
    assert [record.claims[0].granted for record in desk.kept.records] == [{"login": value} for value in given]


def test_a_claim_that_was_committed_is_on_record_even_if_its_answer_never_left(world: Make, payload: Payload) -> None:
    """A committed claim is never given back, whatever becomes of the answer: the record must tell of it."""
    policy = POLICY.replace("{user.city: {value: Rome}}", "{user.displayName: \"get(user, 'title', '')\"}")
    desk = world(policy)
    _, outcome = asked(desk, payload(user={"login": "ann@example.com", "title": "x" * 300_000}))
    assert outcome is Outcome.UNDECIDED
    [record] = desk.kept.records
    assert record.claims[0].granted == {"login": "ann@example.com"}
    assert len(desk.ledger.held) == 1


def test_a_debug_that_takes_too_much_leaves_no_claim_behind(world: Make, payload: Payload) -> None:
    """What is published is evaluated before anything is claimed: a budget that ends there undoes nothing."""
    policy = POLICY + "    debug: \"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(a, '" + "x" * 5000 + "' + string(a))\"\n"
    assert asked(world(policy), payload(user={"login": "ann@example.com"}))[1] is Outcome.COMMANDS
    endless = "variables.l.all(a, variables.l.all(b, variables.l.all(c, variables.l.all(d, variables.l.all(e, true)))))"
    policy = POLICY.replace("rules:", "variables: {l: {value: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}}\nrules:")
    desk = world(policy + f"    debug: {endless}\n")
    assert asked(desk, payload(user={"login": "ann@example.com"}))[1] is Outcome.UNDECIDED
    assert desk.ledger.held == {}


def test_a_veto_is_told_by_name(world: Make, payload: Payload) -> None:
    """`debugContext` carries what was vetoed, and never a profile value."""
    answer, outcome = asked(world("policy: p\nrules:\n  - id: v\n    veto: [user.title, action.link]\n"), payload())
    assert outcome is Outcome.DEFAULT
    assert answer["debugContext"]["vetoed"] == ["action.link", "user.title"]


@pytest.mark.parametrize("size", [100, 60_000, 70_000, 300_000])
def test_debug_is_published_and_cut_when_it_is_large(world: Make, payload: Payload, size: int) -> None:
    """A rule may publish a value; an answer over 256 KB would be dropped by Okta, so a large one is marked instead."""
    policy = "policy: p\nrules:\n" + "".join(
        f"  - id: r{number}\n    debug: get(user, 'title', '')\n" for number in range(3)
    )
    answer, outcome = asked(world(policy), payload(user={"title": "x" * size}))
    assert outcome is Outcome.DEFAULT
    shown = answer["debugContext"]["debug"]
    if size == 100:
        assert shown == {f"p/r{number}": "x" * size for number in range(3)}
    else:
        assert shown == (CUT if size == 60_000 else {f"p/r{number}": CUT for number in range(3)})


def test_a_hold_that_says_too_much_is_cut(world: Make, payload: Payload) -> None:
    """Its text may hold a value, and fifty of them go into one answer: the row must still be held."""
    policy = "policy: p\nrules:\n" + "".join(
        f"  - id: r{number}\n    hold: get(user, 'title', '')\n" for number in range(60)
    )
    answer, outcome = asked(world(policy), payload(user={"title": "ä" * 100_000}))
    assert outcome is Outcome.HOLD
    causes = answer["error"]["errorCauses"]
    assert len(causes) == 50
    assert all(cause["errorSummary"].startswith("ä" * 500) and CUT in cause["errorSummary"] for cause in causes)
    assert cut_text("x" * 500) == "x" * 500


def test_the_names_of_a_decision_never_make_an_answer_too_large() -> None:
    """Thousands of rules with the longest names there can be: ids stay, the rest is marked."""
    names = tuple(f"{'p' * 100}/{'l' * 100}/{'r' * 90}{number:010}" for number in range(2000))
    decision = Decision(
        "rev",
        ending=Ending.CREATE,
        trace=tuple(RuleTrace(name, Verdict.FIRED) for name in names),
        conflicts=tuple(Conflict(f"user.{'a' * 200}{number}", names) for number in range(100)),
        faults=tuple(RuleFault(name, "breaks-profile-schema", "user." + "a" * 200) for name in names),
        holds=tuple(Hold(name, "x") for name in names),
        debug={"p/a": "x" * (MAX_DEBUG_BYTES - 100)},
    )
    context = debug_context(decision, "id-1")
    assert len(json.dumps(context)) < MAX_ANSWER_BYTES // 2
    assert (context["decisionId"], context["policyRevision"]) == ("id-1", "rev")
    assert CUT in context.values()
    assert context["debug"] == decision.debug


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        (b"x", "bytes"),
        (float("nan"), "float"),
        ([float("inf")], "list"),
        ({1, 2}, "set"),
        ("x" * MAX_DEBUG_BYTES, CUT),
    ],
)
def test_what_is_published_is_json_whatever_a_rule_yields(value: object, shown: object) -> None:
    """A type's name stands in for what JSON cannot say."""
    assert published({"p/a": value}) == {"p/a": shown}


def test_an_enforced_rule_that_only_lost_everything_is_still_told(world: Make, payload: Payload) -> None:
    """It fired; conflicts and vetoes say what it lost."""
    policy = "policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n  - id: v\n    veto: [user.title]\n"
    answer, outcome = asked(world(policy), payload())
    assert outcome is Outcome.DEFAULT
    assert answer["debugContext"]["fired"] == ["p/a", "p/v"]


def test_a_shadow_policy_is_never_answered(world: Make, payload: Payload) -> None:
    """`mode: shadow`: not its holds, its commands, its names, nor its place in the ledger."""
    desk = world(POLICY.replace("policy: p", "policy: p\nmode: shadow"))
    answer, outcome = asked(desk, payload(context={"conflicts": ["hold"]}))
    assert (answer, outcome) == ({}, Outcome.DEFAULT)
    [record] = desk.kept.records
    assert (record.trace, record.claims, record.holds) == ((), (), ())
