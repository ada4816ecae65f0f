"""The account of one decision in words."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from usher.bootstrap.evaluation import KeptInMemory, evaluation_line
from usher.bootstrap.schemas import Schemas
from usher.engine import PolicySet
from usher.proof import explain

Payload = Callable[..., dict[str, Any]]
Explained = Callable[[str, object], list[str]]

POLICY = """\
policy: p
match: "!('closed' in context.conflicts)"
rules:
  - id: fires
    set:
      user.login: "'new-' + get(user, 'login', '')"
    because: "'the login ' + get(user, 'login', '') + ' is taken'"
  - id: never
    when: "'never' in context.conflicts"
    set: {user.title: {value: x}}
  - id: fails
    when: "'fail' in context.conflicts && 1 / 0 == 1"
    set: {user.title: {value: x}}
  - id: no-reason
    set: {user.city: {value: same}, user.email: {value: no-address}}
    because: user.nickName
  - id: other-city
    set: {user.city: {value: other}}
"""


@pytest.fixture
def explained(policy_set: Callable[[str | Mapping[str, str]], PolicySet], schemas: Schemas) -> Explained:
    """Return what is said about a request, with the folder's path taken off."""

    def tell(text: str, body: object) -> list[str]:
        policies, kept = policy_set(text), KeptInMemory()
        line = evaluation_line(policies, schemas, kept, lambda *_: None)
        now = line.clock()
        line.answer(json.dumps(body).encode(), time.monotonic())
        folder = Path(policies.policies[0].place.file).parent.as_posix() + "/"
        return [said.replace(folder, "") for record in kept.records for said in explain(policies, record, now=now)]

    return tell


def test_every_rule_is_accounted_for_with_reason_and_place(explained: Explained, payload: Payload) -> None:
    """Fired with its own words, false where, failed where; conflicts, refused values and commands."""
    body = payload(user={"login": "ann@example.com"}, context={"conflicts": ["login", "fail"]})
    first, *rest = explained(POLICY, body)
    assert ": commands (policies " in first
    assert rest == [
        "  p/fires: fired (policy.yaml:4:5)",
        "    because the login ann@example.com is taken",
        "  p/never: not fired, false at policy.yaml:9:12",
        "  p/fails: not fired, division-by-zero at policy.yaml:12:47",
        "  p/no-reason: fired (policy.yaml:14:5)",
        "    because p/no-reason",
        "  p/other-city: fired (policy.yaml:17:5)",
        "  user.city: no command, these rules want different values: p/no-reason, p/other-city",
        "  user.email: no command, the value of p/no-reason breaks the profile schema",
        "  com.okta.user.profile.update: {'login': 'new-ann@example.com'}",
    ]


def test_an_error_in_a_match_is_told_at_its_place(explained: Explained, payload: Payload) -> None:
    """Under the policy's name."""
    policy = POLICY.replace("!('closed' in context.conflicts)", "1 / size(context.conflicts) == 1")
    said = explained(policy, payload())
    assert said[1:] == ["  p: not fired, division-by-zero at policy.yaml:2:13"]


def test_faults_of_an_invalid_request_are_told(explained: Explained, payload: Payload) -> None:
    """By path and code."""
    said = explained(POLICY, {**payload(), "eventId": 7})
    assert ": invalid (" in said[0]
    assert said[1:] == ["  request: $.eventId: type"]


def test_a_decision_without_rules_is_one_line(explained: Explained, payload: Payload) -> None:
    """A closed match leaves nothing to tell."""
    said = explained(POLICY, payload(context={"conflicts": ["closed"]}))
    assert len(said) == 1
    assert ": default (" in said[0]
