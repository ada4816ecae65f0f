"""The shipped schemas: what they accept and what they refuse."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from usher.bootstrap.schemas import Schemas
from usher.engine.profiles import Profile
from usher.shapes import Shape
from usher.shapes.predicate import predicate

REMOVED = object()


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy with one member replaced or removed; `path` is dotted."""
    copied = copy.deepcopy(document)
    *steps, last = path.split(".")
    place = copied
    for step in steps:
        place = place[step]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return copied


@pytest.fixture(scope="module")
def sample(root: Path) -> dict[str, Any]:
    """Return Okta's own sample."""
    loaded = json.loads((root / "tests/golden/okta-sample.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_the_three_schemas_are_judged_quickly(schemas: Schemas) -> None:
    """Every request passes two of them: both have a predicate."""
    for shape in (schemas.request, schemas.response):
        assert predicate(shape.schema, shape.schema) is not None


def test_oktas_own_sample_is_accepted(schemas: Schemas, sample: dict[str, Any]) -> None:
    """Okta's OpenAPI refuses it; this service may not."""
    assert schemas.request.faults(sample) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source", REMOVED),
        ("eventTime", REMOVED),
        ("eventTypeVersion", 1.0),
        ("cloudEventVersion", 0.1),
        ("contentType", None),
        ("eventId", "x" * 200),
        ("data.context", REMOVED),
        ("data.context", None),
        ("data.context", {}),
        ("data.context.conflicts", REMOVED),
        ("data.context.conflicts", None),
        ("data.context.conflicts", []),
        ("data.context.conflicts", ["login", "unknown-one"]),
        ("data.context.matches", ["00u1", {"id": "00u1"}, {"user": {"id": "00u1"}}, None]),
        ("data.context.policy", None),
        ("data.context.application", None),
        ("data.context.application.name", None),
        ("data.context.job", REMOVED),
        ("data.context.newMember", {"any": ["thing"]}),
        ("data.action", REMOVED),
        ("data.action", None),
        ("data.action", {}),
        ("data.action.result", "LINK_USER"),
        ("data.action.result", None),
        ("data.context.application.name", 5),
        ("data", {}),
        ("data.user", REMOVED),
        ("data.user", None),
        ("data.user.profile", REMOVED),
        ("data.user.profile", None),
        ("data.appUser", REMOVED),
        ("data.appUser", None),
        ("data.appUser.profile", None),
        ("data.user.id", "00u1"),
        ("data.user.id", None),
        ("data.user.profile", {}),
        ("data.user.profile.login", None),
        ("data.user.profile.number", 1.5),
        ("data.appUser.profile", {}),
        ("data.appUser.profile.groups", [[1, {"a": None}], True]),
    ],
)
def test_the_request_schema_is_lenient(schemas: Schemas, sample: dict[str, Any], path: str, value: object) -> None:
    """Whatever Okta calls optional may be absent or null; whatever it adds is welcome."""
    assert schemas.request.faults(changed(sample, path, value)) == ()


@pytest.mark.parametrize(
    ("path", "value", "faults"),
    [
        ("eventId", REMOVED, ["$: required"]),
        ("eventId", "", ["$.eventId: minLength"]),
        ("eventId", "x" * 201, ["$.eventId: maxLength"]),
        ("eventId", 7, ["$.eventId: type"]),
        ("eventType", "com.okta.user.pre-registration", ["$.eventType: const"]),
        ("eventType", REMOVED, ["$: required"]),
        ("data", [], ["$.data: type"]),
        ("data", REMOVED, ["$: required"]),
        ("data", None, ["$.data: type"]),
        ("data.context", [], ["$.data.context: type"]),
        ("data.context.conflicts", "login", ["$.data.context.conflicts: type"]),
        ("data.context.conflicts", ["login", 1], ["$.data.context.conflicts[1]: type"]),
        ("data.context.matches", [1], ["$.data.context.matches[0]: type"]),
        ("data.context.application", "csv", ["$.data.context.application: type"]),
        ("data.context.application.name", ["csv"], ["$.data.context.application.name: type"]),
        ("data.action.result", "DELETE_USER", ["$.data.action.result: enum"]),
        ("data.action.result", 7, ["$.data.action.result: enum"]),
        ("data.action", "LINK_USER", ["$.data.action: type"]),
        ("data.user", [], ["$.data.user: type"]),
        ("data.user", "ann", ["$.data.user: type"]),
        ("data.user.profile", [], ["$.data.user.profile: type"]),
        ("data.user.profile", 7, ["$.data.user.profile: type"]),
        ("data.user.id", 7, ["$.data.user.id: type"]),
        ("data.appUser", 7, ["$.data.appUser: type"]),
        ("data.appUser.profile", [], ["$.data.appUser.profile: type"]),
    ],
)
def test_the_request_schema_refuses_what_no_policy_could_read(
    schemas: Schemas, sample: dict[str, Any], path: str, value: object, faults: list[str]
) -> None:
    """One fault each, at its JSON path."""
    found = schemas.request.faults(changed(sample, path, value))
    assert [f"{fault.json_path}: {fault.code}" for fault in found] == faults


