"""The straight line: every call is answered, in time, and nobody's values reach anybody else."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.answer.call import MAX_RECORDED_BYTES
from usher.answer.line import (
    INVALID_SUMMARY,
    NOT_PARSABLE_SUMMARY,
    UNDECIDED_SUMMARY,
    AnswerOptions,
)
from usher.answer.own_answer import OwnAnswerError
from usher.answer.replay import ReplayStore
from usher.cel import BudgetExceeded
from usher.domain.decision import Outcome, RuleFault, Verdict

Payload = Callable[..., dict[str, Any]]
World = Any  # the dataclass of this folder's conftest
Make = Callable[..., World]

POLICY = """\
policy: p
rules:
  - id: taken
    when: "'login' in context.conflicts"
    set: {user.login: "'new-' + get(user, 'login', '')"}
  - id: fails
    when: "'fail' in context.conflicts"
    set: {user.title: user.nickName}
  - id: breaks
    when: "'break' in context.conflicts"
    set: {user.email: {value: no-address}}
  - id: one
    when: "'clash' in context.conflicts"
    set:
      user.city: get(user, 'login', '')
  - id: two
    when: "'clash' in context.conflicts"
    set:
      user.city: get(user, 'login', '') + '!'
  - id: large
    when: "'large' in context.conflicts"
    set:
      user.displayName: get(user, 'title', '')
"""
ENDLESS = """\
policy: p
variables:
  l: {value: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}
rules:
  - id: a
    when: >-
      variables.l.all(a, variables.l.all(b, variables.l.all(c,
      variables.l.all(d, variables.l.all(e, variables.l.all(f, a + b + c + d + e + f > 0))))))
    set: {user.title: {value: x}}
"""
SECRET = "Geheimnis"


def asked(world: World, body: object, *, arrived: float | None = None) -> tuple[Any, Outcome | None]:
    """Return answer and outcome; status and record are checked on the way."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = world.line.answer(raw, time.monotonic() if arrived is None else arrived)
    assert reply.status == (400 if reply.outcome is None else 200)
    assert world.line.response_shape.faults(json.loads(reply.body)) == ()
    return json.loads(reply.body), reply.outcome


@pytest.fixture
def usual(world: Make) -> World:
    """Return a line with rules for every outcome."""
    return world(POLICY)


def test_when_nothing_fires_oktas_default_stands(usual: World, payload: Payload) -> None:
    """`{}` and not a byte more."""
    reply = usual.line.answer(json.dumps(payload()).encode(), time.monotonic())
    assert (reply.status, reply.body, reply.outcome) == (200, b"{}", Outcome.DEFAULT)
    [record] = usual.kept.records
    assert record.outcome is Outcome.DEFAULT
    assert record.commands == ()
    assert usual.kept.counted == [record]


def test_a_rule_that_fires_is_answered_with_its_command(usual: World, payload: Payload) -> None:
    """Commands, and the names of what fired."""
    reply = usual.line.answer(
        json.dumps(payload(user={"login": "ann@example.com"}, context={"conflicts": ["login"]})).encode(),
        time.monotonic(),
    )
    assert reply.outcome is Outcome.COMMANDS
    assert json.loads(reply.body) == {
        "commands": [{"type": "com.okta.user.profile.update", "value": {"login": "new-ann@example.com"}}],
        "debugContext": {
            "decisionId": reply.decision_id,
            "policyRevision": usual.line.policies().revision,
            "fired": ["p/taken"],
        },
    }


