"""Known users from a file, for doors that have no directory database: `usher eval --directory`, policy tests.

Owns the two shapes a user may come in: flat, as policies see them, and as Okta's Users API gives them. Pure functions.
"""

import json
from collections.abc import Iterator, Mapping

from usher.errors import UsherError


class BadUsersError(UsherError):
    """The text holds no users; `line` says where, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


def users_from_json(text: str) -> tuple[Mapping[str, object], ...]:
    """Read a JSON list of users, or one user per line (NDJSON); raises `BadUsersError`, which quotes nothing."""
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadUsersError(error.lineno, f"not JSON: {error.msg}") from None
        return tuple(_user(entry, 1) for entry in listed)
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise BadUsersError(number, f"not JSON: {error.msg}") from None
            except (ValueError, RecursionError):
                raise BadUsersError(number, "not JSON this service reads") from None
            yield _user(entry, number)


def _user(entry: object, line: int) -> Mapping[str, object]:
    """Flatten `profile` beside `id` and `status`."""
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise BadUsersError(line, "a user is an object with an id")
    profile = entry.get("profile")
    if not isinstance(profile, dict):
        return entry
    return {**profile, "id": entry["id"], "status": entry.get("status", "")}