@pytest.mark.parametrize("body", [None, True, 1, "x", [], [{}], {}])
def test_what_is_no_event_is_refused(schemas: Schemas, body: object) -> None:
    """Any JSON may come."""
    assert schemas.request.faults(body)


def command(kind: str, **value: object) -> dict[str, object]:
    """Return one command by the end of its name."""
    return {"type": f"com.okta.{kind}", "value": value}


ERROR = {"errorSummary": "No."}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"debugContext": {"decisionId": "1", "fired": []}},
        {"commands": [command("user.profile.update", login="a@example.com")]},
        {"commands": [command("appUser.profile.update", a="x", b=1, c=1.5, d=True, e=["x"])]},
        {"commands": [command("action.update", result="LINK_USER"), command("user.update", id="00u1")]},
        {"commands": [command("action.update", result="CREATE_USER")], "debugContext": {}},
        {"error": ERROR},
        {
            "error": {
                **ERROR,
                "errorCauses": [{**ERROR, "reason": "r", "locationType": "body", "location": "$", "domain": "d"}],
            }
        },
        {"error": ERROR, "debugContext": {}},
    ],
)
def test_the_response_schema_accepts_every_form_of_answer(schemas: Schemas, answer: dict[str, Any]) -> None:
    """These and no others are sent."""
    assert schemas.response.faults(answer) == ()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"error": ERROR, "commands": [command("user.profile.update", login="a")]},
        {"commands": []},
        {"commands": None},
        {"commands": {}},
        {"commands": [{}]},
        {"commands": [{"type": "com.okta.user.profile.update"}]},
        {"commands": [{"value": {"login": "a"}}]},
        {"commands": [command("user.profile.delete", login="a")]},
        {"commands": [command("user.profile.import", login="a")]},
        {"commands": [command("action.import", result="CREATE_USER")]},
        {"commands": [command("appUser.profile.update.import", a="a")]},
        {"commands": [command("user.profile.update")]},
        {"commands": [command("appUser.profile.update")]},
        {"commands": [command("user.profile.update", login=None)]},
        {"commands": [command("user.profile.update", login={"a": "b"})]},
        {"commands": [command("action.update", result="REJECT")]},
        {"commands": [command("action.update")]},
        {"commands": [command("action.update", result="CREATE_USER", extra="x")]},
        {"commands": [command("user.update", id="")]},
        {"commands": [command("user.update", id=None)]},
        {"commands": [{**command("user.update", id="00u1"), "extra": 1}]},
        {"commands": [command("user.profile.update", login="a")] * 5},
        {"error": {}},
        {"error": {"errorSummary": ""}},
        {"error": {"errorSummary": 1}},
        {"error": {**ERROR, "errorCauses": []}},
        {"error": {**ERROR, "errorCauses": [{}]}},
        {"error": {**ERROR, "errorCauses": [{**ERROR, "locationType": "cookie"}]}},
        {"error": {**ERROR, "extra": 1}},
        {"debugContext": "x"},
        {"debugContext": None},
        {"comands": []},
    ],
)
def test_the_response_schema_refuses_what_okta_would_misread(schemas: Schemas, answer: object) -> None:
    """Error with commands, empty lists, unknown or obsolete commands, null values."""
    assert not schemas.response.accepts(answer)


def policy(**members: object) -> dict[str, object]:
    """Return a policy with other members."""
    return {"policy": "logins", "rules": [{"id": "a", "set": {"user.login": "'x'"}}], **members}


def rule(**members: object) -> dict[str, object]:
    """Return a policy of one rule with other members."""
    return policy(rules=[{"id": "a", "set": {"user.login": "'x'"}, **members}])


