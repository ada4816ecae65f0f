"""What the decision log shows of a person, and what not."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.adapters.redaction import RecordRedactor, Redactor
from usher.answer.decision_line import account
from usher.answer.record import DecisionRecord
from usher.answer.recorded_line import record_of
from usher.domain.command import Command, CommandType
from usher.domain.decision import ClaimTrace, Hold, Lookup, Outcome, Remembered, Tried

HASH = re.compile(r"h:[0-9a-f]{32}")
PEOPLE = ("Sally2", "Admin2", "user221", "everyone@", "tech@", "administrator2", "clouditude")


def redacted(redactor: Redactor, record: DecisionRecord) -> dict[str, Any]:
    """Return the personal fields after redaction, of which none was dropped."""
    line, dropped = redactor.redacted(record)
    assert dropped == ()
    return line


def test_no_value_of_okta_s_sample_is_left(redactor: Redactor, record: DecisionRecord) -> None:
    """Wherever a value of the profiles stands, the line does not hold it; what is not personal does stay."""
    line = redacted(redactor, record)
    text = json.dumps(line | account(record))
    assert [person for person in PEOPLE if person in text] == []
    data = line["input"]["data"]
    assert line["application"]["label"] == "app7ey6eU5coTOO5v0g4"
    assert line["input"]["eventId"] == "JUGOUiYZTaKPmH6db0nDag"
    assert data["context"]["conflicts"] == ["login"]
    assert data["context"]["policy"] == ["EMAIL", "FIRST_AND_LAST_NAME"]
    assert data["context"]["job"] == {"id": "ij17ez2AWtMZRfCZ60g4", "type": "import:users"}
    assert data["action"] == {"result": "CREATE_USER"}
    assert list(data["user"]["profile"]) == list(record.input["data"]["user"]["profile"])  # type: ignore[index]  # the sample


def test_a_person_can_be_followed_but_not_named(redactor: Redactor, record: DecisionRecord) -> None:
    """Equal values have equal hashes in every field; different ones do not."""
    line = redacted(redactor, record)
    user, app = line["input"]["data"]["user"]["profile"], line["input"]["data"]["appUser"]["profile"]
    assert HASH.fullmatch(user["login"])
    assert user["login"] == user["email"] == app["email"]
    assert line["subject"] == app["externalId"]
    assert len({user["login"], user["firstName"], user["lastName"], line["commands"][0]["value"]["login"]}) == 4
    assert line["claims"][0]["tried"][0]["values"]["login"] == line["lookups"][2]["value"] == user["login"]
    assert line["claims"][0]["granted"]["login"] == line["commands"][0]["value"]["login"]
    assert line["lookups"][0]["value"] == line["subject"]


def test_another_key_gives_other_hashes(redactor: Redactor, record: DecisionRecord) -> None:
    """Logs of two installations cannot be joined, and nobody without the key can test a guess."""
    other = Redactor(b"\x07" * 32, public_user=frozenset(), public_app_user=frozenset())
    assert redacted(other, record)["subject"] != redacted(redactor, record)["subject"]


def test_a_record_that_is_redacted_already_keeps_its_hashes(record: DecisionRecord) -> None:
    """From a log in clear and from a redacted one a record comes out the same."""
    key = bytes(32)
    once = redacted(Redactor(key, public_user=frozenset(), public_app_user=frozenset()), record)
    again = RecordRedactor(key, public_user=frozenset(), public_app_user=frozenset())
    assert redacted(again, record) == once
    assert redacted(again, record_of(account(record) | once)) == once


def test_null_and_the_empty_text_stay(redactor: Redactor, record: DecisionRecord, sample: Any) -> None:
    """Whether there was a value decides most rules, so it stays visible."""
    sample["data"]["user"]["profile"] |= {"city": "", "state": None, "groups": [], "address": {}}
    profile = redacted(redactor, replace(record, input=sample))["input"]["data"]["user"]["profile"]
    assert (profile["city"], profile["state"], profile["groups"], profile["address"]) == ("", None, [], {})


def test_types_never_share_a_hash(redactor: Redactor, record: DecisionRecord, sample: Any) -> None:
    """The text "1", the number 1 and true are different; 1 and 1.0 are one number."""
    sample["data"]["user"]["profile"] = {"a": "1", "b": 1, "c": True, "d": "True", "e": 1.0, "f": 1.5, "g": False}
    found = redacted(redactor, replace(record, input=sample))["input"]["data"]["user"]["profile"]
    assert found["b"] == found["e"]
    assert len(set(found.values())) == 6
    assert all(HASH.fullmatch(value) for value in found.values())


def test_an_attribute_is_personal_unless_its_schema_says_otherwise(
    redactor: Redactor, record: DecisionRecord, sample: Any
) -> None:
    """Public attributes stay readable in their own profile and its commands only; maps in them are hidden."""
    both = {"department": "Sales", "accountType": "PRO", "tags": ["a", {"name": "Sally2"}]}
    sample["data"]["user"]["profile"] = sample["data"]["appUser"]["profile"] = both
    commands = (Command(CommandType.APP_PROFILE, both), Command(CommandType.USER_PROFILE, both))
    line = redacted(redactor, replace(record, input=sample, commands=commands))
    user, app = line["input"]["data"]["user"]["profile"], line["input"]["data"]["appUser"]["profile"]
    assert (user["department"], app["accountType"]) == ("Sales", "PRO")
    assert HASH.fullmatch(user["accountType"])
    assert HASH.fullmatch(app["department"])
    assert "Sally2" not in json.dumps(line)
    assert [command["value"] for command in line["commands"]] == [app, user]


def test_a_public_list_of_scalars_stays(redactor: Redactor, record: DecisionRecord, sample: Any) -> None:
    """A list is as public as its attribute while it holds nothing but values."""
    sample["data"]["appUser"]["profile"]["tags"] = ["a", 1, None]
    line = redacted(redactor, replace(record, input=sample))
    assert line["input"]["data"]["appUser"]["profile"]["tags"] == ["a", 1, None]


MATCHES: dict[str, tuple[object, Callable[[Any], bool]]] = {
    "an id": ("00u9abcDEF", lambda found: found == "00u9abcDEF"),
    "an id in a map": ({"id": "00u9"}, lambda found: found == {"id": "00u9"}),
    "an id two maps down": ({"user": {"id": "00u9"}}, lambda found: found == {"user": {"id": "00u9"}}),
    "a login for an id": ("sally@example.com", lambda found: HASH.fullmatch(found) is not None),
    "a login as the id": ({"id": "sally@example.com"}, lambda found: HASH.fullmatch(found["id"]) is not None),
    "a profile with it": (
        {"user": {"id": "00u9", "profile": {"login": "sally@example.com"}}, "score": 7},
        lambda found: found["user"]["id"] == "00u9" and "login" not in found["user"]["profile"] and found["score"] != 7,
    ),
    "a list": ([["Sally2"]], lambda found: HASH.fullmatch(found[0][0]) is not None),
}


@pytest.mark.parametrize(("match", "holds"), MATCHES.values(), ids=MATCHES)
def test_of_a_match_only_ids_are_readable(
    redactor: Redactor, record: DecisionRecord, sample: Any, match: object, holds: Callable[[Any], bool]
) -> None:
    """No public source gives a match's shape: whatever is not an Okta user id is hidden."""
    sample["data"]["context"]["matches"] = [match]
    line = redacted(redactor, replace(record, input=sample))
    assert holds(line["input"]["data"]["context"]["matches"][0])


