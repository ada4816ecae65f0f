"""What the service log tells of a decision: ids, rules, outcome, time; nothing of a profile."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.event_log import EventLog
from usher.adapters.decision_events import DecisionEvents
from usher.answer.record import DecisionRecord
from usher.domain.decision import Outcome, RuleTrace, Verdict


@dataclass
class Meter:
    """Remembers what it counted."""

    counted: list[object] = field(default_factory=list)

    def decided(self, record: DecisionRecord) -> None:
        """Remember."""
        self.counted.append(record)

    def replayed(self, decision_id: str) -> None:
        """Remember."""
        self.counted.append(decision_id)


def told(record: DecisionRecord) -> Mapping[str, object]:
    """Return the event of one record."""
    log = EventLog()
    DecisionEvents(Meter(), log).decided(record)
    [(name, values)] = log.told
    assert name == "decided"
    return values


def test_a_decision_is_told_by_its_ids_and_its_rules(record: DecisionRecord) -> None:
    """Who reads it finds the line in the decision log; how many errors and conflicts there were stands there."""
    assert dict(told(record)) == {
        "decision_id": "0199a1b2c3d4e5f60718293a4b",
        "event_id": "JUGOUiYZTaKPmH6db0nDag",
        "application": "test_app",
        "outcome": "commands",
        "revision": "3f2a",
        "fired": ["logins/infix"],
        "milliseconds": 1.234,
        "errors": 3,
        "conflicts": 1,
    }


def test_no_value_of_a_profile_is_told(record: DecisionRecord) -> None:
    """A record has the whole request and all commands, the event has none of them."""
    text = json.dumps(told(record)).lower()
    for personal in ("sally", "admin", "clouditude", "user221", "administrator2"):
        assert personal in str(record).lower()
        assert personal not in text


def test_what_is_ordinary_is_short(record: DecisionRecord) -> None:
    """A call without errors says nothing of errors; an undecided one has its cause."""
    plain = replace(record, errors=(), conflicts=(), trace=())
    assert set(told(plain)) == {
        *("decision_id", "event_id", "application", "outcome", "revision", "fired", "milliseconds")
    }
    undecided = told(replace(plain, outcome=Outcome.UNDECIDED, cause="queue"))
    assert (undecided["outcome"], undecided["cause"]) == ("undecided", "queue")


def test_many_rules_are_counted(record: DecisionRecord) -> None:
    """A line stays a line: the first twenty by name, the rest as a number."""
    trace = tuple(RuleTrace(f"p/rule-{number}", Verdict.FIRED) for number in range(50))
    event = told(replace(record, trace=trace))
    assert event["fired"] == [f"p/rule-{number}" for number in range(20)]
    assert event["more"] == 30


@pytest.mark.parametrize(
    "sent", ["", "Sally Admin", "sally@example.com", "a\nb", "\x1b[2J", "ü", "x" * 65, "a{b}", '"', "a\\b", None, 7]
)
def test_what_does_not_look_like_an_id_is_not_told(record: DecisionRecord, sent: object) -> None:
    """APPSEC: event id and application are the sender's; no name, address, forged or endless line."""
    event = told(replace(record, event_id=sent if isinstance(sent, str) else "", application={"name": sent}))
    assert (event["event_id"], event["application"]) == ("-", "-")


@pytest.mark.parametrize("sent", ["JUGOUiYZTaKPmH6db0nDag", "a", "x" * 64, "urn:okta:app/1.2_b+c=="])
def test_an_id_is_told_as_it_is(record: DecisionRecord, sent: str) -> None:
    """So that it can be found in Okta's System Log."""
    event = told(replace(record, event_id=sent, application={"name": sent}))
    assert (event["event_id"], event["application"]) == (sent, sent)


@pytest.mark.parametrize("sent", ["Sally.Admin", "+49301234567"])
def test_a_name_in_the_place_of_an_id_is_told_if_it_looks_like_one(record: DecisionRecord, sent: str) -> None:
    """Nothing tells the two apart, and the page for operators says so."""
    assert told(replace(record, event_id=sent))["event_id"] == sent
    assert f"`{sent}`" in (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")


def test_everything_is_counted_whatever_becomes_of_the_log(record: DecisionRecord) -> None:
    """A log that breaks its promise not to fail costs neither count nor answer."""
    meter = Meter()
    for log in (EventLog(), EventLog(fault=OSError())):
        events = DecisionEvents(meter, log)
        events.decided(record)
        events.replayed("d")
    assert meter.counted == [record, "d", record, "d"]


def test_an_answer_that_is_given_again_is_told() -> None:
    """By the id of the decision that it was."""
    log = EventLog()
    DecisionEvents(Meter(), log).replayed("0199a1")
    assert log.told == [("replayed", {"decision_id": "0199a1"})]