@pytest.mark.parametrize(
    "document",
    [
        policy(),
        policy(policy="a", description="x", owner="y", match="true"),
        policy(constants={"a": 1, "B_2": [None, {"x": 1}]}, variables={"v": "'x'", "_w": {"value": None}}),
        policy(mode="enforce"),
        policy(mode="shadow"),
        rule(when="true", because="'x'", description="x", only="create", debug="1", overrides=["b", "p/c", "l/d"]),
        rule(only="link", action={"link": "'00u1'"}, debug={"value": 1}),
        rule(action={"link": {"value": "00u1"}}),
        rule(action="create", claim={"login": {"candidates": ["'x'"]}}),
        rule(
            claim={
                "login": {"candidates": ["n", {"value": "x"}], "counter": {"from": 2, "to": 9}, "exhausted": "skip"},
                "a_1": {"candidates": ["n", "'x'"], "except": "tables.x", "exhausted": "hold"},
                "b": {"candidates": ["n", "'x'"], "except": ["a", "b"]},
            }
        ),
        policy(rules=[{"id": "a", "hold": "'x'"}, {"id": "b", "hold": {"value": "x"}}]),
        policy(rules=[{"id": "a", "veto": ["action.link", "action.create", "user.login", "appuser.a_1"]}]),
        policy(rules=[{"id": "a", "when": "x", "only": "link", "overrides": ["b"], "first": [{"id": "b"}]}]),
        rule(set={"user.login": {"value": "x"}, "appuser.a_1": {"value": ["x"]}, "user.n": {"value": 1.5}}),
    ],
)
def test_the_policy_schema_accepts_policies(schemas: Schemas, document: dict[str, Any]) -> None:
    """Every key the language has."""
    assert schemas.policy.faults(document) == ()


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "$: type"),
        ({"rules": [{"id": "a", "set": {"user.a": "'x'"}}]}, "$: required"),
        ({"policy": "a"}, "$: required"),
        (policy(policy="Logins"), "$.policy: pattern"),
        (policy(policy="a--b"), "$.policy: pattern"),
        (policy(policy="a" * 101), "$.policy: maxLength"),
        (policy(mode="Shadow"), "$.mode: enum"),
        (policy(mode=True), "$.mode: enum"),
        (policy(modes="shadow"), "$.modes: additionalProperties"),
        (policy(match=True), "$.match: type"),
        (policy(match=""), "$.match: minLength"),
        (policy(constants=[]), "$.constants: type"),
        (policy(constants={"a-b": 1}), "$.constants.a-b: propertyNames"),
        (policy(variables={"a": 1}), "$.variables.a: type"),
        (policy(variables={"a": {"valeu": 1}}), "$.variables.a: required"),
        (policy(variables={"a": {"value": 1, "b": 1}}), "$.variables.a.b: additionalProperties"),
        (policy(rules=[]), "$.rules: minItems"),
        (policy(rules={}), "$.rules: type"),
        (policy(rules=[{"set": {"user.a": "'x'"}}]), "$.rules[0]: required"),
        (policy(rules=[{"when": "true"}]), "$.rules[0]: required"),
        (policy(rules=[{"id": "a", "first": []}]), "$.rules[0].first: minItems"),
        (policy(rules=[{"id": "a", "first": {}}]), "$.rules[0].first: type"),
        (policy(rules=[{"id": "a", "first": [{"set": {"user.a": "'x'"}}]}]), "$.rules[0].first[0]: required"),
        (
            policy(rules=[{"id": "a", "first": [{"id": "b", "wen": "x"}]}]),
            "$.rules[0].first[0].wen: additionalProperties",
        ),
        (rule(id="A"), "$.rules[0].id: pattern"),
        (rule(id=1), "$.rules[0].id: type"),
        (rule(when=True), "$.rules[0].when: type"),
        (rule(set={}), "$.rules[0].set: minProperties"),
        (rule(set={"login": "'x'"}), "$.rules[0].set.login: propertyNames"),
        (rule(set={"group.name": "'x'"}), "$.rules[0].set['group.name']: propertyNames"),
        (rule(set={"user.a.b": "'x'"}), "$.rules[0].set['user.a.b']: propertyNames"),
        (rule(set={"user.a": 1}), "$.rules[0].set['user.a']: type"),
        (rule(set={"user.a": ""}), "$.rules[0].set['user.a']: minLength"),
        (rule(holds="'x'"), "$.rules[0].holds: additionalProperties"),
        (rule(hold=""), "$.rules[0].hold: minLength"),
        (rule(hold=True), "$.rules[0].hold: type"),
        (rule(only="Create"), "$.rules[0].only: enum"),
        (rule(action="link"), "$.rules[0].action: pattern"),
        (rule(action={}), "$.rules[0].action: required"),
        (rule(action={"link": "x", "create": "y"}), "$.rules[0].action.create: additionalProperties"),
        (rule(action={"link": ""}), "$.rules[0].action.link: minLength"),
        (rule(action={"link": None}), "$.rules[0].action.link: type"),
        (rule(veto=[]), "$.rules[0].veto: minItems"),
        (rule(veto="action.link"), "$.rules[0].veto: type"),
        (rule(veto=["action.update"]), "$.rules[0].veto[0]: pattern"),
        (rule(veto=["login"]), "$.rules[0].veto[0]: pattern"),
        (rule(overrides=[]), "$.rules[0].overrides: minItems"),
        (rule(overrides=[""]), "$.rules[0].overrides[0]: minLength"),
        (rule(overrides="a"), "$.rules[0].overrides: type"),
        (rule(debug=""), "$.rules[0].debug: minLength"),
        (rule(claim={}), "$.rules[0].claim: minProperties"),
        (rule(claim={"a-b": {"candidates": ["'x'"]}}), "$.rules[0].claim.a-b: propertyNames"),
        (rule(claim={"a": {}}), "$.rules[0].claim.a: required"),
        (rule(claim={"a": {"candidates": []}}), "$.rules[0].claim.a.candidates: minItems"),
        (rule(claim={"a": {"candidates": "'x'"}}), "$.rules[0].claim.a.candidates: type"),
        (rule(claim={"a": {"candidates": [1]}}), "$.rules[0].claim.a.candidates[0]: type"),
        (rule(claim={"a": {"candidates": ["n"], "counter": {}}}), "$.rules[0].claim.a.counter: required"),
        (rule(claim={"a": {"candidates": ["n"], "counter": 9}}), "$.rules[0].claim.a.counter: type"),
        (rule(claim={"a": {"candidates": ["n"], "except": [1]}}), "$.rules[0].claim.a.except[0]: type"),
        (rule(claim={"a": {"candidates": ["n"], "except": ""}}), "$.rules[0].claim.a.except: minLength"),
        (rule(claim={"a": {"candidates": ["n"], "exhausted": "stop"}}), "$.rules[0].claim.a.exhausted: enum"),
    ],
)
def test_the_policy_schema_refuses_what_is_no_policy(schemas: Schemas, document: object, fault: str) -> None:
    """At its place, by its keyword."""
    assert fault in {f"{found.json_path}: {found.code}" for found in schemas.policy.faults(document)}


