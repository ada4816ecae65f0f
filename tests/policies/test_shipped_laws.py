"""Laws of the shipped policies: whatever is absent, null or blank, no rule errs and no login is bad or given twice."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.policies.asking import Desk, Json, login_given, with_event
from usher.domain.decision import Outcome
from usher.domain.fold import fold

DeskFor = Callable[..., Desk]
ABSENT = "absent"  # a marker, compared by identity: no value a row has
NOTHING = [ABSENT, None, "", " ", "N/A", "-", "\u00a0"]

FIRST_NAMES = [*NOTHING, "Ann", "GEORGE", " george ", "Jürgen", "太郎", "Łukasz", "李 Ann"]
LAST_NAMES = [*NOTHING, "Lee", "SMITH", "Groß", "山田", "O'Neill-McDonald", "van der Berg", "Smith" * 9]
LOGINS = [
    *NOTHING,
    "ann.lee@example.com",
    "Ann.Lee@Example.com",
    "änn.lée@example.com",
    "admin@example.com",
    "jürgen.groß@example.org",
    "no address",
    "a/b@example.com",
    "@example.com",
    "a@b@example.com",
    "x" * 90 + "@example.com",
]
NUMBERS = [*NOTHING, "7", "8", "E-9", " 7 "]
KINDS = [*NOTHING, "Employee", "Contractor", "CONSULTANT "]
COUNTRIES = [*NOTHING, "DE", "de", "Germany", "Österreich", "Danmark", "Atlantis", "日本"]
PHONES = [*NOTHING, "030 123456", "+4930123456", "12", "+", "(212) 555-0100"]
TEXTS = [*NOTHING, "Berlin", " Berlin ", "?"]

USER: dict[str, list[Any]] = {
    "login": LOGINS,
    "email": LOGINS,
    "firstName": FIRST_NAMES,
    "lastName": LAST_NAMES,
    "middleName": FIRST_NAMES,
    "displayName": TEXTS,
    "employeeNumber": NUMBERS,
    "userType": KINDS,
    "countryCode": COUNTRIES,
    "mobilePhone": PHONES,
    "primaryPhone": PHONES,
    "locale": TEXTS,
    "secondEmail": [*LOGINS, " ann.lee@example.org "],
    **dict.fromkeys(("nickName", "title", "organization", "department", "manager"), TEXTS),
    **dict.fromkeys(("streetAddress", "city", "state", "zipCode", "postalAddress"), TEXTS),
}
APP_USER: dict[str, list[Any]] = {
    "email": LOGINS,
    "firstName": FIRST_NAMES,
    "lastName": LAST_NAMES,
    "middleName": FIRST_NAMES,
    "preferredName": FIRST_NAMES,
    "employeeNumber": NUMBERS,
    "personId": NUMBERS,
    "employeeType": KINDS,
    "department": [*NOTHING, "D100", "d200", "Board", "Research"],
    "company": [*NOTHING, "Example Austria GmbH", "Example"],
    "country": COUNTRIES,
    "countryCode": COUNTRIES,
}
KNOWN: tuple[Mapping[str, object], ...] = (
    {"id": "00u1", "status": "ACTIVE", "login": "ann.lee@example.com", "firstName": "Ann", "employeeNumber": "7"},
    {"id": "00u2", "status": "DEPROVISIONED", "login": "ann.lee2@example.com", "employeeNumber": "8", "lastName": None},
    {"id": "00u3", "status": "ACTIVE", "login": "george.smith@example.com", "employeeNumber": "E-9", "userType": None},
    {"id": "00u4", "status": "ACTIVE", "login": "jurgen.gross@example.org", "employeeNumber": "E-9"},
)


def profiles(attributes: Mapping[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a profile: each attribute one of its values, null, blank, a placeholder or absent."""
    drawn = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in attributes.items()})
    return drawn.map(lambda profile: {name: value for name, value in profile.items() if value is not ABSENT})


@st.composite
def rows(draw: st.DrawFn) -> Json:
    """Draw an import request for a row that has nothing but an external id for sure."""
    action = draw(st.sampled_from(["CREATE_USER", "CREATE_USER", "LINK_USER", None]))
    user_id = draw(st.sampled_from(["00u1", "00u9", None])) if action == "LINK_USER" else None
    return {
        "eventId": "first",
        "eventType": "com.okta.import.transform",
        "data": {
            "context": {
                "conflicts": draw(st.sampled_from([None, [], ["login"], ["login", "unheard-of"]])),
                "application": {"name": draw(st.sampled_from(["test_app", "example_ad"])), "id": "0oa1"},
                "matches": [],
            },
            "action": {"result": action} if action else None,
            "appUser": {"profile": draw(profiles(APP_USER))},
            "user": {"profile": draw(profiles(USER)), **({"id": user_id} if user_id else {})},
        },
    }


