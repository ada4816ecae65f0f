"""Shadow policies on live traffic: looked at once the answer has left, on record, counted, never answered."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from usher.answer.line import AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.reply import Reply
from usher.answer.shadow import Shadow
from usher.cel import Limits
from usher.domain.decision import Outcome, Verdict
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Owner, PolicySet, Stores

Payload = Callable[..., dict[str, Any]]
World = Any  # the dataclass of this folder's conftest
Make = Callable[..., World]
Watched = Callable[..., "Watch"]

POLICY = """\
policy: p
rules:
  - id: titled
    when: "'title' in context.conflicts"
    set: {user.title: {value: answered}}
  - id: free
    when: "'claim' in context.conflicts"
    claim: {login: {candidates: ["'ann@example.com'", "'ann2@example.com'"]}}
    set: {user.login: claimed.login}
  - id: links
    when: "'link' in context.conflicts"
    action: {link: "'00u1'"}
  - id: held
    when: "'hold' in context.conflicts"
    hold: "'wait'"
"""
SHADOW = """\
policy: s
mode: shadow
rules:
  - id: rule
    when: RULE
"""
ENDLESS = """\
    when: |-
      TEN.all(a, TEN.all(b, TEN.all(c, TEN.all(d, TEN.all(e, TEN.all(f, a + b + c + d + e + f >= 0))))))
    set: {user.title: {value: x}}
