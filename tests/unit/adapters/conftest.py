"""Records to write: Okta's own sample, decided."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from usher.adapters.redaction import Redactor
from usher.answer.record import DecisionRecord
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

# Okta's sample from its user import inline hook reference.
SAMPLE = """
{"source":"cal7eyxOsnb20oWbZ0g4","eventId":"JUGOUiYZTaKPmH6db0nDag","eventTime":"2019-02-27T20:59:04.000Z",
 "eventTypeVersion":"1.0","cloudEventVersion":"0.1","eventType":"com.okta.import.transform",
 "contentType":"application/json",
 "data":{
  "context":{"conflicts":["login"],
   "application":{"name":"test_app","id":"0oa7ey7aLRuBvcYUD0g4","label":"app7ey6eU5coTOO5v0g4","status":"ACTIVE"},
   "job":{"id":"ij17ez2AWtMZRfCZ60g4","type":"import:users"},
   "matches":[],"policy":["EMAIL","FIRST_AND_LAST_NAME"]},
  "action":{"result":"CREATE_USER"},
  "appUser":{"profile":{"firstName":"Sally2","lastName":"Admin2","mobilePhone":null,"accountType":"PRO",
   "secondEmail":null,"failProvisioning":null,"failDeprovisioning":null,"externalId":"user221",
   "groups":["everyone@clouditude.net","tech@clouditude.net"],"userName":"administrator2",
   "email":"sally.admin@clouditude.net"}},
  "user":{"profile":{"lastName":"Admin2","zipCode":null,"city":null,"secondEmail":null,"postAddress":null,
   "login":"sally.admin@clouditude.net","firstName":"Sally2","primaryPhone":null,"mobilePhone":null,
   "streetAddress":null,"countryCode":null,"typeId":null,"state":null,"email":"sally.admin@clouditude.net"}}}}
"""
KEY = bytes(range(32))


@pytest.fixture
def sample() -> Any:
    """Return Okta's sample, free to be changed."""
    return json.loads(SAMPLE)


@pytest.fixture
def record(sample: Any) -> DecisionRecord:
    """Return a decision with something in every field."""
    return DecisionRecord(
        decision_id="0199a1b2c3d4e5f60718293a4b",
        timestamp="2026-03-01T09:00:00.123Z",
        event_id="JUGOUiYZTaKPmH6db0nDag",
        application=sample["data"]["context"]["application"],
        subject="user221",
        revision="3f2a",
        input=sample,
        trace=(
            RuleTrace("logins/infix", Verdict.FIRED),
            RuleTrace("logins/number", Verdict.FALSE, 12, 7),
            RuleTrace("locale/german", Verdict.ERROR, 30, 9, "no-such-key"),
            RuleTrace("links/rehire", Verdict.UNFIT),
            RuleTrace("logins/token", Verdict.EXHAUSTED, 41, 5),
        ),
        commands=(Command(CommandType.USER_PROFILE, {"login": "sally2.admin2@clouditude.net"}),),
        conflicts=(Conflict("user.locale", ("locale/german", "locale/other")),),
        errors=(
            RuleFault("locale/german", "no-such-key"),
            RuleFault("clean/phone", "maxLength", "user.mobilePhone"),
            RuleFault("links/board", "no-such-key", closed=True),
        ),
        faults=(),
        outcome=Outcome.COMMANDS,
        milliseconds=1.234,
        ending=Ending.CREATE,
        holds=(Hold("links/ambiguous", "two people are called Sally2"), Hold("links/board", "links/board")),
        vetoed=("action.link", "user.title"),
        claims=(
            ClaimTrace(
                "logins/free",
                (
                    Tried({"login": "sally.admin@clouditude.net", "alias": "Sally2"}, "conflict"),
                    Tried({"login": "sally2.admin2@clouditude.net", "alias": "Admin2"}, ""),
                ),
                {"login": "sally2.admin2@clouditude.net", "alias": "Admin2"},
            ),
            ClaimTrace("logins/token", tuple(Tried({"alias": f"Sally2{n}"}, "held") for n in range(60)), None),
            ClaimTrace("logins/rolled-back", (Tried({"alias": "Sally2"}, ""),), None),
        ),
        remembered=(Remembered("login", "administrator2@clouditude.net", collision=True),),
        lookups=(
            Lookup("directory", "employeeNumber", "user221", ("00u9abcDEF", "administrator2", None)),
            Lookup("directory", "Sally2", "Admin2", ()),
            Lookup("taken", "login", "sally.admin@clouditude.net", found=True),
        ),
        debug={"logins/free": {"department": "Sales"}},
    )


@pytest.fixture
def with_input(record: DecisionRecord) -> Callable[[object], DecisionRecord]:
    """Return a function that makes a record of a given request."""
    return lambda body: replace(record, input=body)


@pytest.fixture
def redactor() -> Redactor:
    """Return a redactor for which only department and accountType are public."""
    return Redactor(
        KEY,
        public_user=frozenset({"department"}),
        public_app_user=frozenset({"accountType", "tags"}),
        lookup_names=frozenset({"employeeNumber", "login"}),
    )