def test_link_commands_show_ids_only(redactor: Redactor, record: DecisionRecord) -> None:
    """The action and the id of a link are readable; an expression that yields something else gives nothing away."""
    good = (Command(CommandType.ACTION, {"result": "LINK_USER"}), Command(CommandType.LINK, {"id": "00uAbc"}))
    bad = (Command(CommandType.ACTION, {"result": "Sally2"}), Command(CommandType.LINK, {"id": "sally@example.com"}))
    values = [command["value"] for command in redacted(redactor, replace(record, commands=(*good, *bad)))["commands"]]
    assert values[:2] == [{"result": "LINK_USER"}, {"id": "00uAbc"}]
    assert HASH.fullmatch(values[2]["result"])
    assert HASH.fullmatch(values[3]["id"])


def test_look_ups_show_ids_and_declared_names_only(redactor: Redactor, record: DecisionRecord) -> None:
    """An attribute may be computed from a profile and an id may be anything: only what is known to be neither stays."""
    number, computed, taken = redacted(redactor, record)["lookups"]
    assert (number["function"], number["name"], taken["name"]) == ("directory", "employeeNumber", "login")
    assert number["found"][0] == "00u9abcDEF"
    assert HASH.fullmatch(number["found"][1])
    assert number["found"][2] is None
    assert HASH.fullmatch(computed["name"])
    assert (computed["found"], taken["found"]) == ([], True)


def test_claims_tell_why_and_not_what(redactor: Redactor, record: DecisionRecord) -> None:
    """Rules, namespaces, reasons and numbers stay; of a long search the first fifty are told."""
    free, token, rolled_back = redacted(redactor, record)["claims"]
    assert [tried["refused"] for tried in free["tried"]] == ["conflict", ""]
    assert list(free["granted"]) == ["login", "alias"]
    assert (len(free["tried"]), free["more"]) == (2, 0)
    assert (len(token["tried"]), token["more"], token["granted"]) == (50, 10, None)
    assert rolled_back["granted"] is None
    values = [value for claim in (free, token) for tried in claim["tried"] for value in tried["values"].values()]
    assert all(HASH.fullmatch(value) for value in values)


def test_what_is_remembered_is_hidden(redactor: Redactor, record: DecisionRecord) -> None:
    """Namespace and collision stay readable."""
    (kept,) = redacted(redactor, record)["remembered"]
    assert (kept["namespace"], kept["collision"]) == ("login", True)
    assert HASH.fullmatch(kept["value"])


