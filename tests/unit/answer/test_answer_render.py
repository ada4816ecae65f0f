"""From a decision to Okta's commands."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.answer.debug_context import debug_context
from usher.answer.render import BAD_VALUE, render
from usher.bootstrap.schemas import Schemas
from usher.cel import Duration, Timestamp, Uint
from usher.domain.command import CommandType
from usher.domain.decision import Assignment, Conflict, Decision, RuleFault, RuleTrace, Verdict
from usher.domain.request import ImportRequest
from usher.engine import Profiles
from usher.engine.profiles import Profile
from usher.shapes import Shape

Payload = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def profiles(schemas: Schemas) -> Profiles:
    """Return the shipped profiles with attributes of every type."""
    found = schemas.profiles.profiles
    assert found is not None
    odd = {
        "flag": {"type": "boolean"},
        "whole": {"type": "integer"},
        "ratio": {"type": "number"},
        "free": {},
        "list": {"type": "array"},
    }
    user = replace(
        found.user, attributes={**found.user.attributes, **{name: Shape(schema) for name, schema in odd.items()}}
    )
    return replace(found, user=user)


def rendered(
    profiles: Profiles, request: dict[str, Any], assigned: Mapping[str, object]
) -> tuple[list[object], list[str]]:
    """Return commands as sent and faults as told."""
    decision = Decision(
        "r", assignments={target: Assignment(target, value, ("p/a",)) for target, value in assigned.items()}
    )
    result = render(decision, ImportRequest.from_wire(request), profiles)
    return [command.to_wire() for command in result.commands], [str(fault) for fault in result.faults]


def test_one_command_of_each_type_in_oktas_order(profiles: Profiles, payload: Payload) -> None:
    """Whatever the order of the assignments."""
    commands, faults = rendered(
        profiles,
        payload(),
        {"user.title": "t", "appuser.userName": "n", "user.login": "a@example.com", "appuser.title": "t"},
    )
    assert commands == [
        {"type": CommandType.APP_PROFILE, "value": {"userName": "n", "title": "t"}},
        {"type": CommandType.USER_PROFILE, "value": {"title": "t", "login": "a@example.com"}},
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("present", "value", "sent"),
    [
        ({"free": "x"}, "x", False),
        ({"free": ""}, "", False),
        ({"free": 1}, 1, False),
        ({"free": ["a", 1]}, ["a", 1], False),
        ({"free": "x"}, "X", True),
        ({"free": None}, "", True),
        ({}, "", True),
        ({"free": 1}, 1.0, True),
        ({"free": 1}, True, True),
        ({"free": 1}, "1", True),
        ({"free": [1]}, [True], True),
        ({"free": {"a": 1}}, "x", True),
    ],
)
def test_what_changes_nothing_is_not_sent(
    profiles: Profiles, payload: Payload, present: dict[str, object], value: object, *, sent: bool
) -> None:
    """Equal in value and type; null and absent are not ''."""
    commands, faults = rendered(profiles, payload(user=present), {"user.free": value})
    assert commands == ([{"type": CommandType.USER_PROFILE, "value": {"free": value}}] if sent else [])
    assert faults == []


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("user.login", "a@b"),
        ("user.login", "x" * 101),
        ("user.login", "no-at-sign"),
        ("user.login", ""),
        ("user.login", 5),
        ("user.login", True),
        ("user.login", ["a@example.com"]),
        ("user.firstName", "x" * 51),
        ("user.flag", 1),
        ("user.flag", "true"),
        ("user.whole", 1.5),
        ("user.whole", True),
        ("user.ratio", "1"),
        ("user.ratio", float("inf")),
        ("user.ratio", float("nan")),
        ("user.free", float("inf")),
        ("user.free", [1.0, [float("-inf")]]),
        ("user.free", b"x"),
        ("user.free", {"a": 1}),
        ("user.free", [{"a": 1}]),
        ("user.free", [None]),
        ("user.free", Timestamp(0)),
        ("user.free", Duration(0)),
        ("user.undeclared", "x"),
        ("appuser.groups", "x"),
        ("appuser.groups", ["a", 1]),
        ("appuser.login", "a@example.com"),
    ],
)
def test_a_value_that_breaks_the_profile_schema_is_a_fault_and_no_command(
    profiles: Profiles, payload: Payload, target: str, value: object
) -> None:
    """Length, format, type, or no JSON at all; the other targets stand; the value is not told."""
    commands, faults = rendered(profiles, payload(), {target: value, "user.title": "stands"})
    assert commands == [{"type": CommandType.USER_PROFILE, "value": {"title": "stands"}}]
    assert faults == [f"p/a: {BAD_VALUE} ({target})"]


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("user.flag", False),
        ("user.whole", 3),
        ("user.whole", 3.0),
        ("user.ratio", 3),
        ("user.list", ["a", [1]]),
        ("user.free", Uint(7)),
    ],
)
def test_a_value_goes_out_with_the_type_the_profile_schema_declares(
    profiles: Profiles, payload: Payload, target: str, value: object
) -> None:
    """Nothing is converted."""
    commands, faults = rendered(profiles, payload(), {target: value})
    assert commands == [{"type": CommandType.USER_PROFILE, "value": {target.partition(".")[2]: value}}]
    assert faults == []


def test_every_rule_that_agreed_on_a_bad_value_is_named(profiles: Profiles, payload: Payload) -> None:
    """Each of them is to be mended."""
    decision = Decision("r", assignments={"user.login": Assignment("user.login", "", ("p/a", "q/b"))})
    result = render(decision, ImportRequest.from_wire(payload()), profiles)
    assert result.faults == (RuleFault("p/a", BAD_VALUE, "user.login"), RuleFault("q/b", BAD_VALUE, "user.login"))
    assert result.commands == ()


def test_an_application_has_a_schema_of_its_own(profiles: Profiles, payload: Payload) -> None:
    """By id or name; what it does not declare is not sent to it."""
    own = Profile({"userName": Shape({"maxLength": 3})})
    with_own = replace(profiles, by_application={"csv": own})
    csv = payload(context={"application": {"name": "csv"}})
    assert rendered(with_own, csv, {"appuser.userName": "abcd", "appuser.title": "x"}) == (
        [],
        [f"p/a: {BAD_VALUE} (appuser.userName)", f"p/a: {BAD_VALUE} (appuser.title)"],
    )
    assert rendered(with_own, payload(), {"appuser.userName": "abcd"})[1] == []


def test_debug_context_names_rules_conflicts_and_errors() -> None:
    """By name and code; empty parts are left out."""
    decision = Decision(
        "rev",
        trace=(RuleTrace("p/a", Verdict.FIRED), RuleTrace("p/b", Verdict.FALSE)),
        conflicts=(Conflict("user.title", ("p/a", "p/c")),),
        faults=(RuleFault("p/d", "no-such-key"), RuleFault("p/a", BAD_VALUE, "user.login")),
    )
    assert debug_context(decision, "id-1") == {
        "decisionId": "id-1",
        "policyRevision": "rev",
        "fired": ["p/a"],
        "conflicts": ["user.title: p/a, p/c"],
        "errors": ["p/d: no-such-key", f"p/a: {BAD_VALUE} (user.login)"],
    }
    assert debug_context(Decision("rev"), "id-1") == {"decisionId": "id-1", "policyRevision": "rev", "fired": []}


def test_debug_context_is_bounded() -> None:
    """Ten thousand rules fire; the answer stays small."""
    trace = tuple(RuleTrace(f"p/r{number}", Verdict.FIRED) for number in range(10_000))
    conflicts = (Conflict("user.title", tuple(entry.rule for entry in trace)),) * 2
    context = debug_context(Decision("rev", trace=trace, conflicts=conflicts), "id-1")
    assert isinstance(context["fired"], list)
    assert len(context["fired"]) == 51
    assert context["fired"][-1] == "and 9950 more"
    assert len(str(context)) < 10_000


@given(
    st.dictionaries(
        st.sampled_from(["user.title", "user.login", "appuser.groups", "user.free"]),
        st.text(max_size=8) | st.integers() | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_every_assignment_becomes_a_command_a_fault_or_nothing(
    profiles: Profiles, payload: Payload, assigned: dict[str, object]
) -> None:
    """Law: no target is lost; nothing is sent twice; sending the result again sends nothing."""
    request = payload()
    decision = Decision(
        "r", assignments={target: Assignment(target, value, ("p/a",)) for target, value in assigned.items()}
    )
    result = render(decision, ImportRequest.from_wire(request), profiles)
    roots = {CommandType.USER_PROFILE: "user", CommandType.APP_PROFILE: "appuser"}
    sent = [f"{roots[command.type]}.{name}" for command in result.commands for name in command.value]
    assert sorted([*sent, *(fault.target for fault in result.faults)]) == sorted(assigned)
    for command in result.commands:
        part = "user" if command.type is CommandType.USER_PROFILE else "appUser"
        request["data"][part]["profile"].update(command.value)
    assert render(decision, ImportRequest.from_wire(request), profiles).commands == ()