def test_the_record_tells_the_whole_decision(usual: World, payload: Payload) -> None:
    """Every field of the decision log, before redaction."""
    body = payload(
        user={"login": "ann@example.com"},
        appuser={"externalId": "77"},
        context={"conflicts": ["login", "fail", "break", "clash"]},
        event_id="e-9",
    )
    reply = usual.line.answer(json.dumps(body).encode(), time.monotonic())
    [record] = usual.kept.records
    assert record.decision_id == reply.decision_id
    assert record.timestamp == "2026-03-02T09:00:00.123Z"
    assert record.event_id == "e-9"
    assert record.application == {"name": "test_app", "id": "0oa1", "label": "", "status": ""}
    assert record.subject == "77"
    assert record.revision == usual.line.policies().revision
    assert record.input == body
    assert [(trace.rule, trace.verdict) for trace in record.trace] == [
        ("p/taken", Verdict.FIRED),
        ("p/fails", Verdict.ERROR),
        ("p/breaks", Verdict.FIRED),
        ("p/one", Verdict.FIRED),
        ("p/two", Verdict.FIRED),
        ("p/large", Verdict.FALSE),
    ]
    assert [command.to_wire() for command in record.commands] == json.loads(reply.body)["commands"]
    assert [str(conflict.target) for conflict in record.conflicts] == ["user.city"]
    assert record.errors == (
        RuleFault("p/fails", "no-such-key"),
        RuleFault("p/breaks", "breaks-profile-schema", "user.email"),
    )
    assert record.faults == ()
    assert record.outcome is Outcome.COMMANDS
    assert 0 <= record.milliseconds < 60_000


def test_errors_and_conflicts_without_commands_are_told(usual: World, payload: Payload) -> None:
    """The default stands, and the System Log knows why."""
    answer, outcome = asked(usual, payload(context={"conflicts": ["fail", "clash"]}))
    assert outcome is Outcome.DEFAULT
    assert "commands" not in answer
    assert answer["debugContext"]["errors"] == ["p/fails: no-such-key"]
    assert answer["debugContext"]["conflicts"] == ["user.city: p/one, p/two"]


@pytest.mark.parametrize(
    ("changes", "locations"),
    [
        ({"eventId": None}, ["$.eventId"]),
        ({"data": None}, ["$.data"]),
        ({"eventType": 7, "eventId": 7}, ["$.eventId", "$.eventType"]),
        ({"data": {"user": 7, "appUser": {"profile": 1}}}, ["$.data.appUser.profile", "$.data.user"]),
    ],
)
def test_what_breaks_the_request_schema_is_an_error_with_one_cause_a_fault(
    usual: World, payload: Payload, changes: dict[str, object], locations: list[str]
) -> None:
    """200, no commands, a JSON path each; the record tells the faults by path and code."""
    answer, outcome = asked(usual, {**payload(), **changes})
    assert outcome is Outcome.INVALID
    assert set(answer) == {"error"}
    assert answer["error"]["errorSummary"] == INVALID_SUMMARY
    assert [cause["location"] for cause in answer["error"]["errorCauses"]] == locations
    [record] = usual.kept.records
    assert record.outcome is Outcome.INVALID
    assert [fault.partition(": ")[0] for fault in record.faults] == locations


@pytest.mark.parametrize("body", [None, 7, "x", [], {}, [[]]])
def test_json_that_is_no_event_is_invalid(usual: World, body: object) -> None:
    """Answered and recorded like any other."""
    _, outcome = asked(usual, body)
    assert outcome is Outcome.INVALID
    assert usual.kept.records[0].input == body


def test_another_event_is_told_so(usual: World, payload: Payload) -> None:
    """An admin may have pasted the address into the wrong hook."""
    answer, outcome = asked(usual, {**payload(), "eventType": "com.okta.oauth2.tokens.transform"})
    assert outcome is Outcome.INVALID
    assert answer["error"]["errorSummary"] == "This service answers com.okta.import.transform and no other event."


def test_a_thousand_faults_are_answered_within_bounds(usual: World, payload: Payload) -> None:
    """The sender chooses how many; the answer stays small."""
    body = payload(context={"conflicts": [1] * 10_000})
    answer, outcome = asked(usual, body)
    assert outcome is Outcome.INVALID
    assert len(answer["error"]["errorCauses"]) == 50


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"NaN", b'{"a":1,"a":2}', b"[" * 10_000 + b"]" * 10_000, b'"\\ud800"']
)
def test_what_is_not_parsable_is_a_400_and_no_decision(usual: World, body: bytes) -> None:
    """The only case in which Okta allows an HTTP error."""
    reply = usual.line.answer(body, time.monotonic())
    assert (reply.status, reply.decision_id, reply.outcome) == (400, None, None)
    error = json.loads(reply.body)["error"]
    assert error["errorSummary"] == NOT_PARSABLE_SUMMARY
    assert len(error["errorCauses"]) == 1
    assert usual.kept.records == []