def test_what_okta_may_add_is_hidden(redactor: Redactor, record: DecisionRecord, sample: Any) -> None:
    """A member outside the known envelope keeps its name if it looks like one; values and keys below are hidden."""
    sample["organisation"] = {"contact": "Sally2"}
    sample["data"]["extra"] = "Sally2"
    sample["data"]["user"]["manager"] = [{"sally@example.com": "Sally2"}]
    sample["data"]["context"]["application"]["owner"] = "Sally2"
    sample["data"]["sally@example.com"] = 1
    line = redacted(redactor, replace(record, input=sample))
    text = json.dumps(line)
    assert "Sally2" not in text
    assert "sally@" not in text
    assert "contact" not in text
    assert HASH.fullmatch(line["input"]["data"]["extra"])
    assert HASH.fullmatch(line["input"]["data"]["context"]["application"]["owner"])


ODD_INPUTS = [
    None,
    "Sally2",
    ["Sally2"],
    {"data": "Sally2"},
    {"source": {"name": "Sally2"}, "eventId": ["Sally2"]},
    {"data": {"user": "Sally2", "appUser": ["Sally2"], "action": {"result": "Sally2"}, "context": ["Sally2"]}},
    {
        "data": {
            "user": {"profile": ["Sally2"], "id": "Sally2"},
            "context": {"matches": "Sally2", "conflicts": [["Sally2"]]},
        }
    },
    {"data": {"user": {"profile": {"name of Sally2": {"Sally2": ["Sally2"]}}}}},
]


@pytest.mark.parametrize("body", ODD_INPUTS, ids=json.dumps)
def test_a_request_of_the_wrong_shape_shows_nothing(
    redactor: Redactor, with_input: Callable[[object], DecisionRecord], body: object
) -> None:
    """A request that breaks the schema may hold values anywhere."""
    line = redacted(redactor, replace(with_input(body), subject="", commands=()))
    assert "Sally2" not in json.dumps(line)


def test_faults_keep_paths_of_names_only(redactor: Redactor, record: DecisionRecord) -> None:
    """The path of a schema fault holds the sender's keys; one that is no name is hidden, the code stays."""
    faults = ("$.data.context.matches[0]: type", "$: required", "$.data.sally@example.com.x: additionalProperties")
    found = redacted(redactor, replace(record, outcome=Outcome.INVALID, faults=faults))["faults"]
    assert found[:2] == list(faults[:2])
    assert re.fullmatch(r"h:[0-9a-f]{32}: additionalProperties", found[2])


def test_a_field_that_cannot_be_redacted_is_dropped(redactor: Redactor, record: DecisionRecord) -> None:
    """APPSEC: a value the redactor does not understand takes its field with it, and no other."""
    broken = replace(
        record,
        subject="half a pair \udc00",
        commands=(Command(CommandType.USER_PROFILE, {"login": object()}),),
    )
    line, dropped = redactor.redacted(broken)
    assert dropped == ("subject", "commands")
    assert set(line) == {"application", "faults", "lookups", "claims", "remembered", "input"}


def test_neither_key_nor_values_show_in_a_representation(redactor: Redactor, record: DecisionRecord) -> None:
    """What a debugger or a log may print of the redactor holds nothing."""
    redacted(redactor, record)
    kept = repr(redactor) + repr([getattr(redactor, name) for name in Redactor.__slots__])
    assert "Sally2" not in kept
    assert bytes(range(32)).hex() not in kept
    assert repr(bytes(range(32))) not in kept


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just("Zyzzyva Q."),
    lambda children: (
        st.lists(children) | st.dictionaries(st.sampled_from(["profile", "id", "user", "Zyzzyva Q.", "data"]), children)
    ),
    max_leaves=20,
)


@given(body=JSON, profile=JSON)
def test_law_no_text_ever_gets_through(body: Any, profile: Any) -> None:
    """Whatever the shape, no personal text and no key that is no name is left, and redacting twice gives the same."""
    redactor = Redactor(bytes(32), public_user=frozenset(), public_app_user=frozenset())
    whole = {"data": {"user": {"profile": profile}, "appUser": body, "context": body}, "other": body}
    for candidate in (body, whole):
        record = DecisionRecord("1", "", "", {}, "Zyzzyva Q.", "", candidate, (), (), (), (), (), Outcome.DEFAULT, 0.0)
        record = replace(
            record,
            lookups=(Lookup("directory", "Zyzzyva Q.", "Zyzzyva Q.", (body, "Zyzzyva Q.")),),
            claims=(ClaimTrace("a", (Tried({"login": "Zyzzyva Q."}, "held"),), {"login": "Zyzzyva Q."}),),
            remembered=(Remembered("login", "Zyzzyva Q.", collision=False),),
            holds=(Hold("a/b", "Zyzzyva Q."),),
        )
        line, dropped = redactor.redacted(record)
        assert dropped == ()
        assert "Zyzzyva" not in json.dumps(account(record))
        assert "Zyzzyva" not in json.dumps(line)
        assert redactor.redacted(record) == (line, dropped)
