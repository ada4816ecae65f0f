"""The import request, normalised once from the wire and then trusted.

Owns which spellings of Okta's payload mean the same (null and absent lists, the three shapes of a match).
Validation happened before; a payload that breaks the request schema never gets here. Frozen values.
Source: Okta's user import inline hook reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EVENT_TYPE: Final = "com.okta.import.transform"
CREATE_USER: Final = "CREATE_USER"
LINK_USER: Final = "LINK_USER"

_APPLICATION_FIELDS: Final = ("name", "id", "label", "status")
_JOB_FIELDS: Final = ("id", "type")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """One profile that Okta is about to import, with what Okta would do by itself.

    `context` holds `conflicts`, `policy`, `matches` (lists; matches as user ids) and the maps `application` and `job`,
    whose known fields are '' when absent. `wire` is the request as it came.
    """

    event_id: str
    user: Mapping[str, object]
    app_user: Mapping[str, object]
    action: str
    matched_user_id: str
    context: Mapping[str, object]
    wire: Mapping[str, object]

    @classmethod
    def from_wire(cls, body: Mapping[str, object]) -> "ImportRequest":
        """Read a payload that the request schema accepts."""
        data = _mapping(body.get("data"))
        context = _mapping(data.get("context"))
        user = _mapping(data.get("user"))
        matches = [user_id for user_id in map(_match_id, _list(context.get("matches"))) if user_id]
        action = _mapping(data.get("action")).get("result")
        return cls(
            event_id=_text(body.get("eventId")),
            user=_mapping(user.get("profile")),
            app_user=_mapping(_mapping(data.get("appUser")).get("profile")),
            action=action if isinstance(action, str) else CREATE_USER,
            matched_user_id=_matched(_text(user.get("id")), action, matches),
            context={
                "conflicts": [name for name in _list(context.get("conflicts")) if isinstance(name, str)],
                "policy": [name for name in _list(context.get("policy")) if isinstance(name, str)],
                "matches": matches,
                "application": _fields(context.get("application"), _APPLICATION_FIELDS),
                "job": _fields(context.get("job"), _JOB_FIELDS),
            },
            wire=body,
        )

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Names of the attributes Okta reports as taken."""
        return tuple(str(name) for name in _list(self.context["conflicts"]))

    @property
    def subject(self) -> str:
        """The row's immutable id, '' when it brings none. A number and its digits as text are one id."""
        subject = self.app_user.get("externalId")
        if isinstance(subject, int) and not isinstance(subject, bool):
            return str(subject)
        return subject if isinstance(subject, str) and subject.strip() else ""

    @property
    def application(self) -> Mapping[str, object]:
        """Where the row comes from: `name`, `id`, `label`, `status`, each '' when absent."""
        return _mapping(self.context["application"])


def _matched(user_id: str, action: object, matches: list[str]) -> str:
    """Return the user Okta would link to: `data.user.id`, which is missing from Okta's OpenAPI, else a sole match."""
    if user_id:
        return user_id
    return matches[0] if action == LINK_USER and len(matches) == 1 else ""


def _match_id(match: object) -> str:
    """Okta documents no shape for a match: accept `"00u…"`, `{"id": …}` and `{"user": {"id": …}}`."""
    if isinstance(match, str):
        return match
    entry = _mapping(match)
    return _text(entry.get("id")) or _text(_mapping(entry.get("user")).get("id"))


def _fields(value: object, names: tuple[str, ...]) -> Mapping[str, object]:
    present = {key: field for key, field in _mapping(value).items() if field is not None}
    return {**dict.fromkeys(names, ""), **present}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
