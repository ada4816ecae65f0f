"""A line of the decision log read back: the same record, as far as the log has it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.answer.decision_line import account, in_clear
from usher.answer.record import DecisionRecord
from usher.answer.recorded_line import NotARecordError, record_of
from usher.domain.command import Command, CommandType
from usher.domain.decision import (
    ClaimTrace,
    Conflict,
    Ending,
    Hold,
    Lookup,
    Outcome,
    Remembered,
    RuleFault,
    RuleTrace,
    Tried,
    Verdict,
)

NAMES = st.from_regex(r"[a-z]{1,5}(-[a-z]{1,5})?/[a-z]{1,5}", fullmatch=True)
CODES = st.from_regex(r"[a-z]{1,6}(-[a-z]{1,6})?", fullmatch=True).filter(lambda code: code != "false")
PLACES = st.integers(1, 999)
TEXTS = st.text(max_size=8)
VALUES = st.dictionaries(st.sampled_from(["login", "alias"]), TEXTS, min_size=1)
TRACES = st.one_of(
    st.builds(RuleTrace, NAMES, st.sampled_from([Verdict.FIRED, Verdict.UNFIT])),
    st.builds(RuleTrace, NAMES, st.just(Verdict.FALSE), PLACES, PLACES),
    st.builds(RuleTrace, NAMES, st.just(Verdict.ERROR), PLACES, PLACES, CODES),
    st.builds(RuleTrace, NAMES, st.just(Verdict.EXHAUSTED)),
)
RECORDS = st.builds(
    DecisionRecord,
    decision_id=TEXTS,
    timestamp=TEXTS,
    event_id=TEXTS,
    application=st.dictionaries(st.sampled_from(["id", "name"]), TEXTS),
    subject=TEXTS,
    revision=TEXTS,
    input=st.none() | st.dictionaries(TEXTS, TEXTS),
    trace=st.lists(TRACES, unique_by=lambda entry: entry.rule, max_size=4).map(tuple),
    commands=st.lists(st.builds(Command, st.sampled_from(CommandType), VALUES), max_size=2).map(tuple),
    conflicts=st.lists(st.builds(Conflict, NAMES, st.lists(NAMES).map(tuple)), max_size=2).map(tuple),
    errors=st.lists(st.builds(RuleFault, NAMES, CODES, TEXTS, st.booleans()), max_size=2).map(tuple),
    faults=st.lists(TEXTS, max_size=2).map(tuple),
    outcome=st.sampled_from(Outcome),
    milliseconds=st.floats(0, 1e6),
    stages=st.dictionaries(st.sampled_from(["parse", "decide"]), st.floats(0, 1e6)),
    ending=st.none() | st.sampled_from(Ending),
    holds=st.lists(st.builds(Hold, NAMES, st.just("")), max_size=2).map(tuple),
    vetoed=st.lists(TEXTS, max_size=2).map(tuple),
    claims=st.lists(
        st.builds(
            ClaimTrace,
            NAMES,
            st.lists(st.builds(Tried, VALUES, st.sampled_from(["", "held"])), max_size=3).map(tuple),
            st.none() | VALUES,
            st.integers(0, 900),
        ),
        max_size=2,
    ).map(tuple),
    remembered=st.lists(st.builds(Remembered, TEXTS, TEXTS, st.booleans()), max_size=2).map(tuple),
    lookups=st.lists(
        st.builds(Lookup, TEXTS, TEXTS, TEXTS, st.booleans() | st.lists(st.none() | TEXTS, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    shadow=st.booleans(),
)


def line_of(record: DecisionRecord) -> dict[str, Any]:
    """Return the line a log without redaction writes, read back from JSON."""
    line: dict[str, Any] = json.loads(json.dumps(account(record) | in_clear(record)))
    return line


@given(RECORDS)
def test_what_is_written_is_read_back(record: DecisionRecord) -> None:
    """Nothing that the log holds gets lost or changed on the way back."""
    assert record_of(line_of(record)) == record


def test_a_line_from_before_there_were_shadows_is_what_was_answered() -> None:
    """Logs are older than the service that reads them."""
    line = line_of(minimal())
    assert line.pop("shadow") is False
    assert record_of(line) == minimal()


def test_a_hold_keeps_its_rule_alone() -> None:
    """The log never holds a hold's text, so none is read back."""
    record = replace(record_of(line_of(minimal())), holds=(Hold("p/a", "for Okta's console"),))
    assert record_of(line_of(record)).holds == (Hold("p/a", ""),)


def test_a_field_that_was_dropped_is_empty() -> None:
    """Where redaction failed the field is missing, and the rest can be told."""
    line = line_of(minimal())
    del line["claims"], line["input"], line["subject"]
    record = record_of(line)
    assert (record.claims, record.input, record.subject) == ((), None, "")


@pytest.mark.parametrize(
    "change",
    [
        {"trace": ["fired"]},
        {"trace": {"p/a": "won"}},
        {"outcome": "maybe"},
        {"claims": [{"rule": "p/a"}]},
        {"stages": {"parse": "soon"}},
        {"hold": 7},
    ],
    ids=str,
)
def test_a_line_of_another_version_is_refused_without_quoting_it(change: dict[str, object]) -> None:
    """One clear error, whatever stands in the line."""
    with pytest.raises(NotARecordError, match=r"^this line of the decision log was written by another version of Ush"):
        record_of(line_of(minimal()) | change)


def minimal() -> DecisionRecord:
    """Return a decision of which there is nothing to tell."""
    return DecisionRecord(
        decision_id="1",
        timestamp="2026-03-01T09:00:00.000Z",
        event_id="e",
        application={},
        subject="7",
        revision="r",
        input={},
        trace=(),
        commands=(),
        conflicts=(),
        errors=(),
        faults=(),
        outcome=Outcome.DEFAULT,
        milliseconds=1.0,
    )