@st.composite
def batches(draw: st.DrawFn) -> list[Json]:
    """Draw a batch of rows, each somebody else's."""
    batch = draw(st.lists(rows(), min_size=2, max_size=5))
    for number, row in enumerate(batch):
        row["data"]["appUser"]["profile"]["externalId"] = str(number)
    return batch


def created(desk: Desk, answer: Json, row: Json) -> bool:
    """Say whether the row the desk was asked about last is created."""
    if desk.kept.records[-1].outcome is Outcome.HOLD:
        return False
    results = [command["value"]["result"] for command in answer.get("commands", ()) if "result" in command["value"]]
    proposed = (row["data"]["action"] or {}).get("result", "CREATE_USER")
    return "CREATE_USER" in (results or [proposed])


@given(row=rows())
def test_nothing_absent_null_or_blank_makes_a_rule_fail(desk_for: DeskFor, row: Json) -> None:
    """No rule errs, no value breaks a profile schema, no two rules disagree, every row is decided."""
    desk = desk_for(KNOWN)
    desk.ask(row)
    assert desk.undecided == []
    assert [(record.errors, record.conflicts) for record in desk.kept.records] == [((), ())]


@given(row=rows())
def test_a_login_given_is_a_login(desk_for: DeskFor, row: Json) -> None:
    """What is sent as a login is accepted by Okta's profile schema and is plain ASCII before the @."""
    desk = desk_for(KNOWN)
    answer = desk.ask(row)
    if created(desk, answer, row):
        login = login_given(row, answer)
        assert desk.policies.profiles.accepts("user.login", login, {})
        assert login.partition("@")[0].isascii()


@given(batch=batches())
def test_no_login_has_two_owners(desk_for: DeskFor, batch: list[Json]) -> None:
    """In a batch of any rows no two are created with one login, nor with that of a known user or one Okta reports."""
    desk = desk_for(KNOWN)
    owners: dict[str, object] = {fold(str(user["login"])): user["id"] for user in KNOWN}
    for number, row in enumerate(batch):
        answer = desk.ask(row)
        if created(desk, answer, row):
            key = fold(login_given(row, answer))
            assert owners.setdefault(key, number) == number
            reported = "login" in (row["data"]["context"]["conflicts"] or ())
            proposed = row["data"]["user"]["profile"].get("login")
            assert not (reported and isinstance(proposed, str) and fold(proposed) == key)


@given(batch=batches())
def test_a_row_that_runs_twice_gets_one_login(desk_for: DeskFor, batch: list[Json]) -> None:
    """When the whole batch comes again with new event ids, every answer is the same."""
    desk = desk_for(KNOWN)
    first = [desk.ask(row) for row in batch]
    assert [desk.ask(with_event(row, "second")) for row in batch] == first


@given(batch=batches(), order=st.randoms(use_true_random=False))
def test_every_order_ends_alike(desk_for: DeskFor, batch: list[Json], order: Random) -> None:
    """In another order people of one name may swap logins, but the same rows are created, linked and held."""

    def endings(rows_in_order: list[Json]) -> dict[str, tuple[bool, bool]]:
        desk = desk_for(KNOWN)
        found = {}
        for row in rows_in_order:
            is_created = created(desk, desk.ask(row), row)
            is_held = desk.kept.records[-1].outcome is Outcome.HOLD
            found[row["data"]["appUser"]["profile"]["externalId"]] = (is_created, is_held)
        return found

    shuffled = list(batch)
    order.shuffle(shuffled)
    assert endings(batch) == endings(shuffled)


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
ODD = SCALARS | st.text(max_size=30) | st.lists(st.text(max_size=5), max_size=3)


@given(
    user=st.dictionaries(st.sampled_from(sorted(USER)), ODD),
    appuser=st.dictionaries(st.sampled_from([*sorted(APP_USER), "externalId"]), ODD),
)
def test_values_of_any_type_are_decided(desk_for: DeskFor, user: dict[str, object], appuser: dict[str, object]) -> None:
    """A number or a list where a text is due may make a rule fail, never the decision; no login is bad even then."""
    row: Json = {
        "eventId": "odd",
        "eventType": "com.okta.import.transform",
        "data": {"user": {"profile": user}, "appUser": {"profile": appuser}},
    }
    desk = desk_for(KNOWN)
    answer = desk.ask(row)
    assert desk.undecided == []
    for command in answer.get("commands", ()):
        if "login" in command["value"]:
            assert desk.policies.profiles.accepts("user.login", command["value"]["login"], {})