def test_a_call_that_waited_too_long_is_undecided_without_being_looked_at(usual: World, payload: Payload) -> None:
    """Nobody reads the answer any more; the worker is needed for others. No policy set is asked for."""
    answer, outcome = asked(usual, payload(), arrived=time.monotonic() - 3)
    assert outcome is Outcome.UNDECIDED
    assert answer["error"]["errorSummary"] == UNDECIDED_SUMMARY
    assert answer["error"]["errorCauses"][0]["reason"] == "deadline"
    assert usual.asked == []
    [record] = usual.kept.records
    assert (record.outcome, record.input, record.milliseconds >= 3000) == (Outcome.UNDECIDED, None, True)


@pytest.mark.parametrize("rest", [{}, {"eventType": "com.okta.other"}], ids=["valid", "invalid"])
def test_an_endless_event_id_is_recorded_short(usual: World, payload: Payload, rest: dict[str, object]) -> None:
    """APPSEC: the sender's own text stands in the log once for each call; it must not be as long as a body."""
    asked(usual, {**payload(event_id="e" * 100_000), **rest})
    [record] = usual.kept.records
    assert record.event_id.startswith("eeee")
    assert len(record.event_id) < 200


def test_a_call_that_waited_for_a_worker_is_not_begun(usual: World, payload: Payload) -> None:
    """Within its deadline still, but with too little left: undecided at once, on record, and it claims nothing."""
    answer, outcome = asked(usual, payload(), arrived=time.monotonic() - 1.6)
    assert outcome is Outcome.UNDECIDED
    assert answer["error"]["errorCauses"][0]["reason"] == "queue"
    [record] = usual.kept.records
    assert (record.outcome, record.input) == (Outcome.UNDECIDED, None)
    assert [type(error).__name__ for _, error in usual.faults] == ["WaitedTooLongError"]


def test_a_repeated_call_that_waited_gets_its_first_answer(usual: World, payload: Payload) -> None:
    """What is known needs no decision: the stored answer is worth more than none, however long the queue was."""
    first, _ = asked(usual, payload())
    again, outcome = asked(usual, payload(), arrived=time.monotonic() - 1.6)
    assert again == first
    assert outcome is not Outcome.UNDECIDED


def test_a_call_that_waited_for_less_is_decided(world: Make, payload: Payload) -> None:
    """The limit is the setting's, not the deadline's."""
    patient = world(POLICY, options=AnswerOptions(queue_seconds=1.9))
    _, outcome = asked(patient, payload(), arrived=time.monotonic() - 1.6)
    assert outcome is not Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("options", "code"),
    [(AnswerOptions(deadline_seconds=0.001), "deadline"), (AnswerOptions(deadline_seconds=3600), "too-many-steps")],
)
def test_a_policy_that_does_not_end_is_undecided(
    world: Make, payload: Payload, options: AnswerOptions, code: str
) -> None:
    """By the clock or by the count of steps, whichever is first."""
    endless = world(ENDLESS, options=options)
    answer, outcome = asked(endless, payload())
    assert outcome is Outcome.UNDECIDED
    assert answer["error"]["errorCauses"][0]["reason"] == code
    [(decision_id, error)] = endless.faults
    assert decision_id == endless.kept.records[0].decision_id
    assert isinstance(error, BudgetExceeded)
    assert endless.kept.records[0].event_id == "event-1"


