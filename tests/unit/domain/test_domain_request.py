"""The import request as it is understood, whatever spelling Okta chose."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.domain.request import ImportRequest

Payload = Callable[..., dict[str, Any]]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("match", "user_id"),
    [
        ("00u1", "00u1"),
        ({"id": "00u1"}, "00u1"),
        ({"user": {"id": "00u1"}}, "00u1"),
        ({"id": "00u1", "user": {"id": "00u2"}}, "00u1"),
        ({"id": None, "user": {"id": "00u2"}}, "00u2"),
    ],
)
def test_every_spelling_of_a_match_gives_its_user_id(payload: Payload, match: object, user_id: str) -> None:
    """Okta documents no shape for a match: a text, an object and an object with a user mean the same."""
    request = ImportRequest.from_wire(payload(context={"matches": [match]}, action="LINK_USER"))
    assert request.context["matches"] == [user_id]
    assert request.matched_user_id == user_id


@pytest.mark.parametrize(
    "match", [None, "", {}, {"id": ""}, {"id": 7}, {"user": None}, {"user": {"id": None}}, {"u": 1}]
)
def test_a_match_without_an_id_is_no_match(payload: Payload, match: object) -> None:
    """Nothing is linked to an empty id."""
    request = ImportRequest.from_wire(payload(context={"matches": [match, "00u2"]}))
    assert request.context["matches"] == ["00u2"]


@pytest.mark.parametrize("field", ["conflicts", "matches", "policy"])
def test_a_null_list_and_an_absent_list_are_empty(payload: Payload, field: str) -> None:
    """A policy may write `'login' in context.conflicts` whatever Okta leaves out."""
    absent = payload()
    absent["data"]["context"].pop(field, None)
    assert ImportRequest.from_wire(absent).context[field] == []
    assert ImportRequest.from_wire(payload(context={field: None})).context[field] == []


@pytest.mark.parametrize("context", [None, "absent"])
def test_a_missing_context_is_an_empty_one(payload: Payload, context: object) -> None:
    """Every field of the context is there, '' or empty."""
    body = payload()
    body["data"]["context"] = context
    if context == "absent":
        del body["data"]["context"]
    request = ImportRequest.from_wire(body)
    assert request.context == {
        "conflicts": [],
        "policy": [],
        "matches": [],
        "application": {"name": "", "id": "", "label": "", "status": ""},
        "job": {"id": "", "type": ""},
    }
    assert request.application == {"name": "", "id": "", "label": "", "status": ""}


def test_unknown_conflicts_are_kept(payload: Payload) -> None:
    """Okta may name other attributes than login one day."""
    request = ImportRequest.from_wire(payload(context={"conflicts": ["login", "email", "shoeSize"]}))
    assert request.conflicts == ("login", "email", "shoeSize")


def test_null_fields_of_the_application_are_empty_texts_and_unknown_ones_stay(payload: Payload) -> None:
    """Null reads like absence; what Okta adds is readable."""
    request = ImportRequest.from_wire(payload(context={"application": {"name": None, "id": "0oa1", "kind": "csv"}}))
    assert request.application == {"name": "", "id": "0oa1", "label": "", "status": "", "kind": "csv"}


@pytest.mark.parametrize(
    ("user_id", "action", "matches", "expected"),
    [
        ("00u9", "LINK_USER", ["00u1"], "00u9"),
        ("00u9", "CREATE_USER", [], "00u9"),
        (None, "LINK_USER", ["00u1"], "00u1"),
        (None, "LINK_USER", [], ""),
        (None, "LINK_USER", ["00u1", "00u2"], ""),
        (None, "CREATE_USER", ["00u1"], ""),
        (7, "LINK_USER", ["00u1"], "00u1"),
    ],
)
def test_the_matched_user_is_the_one_okta_would_link_to(
    payload: Payload, user_id: object, action: str, matches: list[str], expected: str
) -> None:
    """`data.user.id` counts, else a sole match while Okta proposes a link; two candidates are nobody."""
    body = payload(action=action, context={"matches": matches})
    body["data"]["user"]["id"] = user_id
    assert ImportRequest.from_wire(body).matched_user_id == expected


@pytest.mark.parametrize("action", [None, {}, {"result": None}, {"result": 1}])
def test_without_an_action_okta_creates(payload: Payload, action: object) -> None:
    """Creation is what happens when Okta says nothing else."""
    body = payload()
    body["data"]["action"] = action
    assert ImportRequest.from_wire(body).action == "CREATE_USER"


@given(body=st.dictionaries(st.sampled_from(["eventId", "data"]), JSON), data=JSON)
def test_reading_never_fails_and_never_changes_the_wire(body: dict[str, object], data: object) -> None:
    """Law: whatever stands in the payload, reading it gives a whole request and leaves the payload alone."""
    wire: Mapping[str, object] = {**body, "data": {"context": data, "user": data, "appUser": data, "action": data}}
    before = repr(wire)
    request = ImportRequest.from_wire(wire)
    assert repr(wire) == before
    assert request.wire is wire
    assert set(request.context) == {"conflicts", "policy", "matches", "application", "job"}
    assert isinstance(request.action, str)
    assert isinstance(request.matched_user_id, str)


@pytest.mark.parametrize(
    ("external_id", "subject"),
    [
        ("1042", "1042"),
        (1042, "1042"),
        (0, "0"),
        (True, ""),
        (None, ""),
        ("", ""),
        (" ", ""),
        (["1042"], ""),
        (1.5, ""),
    ],
)
def test_a_row_is_known_by_its_external_id_as_text_or_number(external_id: object, subject: str) -> None:
    """A number is an id, too: else the row would be somebody else at each import, with another login."""
    profile = {"profile": {"externalId": external_id}}
    request = ImportRequest.from_wire({"eventId": "e", "data": {"appUser": profile, "user": {"profile": {}}}})
    assert request.subject == subject
