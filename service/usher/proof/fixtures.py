"""From a fixture to the request Okta would post: completed, with values put in and taken out.

Owns what an inline fixture need not say, and how the short paths of a test (`user.login`) lead into a request. Pure
functions.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any, Final

from usher.domain.request import CREATE_USER, EVENT_TYPE

APPLICATION: Final = {"name": "test_app", "id": "0oa1", "label": "Test app", "status": "ACTIVE"}
_JOB: Final = {"id": "ij1", "type": "import:users"}
_SHORT: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("data", "user", "profile"),
    "appuser": ("data", "appUser", "profile"),
    "context": ("data", "context"),
    "action": ("data", "action", "result"),
    "matched_user_id": ("data", "user", "id"),
}

Wire = dict[str, Any]
"""A request as JSON holds it."""


class BadPathError(Exception):
    """A path leads through something that has no members, or to something that is not there."""


def inline_request(fixture: Mapping[str, object]) -> Wire:
    """Return a whole request from the parts that matter; every other part is as in an import without conflicts."""
    wire: Wire = {
        "source": "usher-test",
        "eventId": "event-1",
        "eventTypeVersion": "1.0",
        "cloudEventVersion": "0.1",
        "eventType": EVENT_TYPE,
        "contentType": "application/json",
        "data": {
            "context": {
                "conflicts": [],
                "application": dict(APPLICATION),
                "job": dict(_JOB),
                "matches": [],
                "policy": [],
            },
            "action": {"result": CREATE_USER},
            "appUser": {"profile": {}},
            "user": {"profile": {}},
        },
    }
    return overlaid(wire, fixture)


def overlaid(wire: Wire, fixture: Mapping[str, object]) -> Wire:
    """Return a request with the members of a fixture put over it, one by one in profiles and context."""
    paths: dict[str, object] = {}
    for part in ("user", "appuser", "context"):
        members = fixture.get(part)
        if isinstance(members, dict):
            paths.update({f"{part}.{name}": value for name, value in members.items()})
    paths.update({part: fixture[part] for part in ("action", "matched_user_id") if part in fixture})
    changed = copy.deepcopy(wire)
    for path, value in paths.items():
        root, _, name = path.partition(".")
        _put(changed, (*_SHORT[root], name) if name else _SHORT[root], value)
    return changed


def body_of(wire: Wire) -> bytes:
    """Return a request as it arrives: in ASCII, since a test file may name what no UTF-8 can."""
    return json.dumps(wire).encode()


def with_value(wire: Wire, path: str, value: object) -> None:
    """Put a value in at a short path; raises `BadPathError`."""
    _put(wire, _long(path), value)


def without(wire: Wire, path: str) -> None:
    """Take out what stands at a short path; raises `BadPathError` when nothing does."""
    *above, last = _long(path)
    here: object = wire
    for part in above:
        here = here.get(part) if isinstance(here, dict) else None
    if not isinstance(here, dict) or last not in here:
        raise BadPathError
    del here[last]


def _put(wire: Wire, path: tuple[str, ...], value: object) -> None:
    *above, last = path
    here: Any = wire
    for part in above:
        here = here.setdefault(part, {})
        if not isinstance(here, dict):
            raise BadPathError
    here[last] = copy.deepcopy(value)


def _long(path: str) -> tuple[str, ...]:
    root, *rest = path.split(".")
    return (*_SHORT[root], *rest)