@pytest.fixture(scope="module")
def attribute(schemas: Schemas) -> Callable[[str], Shape]:
    """Return the shape of an attribute by its target."""
    profiles = schemas.profiles.profiles
    assert profiles is not None
    by_root: dict[str, Profile] = {"user": profiles.user, "appuser": profiles.app_user}

    def find(target: str) -> Shape:
        root, _, name = target.partition(".")
        return by_root[root].attributes[name]

    return find


@pytest.mark.parametrize(
    ("target", "accepted", "refused"),
    [
        (
            "user.login",
            ["a@b.c", "x" * 98 + "@y", "jürgen@exämple.com"],
            ["a@b", "x" * 99 + "@y", "no-at-sign", "a b@c.d", "", 5, None, "a@b@c"],
        ),
        ("user.email", ["a@b.c"], ["a@b", "ab.cd", ["a@b.c"]]),
        ("user.secondEmail", ["", "a@b"], ["x", "x" * 99 + "@y"]),
        ("user.firstName", ["A", "x" * 50], ["", "x" * 51]),
        ("user.lastName", ["A", "x" * 50], ["", "x" * 51]),
        ("user.countryCode", ["DE", ""], ["de", "DEU", "D"]),
        ("user.mobilePhone", ["", "x" * 100], ["x" * 101]),
        ("user.primaryPhone", ["", "x" * 100], ["x" * 101]),
        ("user.city", ["", "x" * 128], ["x" * 129]),
        ("user.state", ["", "x" * 128], ["x" * 129]),
        ("user.zipCode", ["", "x" * 50], ["x" * 51]),
        ("user.streetAddress", ["", "x" * 1024], ["x" * 1025]),
        ("user.postalAddress", ["", "x" * 4096], ["x" * 4097]),
        ("user.locale", ["en_US", "de", "zh_Hant_TW", ""], ["e", "en US", "_US"]),
        ("user.displayName", ["", "Łukasz Żółć"], [1]),
        ("appuser.externalId", ["1", "x" * 256], ["", "x" * 257, 1]),
        ("appuser.userName", ["a"], ["", "x" * 101]),
        ("appuser.groups", [[], ["a", "b"]], ["a", [1], {}]),
        ("appuser.email", ["a@b.c"], ["x"]),
    ],
)
def test_the_profile_schemas_hold_oktas_limits(
    attribute: Callable[[str], Shape], target: str, accepted: list[object], refused: list[object]
) -> None:
    """The limits of Okta's base profile, one below and one above."""
    assert [value for value in accepted if not attribute(target).accepts(value)] == []
    assert [value for value in refused if attribute(target).accepts(value)] == []


def test_the_profile_schemas_declare_every_attribute_of_oktas_sample(schemas: Schemas, sample: dict[str, Any]) -> None:
    """A policy may speak of everything the sample holds."""
    profiles = schemas.profiles.profiles
    assert profiles is not None
    assert set(sample["data"]["user"]["profile"]) <= profiles.declared("user")
    assert set(sample["data"]["appUser"]["profile"]) <= profiles.declared("appuser")
