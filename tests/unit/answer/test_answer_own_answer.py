"""The look at our own answer before it leaves."""

import json
from typing import Any

import pytest

from usher.answer.okta_error import ErrorCause, error_body
from usher.answer.own_answer import MAX_ANSWER_BYTES, OwnAnswerError, checked_bytes
from usher.bootstrap.schemas import Schemas

ACTION = "com.okta.action.update"
LINK = "com.okta.user.update"
APP = "com.okta.appUser.profile.update"
USER = "com.okta.user.profile.update"

VALUES: dict[str, dict[str, object]] = {
    ACTION: {"result": "LINK_USER"},
    LINK: {"id": "00u1"},
    APP: {"userName": "x"},
    USER: {"login": "a@example.com"},
}


def commands(*kinds: str, **value: object) -> dict[str, Any]:
    """Return an answer with commands of these types."""
    return {"commands": [{"type": kind, "value": value or VALUES[kind]} for kind in kinds]}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        commands(USER),
        commands(APP, USER),
        commands(ACTION, LINK),
        commands(ACTION, LINK, APP, USER),
        commands(ACTION, result="CREATE_USER"),
        {"error": {"errorSummary": "No."}},
        {"debugContext": {"fired": ["p/a"]}},
    ],
)
def test_a_sound_answer_leaves_as_json(schemas: Schemas, answer: dict[str, object]) -> None:
    """Compact, in UTF-8, with nothing added."""
    assert json.loads(checked_bytes(answer, schemas.response)) == answer


@pytest.mark.parametrize(
    "answer",
    [
        commands(USER, APP),
        commands(LINK, ACTION),
        commands(USER, USER),
        commands(APP, APP, USER),
        commands(ACTION),
        commands(LINK),
        commands(ACTION, USER),
        {"commands": [{"type": ACTION, "value": {"result": "CREATE_USER"}}, {"type": LINK, "value": {"id": "00u1"}}]},
        commands(USER, login=None),
        commands(USER, login=float("nan")),
        commands(USER, login=[float("inf")]),
        commands(USER, login="\ud800"),
        {"commands": []},
        {"commands": [{"type": "com.okta.user.profile.import", "value": {"a": "b"}}]},
        {"error": {"errorSummary": "No."}, **commands(USER)},
        {"error": {"errorSummary": ""}},
        {"status": "ok"},
        {"debugContext": {"text": "x" * MAX_ANSWER_BYTES}},
        {"debugContext": {"text": "é" * (MAX_ANSWER_BYTES // 2)}},
    ],
)
def test_an_answer_okta_would_misread_never_leaves(schemas: Schemas, answer: dict[str, object]) -> None:
    """Order, repetition, a link by halves, no JSON, too many bytes; the exception quotes no value."""
    with pytest.raises(OwnAnswerError) as caught:
        checked_bytes(answer, schemas.response)
    assert "\ud800" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_bound_on_bytes_is_exact(schemas: Schemas) -> None:
    """Okta accepts fewer than 256 KB."""
    frame = len(json.dumps({"debugContext": {"t": ""}}, separators=(",", ":")))
    assert (
        len(checked_bytes({"debugContext": {"t": "x" * (MAX_ANSWER_BYTES - 1 - frame)}}, schemas.response))
        == MAX_ANSWER_BYTES - 1
    )
    with pytest.raises(OwnAnswerError):
        checked_bytes({"debugContext": {"t": "x" * (MAX_ANSWER_BYTES - frame)}}, schemas.response)


def test_an_error_body_is_one_okta_reads(schemas: Schemas) -> None:
    """With and without causes."""
    cause = ErrorCause("Why.", "code", "header", "Authorization")
    for body in (error_body("No."), error_body("No.", [cause])):
        assert schemas.response.faults(json.loads(body)) == ()
    assert json.loads(error_body("No.", [cause]))["error"]["errorCauses"] == [
        {
            "errorSummary": "Why.",
            "reason": "code",
            "locationType": "header",
            "location": "Authorization",
            "domain": "usher",
        }
    ]