def test_the_deadline_is_looked_at_again_before_the_answer_leaves(world: Make, payload: Payload) -> None:
    """A decision that was ready too late is no decision."""
    arrived = time.monotonic()

    class Slow(ReplayStore):
        def find(self, key: bytes) -> None:
            """Take until the deadline has passed."""
            del key
            while time.monotonic() < arrived + 0.2:
                pass

    slow = world(POLICY, options=AnswerOptions(deadline_seconds=0.1), replay=Slow(keep_seconds=1, limit_bytes=1))
    _, outcome = asked(slow, payload(), arrived=arrived)
    assert outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    "fault", [RuntimeError(SECRET), KeyError(SECRET), MemoryError(), RecursionError(), OSError(28, SECRET)]
)
@pytest.mark.parametrize("where", ["policies", "on_fault", "all"])
def test_whatever_fails_the_call_is_answered(world: Make, payload: Payload, where: str, fault: Exception) -> None:
    """With the undecided answer, and without the exception's text."""

    def failing(*_: object) -> None:
        raise fault

    broken = world(POLICY, on_fault=failing if where in {"on_fault", "all"} else None)
    broken.policies[0] = fault
    if where == "all":
        broken.kept.log_fault = fault
        broken.kept.meter_fault = fault
    answer, outcome = asked(broken, payload())
    assert outcome is Outcome.UNDECIDED
    assert answer["error"]["errorCauses"][0]["reason"] == "internal-fault"
    assert SECRET not in json.dumps(answer)
    if where == "policies":
        assert [error for _, error in broken.faults] == [fault]


@pytest.mark.parametrize("where", ["log", "meter"])
def test_a_log_or_meter_that_breaks_its_promise_does_not_cost_the_answer(
    world: Make, payload: Payload, where: str
) -> None:
    """They must not raise; if one does, the finished answer still leaves, and somebody hears of the fault."""
    fault = RuntimeError(SECRET)
    broken = world(POLICY)
    setattr(broken.kept, f"{where}_fault", fault)
    assert asked(broken, payload())[1] is Outcome.DEFAULT
    assert [error for _, error in broken.faults] == [fault]


def test_a_meter_that_fails_at_a_replay_does_not_cost_the_answer(world: Make, payload: Payload) -> None:
    """Still an answer Okta can read."""
    broken = world(POLICY)
    assert asked(broken, payload())[1] is Outcome.DEFAULT
    broken.kept.meter_fault = RuntimeError("full")
    assert asked(broken, payload())[1] in {Outcome.DEFAULT, Outcome.UNDECIDED}


def test_the_undecided_answer_may_be_oktas_default(world: Make, payload: Payload) -> None:
    """An admin may prefer a created user to a recorded failure."""
    lenient = world(POLICY, options=AnswerOptions(undecided="default"))
    lenient.policies[0] = RuntimeError("gone")
    answer, outcome = asked(lenient, payload())
    assert (answer, outcome) == ({}, Outcome.UNDECIDED)


def test_a_fault_outside_the_line_is_answered_and_recorded(usual: World) -> None:
    """Even then there is a decision id to look for."""
    reply = usual.line.undecided()
    assert reply.outcome is Outcome.UNDECIDED
    assert json.loads(reply.body)["error"]["errorSummary"] == UNDECIDED_SUMMARY
    [record] = usual.kept.records
    assert record.decision_id == reply.decision_id
    assert len(usual.faults) == 1


def test_an_answer_that_would_break_the_contract_is_undecided(usual: World, payload: Payload) -> None:
    """Okta drops what is over 256 KB: better to know."""
    _, outcome = asked(usual, payload(user={"title": "x" * 300_000}, context={"conflicts": ["large"]}))
    assert outcome is Outcome.UNDECIDED
    [(_, error)] = usual.faults
    assert isinstance(error, OwnAnswerError)


def test_a_repeated_call_gets_the_same_bytes_and_decision_id(usual: World, payload: Payload) -> None:
    """Okta retries: nothing is decided or recorded twice."""
    body = json.dumps(payload(user={"login": "a@example.com"}, context={"conflicts": ["login"]})).encode()
    first = usual.line.answer(body, time.monotonic())
    second = usual.line.answer(body, time.monotonic())
    assert (second.status, second.body, second.decision_id, second.outcome) == (
        first.status,
        first.body,
        first.decision_id,
        first.outcome,
    )
    assert (first.replayed, second.replayed) == (False, True)
    assert len(usual.kept.records) == 1
    assert usual.kept.replays == 1