""".replace("TEN", str(list(range(10))))


def shadowing(*effects: str) -> dict[str, str]:
    """Return the policy in force and one in shadow with a rule for each effect, given as lines of YAML."""
    rules = "".join(f"  - id: r{number}\n    {effect}\n" for number, effect in enumerate(effects))
    return {"p.yaml": POLICY, "s.yaml": f"policy: s\nmode: shadow\nrules:\n{rules}"}


@dataclass
class Meter:
    """Keeps what it was told; `fault` stands for a bug."""

    seen: list[tuple[DecisionRecord, tuple[str, ...]]] = field(default_factory=list)
    fault: Exception | None = None

    def shadowed(self, record: DecisionRecord, targets: tuple[str, ...]) -> None:
        """Keep it or fail."""
        if self.fault is not None:
            raise self.fault
        self.seen.append((record, targets))


@dataclass
class Watch:
    """A line with a shadow, and everything around both."""

    world: World
    meter: Meter
    ledger: MemoryLedger

    def answer(self, body: object) -> Reply:
        """Answer without what comes afterwards."""
        reply: Reply = self.world.line.answer(json.dumps(body).encode(), time.monotonic())
        return reply

    def look(self, body: object) -> tuple[DecisionRecord, DecisionRecord]:
        """Return what was answered and what the shadow policies would have done."""
        reply = self.answer(body)
        assert reply.afterwards is not None
        reply.afterwards()
        answered, shadow = self.world.kept.records[-2:]
        return answered, shadow

    def targets(self, body: object) -> tuple[str, ...]:
        """Return the targets that would have ended otherwise."""
        self.look(body)
        return self.meter.seen[-1][1]


@pytest.fixture
def watched(world: Make) -> Watched:
    """Return a maker of lines with a shadow."""

    def make(
        files: Any, *, limits: Limits | None = None, on_fault: Callable[[str, Exception], None] | None = None
    ) -> Watch:
        ledger, meter = MemoryLedger(), Meter()
        stores = Stores(ledger, MemoryDirectory(), DEFAULT_NAMESPACES)
        made = world(files, stores=stores, on_fault=on_fault)
        shadow = Shadow(made.kept, meter, stores, made.line.on_fault, limits or made.line.options.limits)
        made.line = replace(made.line, shadow=shadow)
        return Watch(made, meter, ledger)

    return make


def test_nothing_of_a_shadow_is_answered(watched: Watched, payload: Payload) -> None:
    """Byte for byte the answer of the set without it, and on record before the shadow is looked at."""
    watch = watched(shadowing("set: {user.title: {value: shade}}", "hold: \"'shade'\"", "veto: [action.create]"))
    plain = watched(POLICY)
    for conflict in ("title", "claim", "link", "none"):
        body = payload(context={"conflicts": [conflict]})
        reply, expected = watch.answer(body), plain.answer(body)
        assert without_ids(reply.body) == without_ids(expected.body)
        assert b"shade" not in reply.body
        assert watch.meter.seen == []
        assert [record.shadow for record in watch.world.kept.records] == [False]
        watch.world.kept.records.clear()


def without_ids(body: bytes) -> Any:
    """Return an answer without what differs from call to call and from set to set."""
    answer = json.loads(body)
    for name in ("decisionId", "policyRevision"):
        answer.get("debugContext", {}).pop(name, None)
    return answer


def test_what_a_shadow_would_do_is_a_record_of_its_own(watched: Watched, payload: Payload) -> None:
    """Under the id of the answer, marked, of the shadow rules alone, and without the input, which stands there once."""
    watch = watched(shadowing("set: {user.title: {value: shade}}", "when: 1 == 2\n    set: {user.city: {value: x}}"))
    body = payload(context={"conflicts": ["title"]})
    answered, shadow = watch.look(body)
    assert (answered.shadow, shadow.shadow) == (False, True)
    assert (answered.input, shadow.input) == (body, None)
    for name in ("decision_id", "timestamp", "event_id", "application", "subject", "revision"):
        assert getattr(shadow, name) == getattr(answered, name)
    assert [(trace.rule, trace.verdict) for trace in shadow.trace] == [
        ("s/r0", Verdict.FIRED),
        ("s/r1", Verdict.FALSE),
    ]
    assert [command.value for command in shadow.commands] == [{"title": "shade"}]
    assert [command.value for command in answered.commands] == [{"title": "answered"}]
    assert shadow.outcome is Outcome.COMMANDS
    assert (shadow.stages, shadow.milliseconds > 0) == ({}, True)
    assert watch.world.kept.counted == [answered]
    [(counted, targets)] = watch.meter.seen
    assert (replace(counted, input=None), targets) == (shadow, ("user.title",))


CHANGES: dict[str, tuple[tuple[str, ...], str, dict[str, Any], tuple[str, ...]]] = {
    "another value than the one answered": (("set: {user.title: {value: x}}",), "title", {}, ("user.title",)),
    "the value that was answered": (("set: {user.title: {value: answered}}",), "title", {}, ()),
    "a value where there was none": (("set: {user.city: {value: x}}",), "title", {}, ("user.city",)),
    "the value the profile has": (("set: {user.city: {value: x}}",), "", {"user": {"city": "x"}}, ()),
    "the profile's value, which was answered over": (
        ("set: {user.title: {value: old}}",),
        "title",
        {"user": {"title": "old"}},
        (),
    ),
    "an application attribute": (("set: {appuser.title: {value: x}}",), "", {}, ("appuser.title",)),
    "several targets": (
        ("set: {user.city: {value: x}, user.state: {value: y}}", "action: {link: \"'00u1'\"}"),
        "",
        {},
        ("user.city", "user.state", "action"),
    ),
    "a link": (("action: {link: \"'00u1'\"}",), "", {}, ("action",)),
    "a link to somebody else": (("action: {link: \"'00u2'\"}",), "link", {}, ("action",)),
    "the link that was answered": (("action: {link: \"'00u1'\"}",), "link", {}, ()),
    "a hold": (("hold: \"'x'\"",), "title", {}, ("action",)),
    "a hold of what is held": (("hold: \"'x'\"",), "hold", {}, ()),
    "a value for what is held": (("set: {user.title: {value: x}}",), "hold", {}, ()),
    "a veto of what was answered": (("veto: [user.title]",), "title", {}, ("user.title",)),
    "a veto of what nobody set": (("veto: [user.city]",), "title", {}, ()),
    "a veto of the link that was answered": (("veto: [action.link]",), "link", {}, ("action",)),
    "a veto of a link nobody made": (("veto: [action.link]",), "title", {}, ()),
    "a veto of creation, which holds": (("veto: [action.create]",), "title", {}, ("action",)),
    "a claim": (
        ("claim: {login: {candidates: [\"'new@example.com'\"]}}\n    set: {user.login: claimed.login}",),
        "",
        {},
        ("user.login",),
    ),
    "the claim that was answered": (
        ("claim: {login: {candidates: [\"'ann@example.com'\"]}}\n    set: {user.login: claimed.login}",),
        "claim",
        {},
        (),
    ),
    "a rule that does not fire": (("when: 1 == 2\n    set: {user.title: {value: x}}",), "title", {}, ()),
    "a rule that fails": (("when: user.nickName == ''\n    set: {user.title: {value: x}}",), "title", {}, ()),
    "a value the profile schema refuses": (("set: {user.email: {value: none}}",), "", {}, ()),
}


@pytest.mark.parametrize(("effects", "conflict", "parts", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_would_have_ended_otherwise_is_told_by_target(
    watched: Watched, payload: Payload, effects: tuple[str, ...], conflict: str, parts: Any, expected: tuple[str, ...]
) -> None:
    """Against what was answered, else against the profile; a target for each rule, once."""
    watch = watched(shadowing(*effects))
    assert watch.targets(payload(context={"conflicts": [conflict]}, **parts)) == expected


def test_a_shadow_over_its_budget_is_undecided(watched: Watched, payload: Payload) -> None:
    """On record and counted without a command; it costs a worker its steps and no more."""
    files = {"p.yaml": POLICY, "s.yaml": SHADOW.replace("    when: RULE\n", ENDLESS)}
    watch = watched(files, limits=Limits(steps=1000))
    answered, shadow = watch.look(payload(context={"conflicts": ["title"]}))
    assert (answered.outcome, shadow.outcome) == (Outcome.COMMANDS, Outcome.UNDECIDED)
    assert (shadow.commands, shadow.trace, shadow.claims, shadow.ending) == ((), (), (), None)
    assert watch.meter.seen[-1][1] == ()
    assert watch.world.faults == []


def test_a_shadow_claims_nothing(watched: Watched, payload: Payload) -> None:
    """It sees what the answer claimed, and what it takes itself is free for the next row, whoever that is."""
    watch = watched(
        shadowing(
            "claim: {login: {candidates: [\"'ann@example.com'\", \"'new@example.com'\"]}}\n"
            "    set: {user.login: claimed.login}"
        )
    )
    watch.look(payload(appuser={"externalId": "1"}, context={"conflicts": ["claim"]}))
    for subject in "23":
        watch.look(payload(appuser={"externalId": subject}))
    taken = [(trace.granted or {}).get("login") for record, _ in watch.meter.seen for trace in record.claims]
    assert taken == ["ann@example.com", "new@example.com", "new@example.com"]
    held = [(owner, value) for owner, value in watch.ledger.held.values()]
    assert held == [(Owner("0oa1", "1"), "ann@example.com")]


def test_the_set_that_answered_is_the_one_that_is_looked_at(
    watched: Watched, payload: Payload, policy_set: Callable[..., PolicySet]
) -> None:
    """A reload between the answer and the look changes neither."""
    watch = watched(shadowing("set: {user.title: {value: before}}"))
    reply = watch.answer(payload())
    watch.world.policies[0] = policy_set(shadowing("set: {user.title: {value: after}}"))
    assert reply.afterwards is not None
    reply.afterwards()
    answered, shadow = watch.world.kept.records
    assert [command.value for command in shadow.commands] == [{"title": "before"}]
    assert answered.revision == shadow.revision != watch.world.policies[0].revision


@pytest.mark.parametrize(
    "fault",
    [OSError("Geheimnis"), KeyError("Geheimnis"), RecursionError(), MemoryError()],
    ids=type,
)
@pytest.mark.parametrize("place", ["log_fault", "meter"])
def test_a_fault_in_a_shadow_is_told_and_never_escapes(
    watched: Watched, payload: Payload, place: str, fault: Exception
) -> None:
    """The answer has left; the thread has the next call to serve."""
    watch = watched(shadowing("set: {user.title: {value: x}}"))
    reply = watch.answer(payload())
    if place == "meter":
        watch.meter.fault = fault
    else:
        watch.world.kept.log_fault = fault
    assert reply.afterwards is not None
    reply.afterwards()
    assert watch.world.faults == [(reply.decision_id, fault)]


def test_a_fault_that_cannot_even_be_told_does_not_escape(watched: Watched, payload: Payload) -> None:
    """A log that fails twice is still no reason to lose a worker."""

    def fails(decision_id: str, error: Exception) -> None:
        raise ValueError(decision_id) from error

    watch = watched(shadowing("set: {user.title: {value: x}}"), on_fault=fails)
    reply = watch.answer(payload())
    watch.meter.fault = OSError()
    assert reply.afterwards is not None
    reply.afterwards()


def test_a_set_without_shadows_leaves_nothing_to_do(watched: Watched, payload: Payload) -> None:
    """Nor does a line that was given no shadow: every other door."""
    assert watched(POLICY).answer(payload()).afterwards is None
    watch = watched(shadowing("set: {user.title: {value: x}}"))
    watch.world.line = replace(watch.world.line, shadow=None)
    assert watch.answer(payload()).afterwards is None


def test_what_was_not_decided_has_no_shadow(watched: Watched, payload: Payload) -> None:
    """Neither what is no JSON, nor what breaks its schema, nor what ran out of time, nor what failed."""
    watch = watched(shadowing("set: {user.title: {value: x}}"))
    late = watch.world.line.answer(json.dumps(payload()).encode(), time.monotonic() - 10)
    assert (late.outcome, late.afterwards) == (Outcome.UNDECIDED, None)
    unparsable = watch.world.line.answer(b"{", time.monotonic())
    assert (unparsable.status, unparsable.afterwards) == (400, None)
    invalid = watch.answer({**payload(), "eventId": 7})
    assert (invalid.outcome, invalid.afterwards) == (Outcome.INVALID, None)
    watch.world.policies[0] = KeyError("x")
    failed = watch.answer(payload())
    assert (failed.outcome, failed.afterwards) == (Outcome.UNDECIDED, None)


def test_a_repeated_call_is_looked_at_once(watched: Watched, payload: Payload) -> None:
    """The same answer again decides nothing again; another call does."""
    watch = watched(shadowing("set: {user.title: {value: x}}"))
    first, again = watch.answer(payload()), watch.answer(payload())
    assert (first.decision_id, again.replayed) == (again.decision_id, True)
    assert first.afterwards is not None
    assert again.afterwards is None
    assert watch.answer(payload(event_id="event-2")).afterwards is not None


@pytest.mark.parametrize("hold", ["error", "quarantine"])
def test_a_held_row_has_a_shadow_too(watched: Watched, payload: Payload, hold: Any) -> None:
    """What the shadow would do is on record, however held rows are answered; it would have changed nothing."""
    watch = watched(shadowing("set: {user.title: {value: x}}"))
    options = AnswerOptions(hold=hold, quarantine={"userType": "held"})
    watch.world.line = replace(watch.world.line, options=options)
    answered, shadow = watch.look(payload(context={"conflicts": ["hold"]}))
    assert (answered.outcome, shadow.outcome) == (Outcome.HOLD, Outcome.COMMANDS)
    assert shadow.holds == ()
    assert watch.meter.seen[-1][1] == ()
