"""What a record keeps of a decision, whatever became of the answer."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.rehearsing import line_over
from usher.answer.line import AnswerLine
from usher.answer.record import DecisionRecord
from usher.bootstrap.schemas import Schemas
from usher.domain.decision import Ending, Lookup, Outcome
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, PolicySet, Stores
from usher.proof.rehearsal import Kept
from usher.shapes import Shape

Load = Callable[[str | Mapping[str, str]], PolicySet]
Payload = Callable[..., dict[str, Any]]
Judge = Callable[..., DecisionRecord]

POLICY = """\
policy: p
rules:
  - id: free
    claim:
      login: {candidates: ["'ann@example.com'"]}
    set: {user.login: claimed.login}
  - id: asks
    when: taken('login', 'zoe@example.com') || size(directory('employeeNumber', '7')) == 1
    set: {user.title: {value: x}}
  - id: asks-again
    when: size(directory('employeeNumber', '7')) == 1 && directory('login', '') == []
    veto: [user.city]
  - id: held
    when: "'hold' in context.conflicts"
    hold: {value: "a text"}
  - id: publishes
    debug: "{'title': 'x', 'taken': taken('login', 'bob@example.com')}"
"""


@pytest.fixture
def judged(policy_set: Load, schemas: Schemas) -> Judge:
    """Return the record of one call; `change` may break the line."""

    def judge(
        body: object, *, files: Any = POLICY, change: Callable[[AnswerLine], AnswerLine] | None = None
    ) -> DecisionRecord:
        kept = Kept()
        users = [{"id": "00u1", "employeeNumber": "7", "login": "bob@example.com"}]
        stores = Stores(MemoryLedger(), MemoryDirectory(users), DEFAULT_NAMESPACES)
        line = line_over(policy_set(files), schemas, kept, lambda *_: None, stores=stores)
        (change(line) if change else line).answer(json.dumps(body).encode(), time.monotonic())
        (record,) = kept.records
        return record

    return judge


def test_every_part_of_a_decision_is_kept(judged: Judge, payload: Payload) -> None:
    """Claims, look-ups, vetoes, what is published, how the row ends."""
    record = judged(payload())
    assert record.ending is Ending.CREATE
    assert [claim.granted for claim in record.claims] == [{"login": "ann@example.com"}]
    assert record.vetoed == ("user.city",)
    assert record.debug == {"p/publishes": {"title": "x", "taken": True}}
    assert (record.holds, record.remembered) == ((), ())


def test_look_ups_are_kept_once_and_sorted(judged: Judge, payload: Payload) -> None:
    """Each question with its answer, those of `debug` too; blanks ask nobody; the order of rules changes nothing."""
    expected = (
        Lookup("directory", "employeeNumber", "7", ("00u1",)),
        Lookup("taken", "login", "bob@example.com", found=True),
        Lookup("taken", "login", "zoe@example.com", found=False),
    )
    assert judged(payload()).lookups == expected
    head, *rules = POLICY.split("  - id: ")
    assert judged(payload(), files=head + "".join(f"  - id: {rule}" for rule in reversed(rules))).lookups == expected


def test_a_held_row_keeps_the_rule(judged: Judge, payload: Payload) -> None:
    """And claims nothing."""
    record = judged(payload(context={"conflicts": ["hold"]}))
    assert [hold.rule for hold in record.holds] == ["p/held"]
    assert (record.outcome, record.claims, record.commands) == (Outcome.HOLD, (), ())


def test_a_row_without_a_claim_keeps_what_is_remembered(judged: Judge, payload: Payload) -> None:
    """The login it ends with."""
    files = "policy: p\nrules:\n  - id: a\n    set: {user.title: {value: x}}\n"
    (kept,) = judged(payload(user={"login": "ann@example.com"}), files=files).remembered
    assert (kept.namespace, kept.value, kept.collision) == ("login", "ann@example.com", False)


def test_a_claim_stands_whatever_becomes_of_the_answer(judged: Judge, payload: Payload) -> None:
    """An answer that must not leave is undecided and commands nothing; what was claimed for it is on record."""
    record = judged(payload(), change=lambda line: replace(line, response_shape=Shape({"not": {}})))
    assert (record.outcome, record.commands) == (Outcome.UNDECIDED, ())
    assert [claim.granted for claim in record.claims] == [{"login": "ann@example.com"}]


def test_a_call_no_policy_judged_has_no_ending(judged: Judge, payload: Payload) -> None:
    """A request that breaks its schema asks nobody."""
    record = judged({**payload(), "eventId": 7})
    assert (record.outcome, record.ending, record.trace, record.lookups) == (Outcome.INVALID, None, (), ())
