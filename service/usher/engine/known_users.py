"""Known users from a file: for doors that have no directory database, and for loading one.

Owns the two shapes a user may come in: flat, as policies see them, and as Okta's Users API gives them. Pure functions.
"""

import json
from collections.abc import Iterator, Mapping

from usher.errors import UsherError


class BadUserError(UsherError):
    """A text holds no user; `code` is for programs, the message quotes nothing."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        super().__init__(reason)


class BadUsersError(UsherError):
    """The text holds no users; `line` says where, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


def user_from_json(text: str) -> Mapping[str, object]:
    """Read one user, and flatten `profile` beside `id` and `status`; raises `BadUserError`."""
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadUserError("not-json", f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise BadUserError("not-json", "not JSON this service reads") from None
    return _user(entry)


def users_from_json(text: str) -> tuple[Mapping[str, object], ...]:
    """Read a JSON list of users, or one user per line (NDJSON); raises `BadUsersError`, which quotes nothing."""
    if text.lstrip().startswith("["):
        try:
            return tuple(map(_user, json.loads(text)))
        except json.JSONDecodeError as error:
            raise BadUsersError(error.lineno, f"not JSON: {error.msg}") from None
        except BadUserError as error:
            raise BadUsersError(1, str(error)) from None
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield user_from_json(line)
            except BadUserError as error:
                raise BadUsersError(number, str(error)) from None


def _user(entry: object) -> Mapping[str, object]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise BadUserError("no-id", "a user is an object with an id")
    profile = entry.get("profile")
    if not isinstance(profile, dict):
        return entry
    return {**profile, "id": entry["id"], "status": entry.get("status", "")}
