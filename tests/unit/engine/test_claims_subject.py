"""Whose row it is: the expression in `ledger.subject`, over the request alone."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.engine.engine_desk import Desk, claim, claimed, written
from usher.cel import CompileError
from usher.domain.request import ImportRequest
from usher.engine.stores import external_id
from usher.engine.subject import DEFAULT, REFUSED, subject_of

NEW = Callable[..., Desk]


def row(**parts: Mapping[str, object]) -> ImportRequest:
    """Return a request with these profiles, and this context."""
    data: dict[str, Any] = {name: {"profile": parts.get(name.lower(), {})} for name in ("appUser", "user")}
    return ImportRequest.from_wire({"eventId": "e", "data": {**data, "context": parts.get("context", {})}})


@pytest.mark.parametrize(
    ("text", "parts", "subject"),
    [
        ("get(appuser, 'personId', '')", {"appuser": {"personId": "7"}}, "7"),
        ("appuser.personId", {"appuser": {"personId": 1042}}, "1042"),
        ("appuser.personId", {"appuser": {"personId": "1042"}}, "1042"),
        ("appuser.personId", {"appuser": {"personId": " 7 "}}, " 7 "),
        ("user.typeId + appuser.personId", {"user": {"typeId": "x"}, "appuser": {"personId": "7"}}, "x7"),
        ("input.data.appUser.profile.personId", {"appuser": {"personId": "7"}}, "7"),
        ("context.application.id + 'x'", {"context": {"application": {"id": "7"}}}, "7x"),
        ("appuser.personId.substring(1)", {"appuser": {"personId": "x7"}}, "7"),
    ],
)
def test_a_rows_subject_is_what_the_expression_yields(text: str, parts: dict[str, Any], subject: str) -> None:
    """A text, or a whole number as its digits: one id, however the source writes it."""
    assert subject_of(text)(row(**parts)) == subject


@pytest.mark.parametrize("value", [None, "", "  ", True, False, 1.5, 1042.0, ["7"], {"id": "7"}])
def test_what_is_neither_text_nor_whole_number_is_no_subject(value: object) -> None:
    """Absent, null, blank, or of another kind: the row has no id, and the event stands in."""
    assert subject_of("appuser.personId")(row(appuser={"personId": value})) == ""
    assert subject_of(DEFAULT)(row(appuser={"externalId": value})) == ""


@pytest.mark.parametrize("text", ["appuser.personId", "appuser.list[3]", "string(1 / 0)", "appuser.list.personId"])
def test_an_error_counts_as_no_subject(text: str) -> None:
    """A row must not be lost for its id; whose it is is then told by the event."""
    assert subject_of(text)(row(appuser={"list": ["x"]})) == ""


def test_a_subject_that_takes_too_many_steps_counts_as_none() -> None:
    """The sender chooses the length of a list; the decision goes on."""
    nested = "appuser.groups.all(i, appuser.groups.all(j, i + j > 0)) ? 'x' : 'y'"
    assert subject_of(nested)(row(appuser={"groups": [1] * 1_000})) == ""
    assert subject_of(nested)(row(appuser={"groups": [1]})) == "x"


@pytest.mark.parametrize("attribute", sorted(REFUSED))
@pytest.mark.parametrize(
    "form",
    ["user.{}", "get(appuser, '{}', '')", "user['{}']", "has(user.{}) ? 'x' : 'y'", "input.data.user.profile.{}",
     "appuser.{}.lowerAscii()", "appuser.{}.split('@')[0]"],
)  # fmt: skip
def test_what_people_share_or_change_is_refused(attribute: str, form: str) -> None:
    """Logins, names and addresses, read in whatever way; the problem stands where they are read."""
    text = "'x' + " + form.format(attribute) if "?" not in form else form.format(attribute)
    with pytest.raises(CompileError) as raised:
        subject_of(text)
    (problem, *_) = raised.value.problems
    assert problem.code == "shared-subject"
    assert attribute in problem.message
    assert (problem.line, problem.column > 1) == (1, True)


@pytest.mark.parametrize("text", ["directory('login', appuser.personId)[0].id", "taken('login', 'x') ? 'x' : 'y'"])
def test_what_asks_a_store_is_refused(text: str) -> None:
    """An id that depends on what is known today is another one tomorrow."""
    with pytest.raises(CompileError) as raised:
        subject_of(text)
    assert [problem.code for problem in raised.value.problems] == ["changing-subject"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Each with its place."""
    with pytest.raises(CompileError) as raised:
        subject_of("user.login +\n appuser.email + directory('id', 'x')[0].id")
    told = [(problem.code, problem.line) for problem in raised.value.problems]
    assert told == [("shared-subject", 1), ("shared-subject", 2), ("changing-subject", 2)]


@pytest.mark.parametrize("text", ["now", "tables.x", "variables.x", "n", "claimed.login", "appuser.", ""])
def test_only_the_request_is_there(text: str) -> None:
    """No clock, no tables, no policy."""
    with pytest.raises(CompileError):
        subject_of(text)


def test_the_usual_subject_costs_nothing() -> None:
    """It is read without an expression, and yields the same as one would."""
    assert subject_of(DEFAULT) is external_id
    spelled = subject_of(f"({DEFAULT})")
    given: tuple[object, ...] = ("7", 7, " ", None, [], "x")
    for value in given:
        assert spelled(row(appuser={"externalId": value})) == external_id(row(appuser={"externalId": value}))


def test_the_subject_owns_what_is_claimed_and_is_told(new_desk: NEW) -> None:
    """Two rows of one id are one owner, whatever their `externalId`; without an id each event is another."""
    desk = new_desk(declared={"subject": subject_of("get(appuser, 'personId', '')")})
    candidates = claim("'ann' + string(n) + '@example.com'", to=9)
    files = written({"id": "a", "claim": {"login": candidates}, "set": {"user.login": "claimed.login"}})

    def ask(external: str, person: object, event: str = "e") -> tuple[str, str]:
        decision = desk.ask(files, subject=external, appuser={"personId": person}, event_id=event)
        return decision.subject, claimed(decision)["login"]

    assert ask("1", "p") == ask("2", "p") == ("p", "ann2@example.com")
    assert ask("1", 7) == ask("1", "7") == ("7", "ann3@example.com")
    assert ask("1", "", "e1") == ask("9", None, "e1") == ("", "ann4@example.com")
    assert ask("1", "", "e2") == ("", "ann5@example.com")