def test_an_invalid_call_is_replayed_too(usual: World) -> None:
    """The faults do not change either."""
    first, second = (usual.line.answer(b'{"eventId":""}', time.monotonic()) for _ in range(2))
    assert (second.body, second.decision_id, second.replayed) == (first.body, first.decision_id, True)


def test_the_same_event_with_another_body_is_decided_anew(usual: World, payload: Payload) -> None:
    """The body counts, not the `eventId` alone."""
    one = usual.line.answer(json.dumps(payload(user={"login": "a@example.com"})).encode(), time.monotonic())
    other = usual.line.answer(json.dumps(payload(user={"login": "b@example.com"})).encode(), time.monotonic())
    assert one.decision_id != other.decision_id
    assert len(usual.kept.records) == 2


def test_the_same_call_under_another_revision_is_decided_anew(world: Make, payload: Payload) -> None:
    """After a reload the new rules speak."""
    changing = world(POLICY)
    body = json.dumps(payload(user={"login": "a@example.com"}, context={"conflicts": ["login"]})).encode()
    first = changing.line.answer(body, time.monotonic())
    changing.policies[0] = world(POLICY.replace("new-", "newer-")).line.policies()
    second = changing.line.answer(body, time.monotonic())
    assert not second.replayed
    assert b"newer-a@example.com" in second.body
    assert first.decision_id != second.decision_id


def test_an_undecided_call_is_never_replayed(world: Make, payload: Payload) -> None:
    """A retry is a second chance."""
    healing = world(POLICY)
    sound = healing.policies[0]
    healing.policies[0] = RuntimeError("gone")
    body = json.dumps(payload(user={"login": "a@example.com"}, context={"conflicts": ["login"]})).encode()
    assert healing.line.answer(body, time.monotonic()).outcome is Outcome.UNDECIDED
    healing.policies[0] = sound
    assert healing.line.answer(body, time.monotonic() - 60).outcome is Outcome.UNDECIDED
    reply = healing.line.answer(body, time.monotonic())
    assert (reply.outcome, reply.replayed) == (Outcome.COMMANDS, False)


def test_the_policies_in_force_are_read_once_a_call(usual: World, payload: Payload) -> None:
    """A request sees one version from start to end."""
    asked(usual, payload(context={"conflicts": ["login", "clash"]}))
    assert len(usual.asked) == 1


def test_decision_ids_sort_by_time_and_never_repeat(usual: World, payload: Payload) -> None:
    """12 hexadecimal digits of milliseconds, 14 at random."""
    ids = []
    for number in range(500):
        reply = usual.line.answer(json.dumps(payload(event_id=str(number))).encode(), time.monotonic())
        assert reply.decision_id is not None
        ids.append(reply.decision_id)
    assert len(set(ids)) == 500
    assert {decision_id[:12] for decision_id in ids} == {f"{1_772_442_000_123:012x}"}
    assert {len(decision_id) for decision_id in ids} == {26}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS.map(lambda text: SECRET + text),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXTS, children, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(
        [
            "eventId",
            "eventType",
            "data",
            "context",
            "conflicts",
            "application",
            "action",
            "user",
            "appUser",
            "title",
            "login",
        ]
    ),
    ODD,
    st.lists(st.sampled_from(["fail", "break", "clash", "large"]), unique=True),
)
def test_no_profile_value_leaves_but_in_commands(
    world: Make, payload: Payload, member: str, value: object, conflicts: list[str]
) -> None:
    """Law: whatever is odd in a payload, errors, debugContext and the fault channel name places and rules only."""
    line = world(POLICY)
    body = payload(
        user={"login": SECRET, "title": SECRET * 10}, appuser={"externalId": SECRET}, context={"conflicts": conflicts}
    )
    data = body["data"]
    holders = {
        **dict.fromkeys(["eventId", "eventType", "data"], body),
        **dict.fromkeys(["context", "action", "user", "appUser"], data),
        **dict.fromkeys(["conflicts", "application"], data["context"]),
        **dict.fromkeys(["title", "login"], data["user"]["profile"]),
    }
    holders[member][member] = value
    answer, outcome = asked(line, body)
    answer.pop("commands", None)
    assert SECRET not in json.dumps(answer, ensure_ascii=False)
    assert all(SECRET not in str(error) for _, error in line.faults)
    assert outcome is not Outcome.UNDECIDED
    record = line.kept.records[0]
    assert SECRET not in f"{record.trace}{record.conflicts}{record.errors}{record.faults}"


def test_threads_never_see_each_others_values(world: Make, payload: Payload) -> None:
    """Eight threads, many people, one line: every answer holds the values of its own request."""
    policy = """\
policy: p
variables:
  login: get(user, 'login', '')
  parts: "variables.login.split('@')"
  joined: "variables.parts.map(p, p + '-' + variables.login).join('/')"
rules:
  - id: a
    when: context.conflicts.exists(c, c == 'login') && variables.parts.all(p, variables.login.contains(p))
    set:
      user.displayName: variables.joined
      appuser.groups: "appuser.groups.map(g, g + variables.login)"
"""
    line = world(
        policy, replay=ReplayStore(keep_seconds=600, limit_bytes=50_000), options=AnswerOptions(deadline_seconds=120)
    )
    wrong: list[object] = []

    def person(thread: int, number: int) -> tuple[bytes, dict[str, object]]:
        login = f"p{thread}-{number}@t{thread}"
        body = payload(
            user={"login": login},
            appuser={"groups": [login, "g"]},
            context={"conflicts": ["x", "login"]},
            event_id=login,
        )
        name, domain = login.split("@")
        values: dict[str, object] = {
            "displayName": f"{name}-{login}/{domain}-{login}",
            "groups": [login + login, "g" + login],
        }
        return json.dumps(body).encode(), values

    def work(thread: int) -> None:
        for number in range(150):
            body, expected = person(thread, number % 100)
            reply = line.line.answer(body, time.monotonic())
            got: dict[str, object] = {}
            for command in json.loads(reply.body).get("commands", []):
                got.update(command["value"])
            if got != expected:
                wrong.append((expected, reply))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({record.decision_id for record in line.kept.records}) == len(line.kept.records) >= 800
    for record in line.kept.records:
        [app_command, user_command] = record.commands
        assert isinstance(record.input, dict)
        assert record.input["data"]["user"]["profile"]["login"] in str(user_command.value)
        assert record.event_id in str(app_command.value)


def shipped(root: Path) -> dict[str, str]:
    """Return the shipped policies with their tables."""
    policies = root / "policies"
    files = [*policies.glob("*.yaml"), *(policies / "tables").iterdir()]
    return {path.relative_to(policies).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_oktas_own_sample_is_decided(world: Make, root: Path) -> None:
    """Byte for byte as the reference prints it, under the shipped policies."""
    sample = (root / "tests/golden/okta-sample.json").read_bytes()
    line = world(shipped(root))
    reply = line.line.answer(sample, time.monotonic())
    assert reply.outcome in {Outcome.DEFAULT, Outcome.COMMANDS}
    assert line.kept.records[0].event_id == "JUGOUiYZTaKPmH6db0nDag"
    assert line.faults == []


def test_the_guides_case_is_answered_as_the_guide_says(world: Make, root: Path) -> None:
    """george.smith@… is taken: George Alexander Smith becomes george.alexander.smith@…."""
    case = (root / "policies/testdata/george-alexander-smith.json").read_bytes()
    reply = world(shipped(root)).line.answer(case, time.monotonic())
    assert json.loads(reply.body)["commands"] == [
        {"type": "com.okta.user.profile.update", "value": {"login": "george.alexander.smith@example.com"}}
    ]


def test_a_very_large_body_is_decided_and_not_recorded(usual: World, payload: Payload) -> None:
    """Redacting it would take time that belongs to other calls."""
    body = json.dumps(payload(user={"postalAddress": "x" * MAX_RECORDED_BYTES})).encode()
    assert usual.line.answer(body, time.monotonic()).outcome is Outcome.DEFAULT
    [record] = usual.kept.records
    assert record.input is None
    assert record.event_id == "event-1"
