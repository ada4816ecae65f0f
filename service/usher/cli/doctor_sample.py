"""The row by which `usher doctor` asks for a decision: Okta's sample, made to change nothing.

It ends in a link, for which nothing is claimed or remembered; application and subject are its own, so that it is taken
for nobody else's row. Each call has an id of its own: a repeated event would only be replayed.
"""

import json
import secrets
from datetime import UTC, datetime
from typing import Final

MARK: Final = "usher-doctor"
_PERSON: Final = {"firstName": "Usher", "lastName": "Doctor", "email": "usher.doctor@example.com"}


def sample() -> bytes:
    """Return the body of one call, as of now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(row(f"{MARK}-{secrets.token_hex(8)}", now)).encode()


def row(identifier: str, time: str) -> dict[str, object]:
    """Return what Okta would send, as the event of that id at that time."""
    user = {**_PERSON, "login": _PERSON["email"], "mobilePhone": None, "countryCode": None}
    app_user = {**_PERSON, "userName": _PERSON["email"], "externalId": MARK, "mobilePhone": None, "groups": [MARK]}
    data = {
        "context": {
            "conflicts": [],
            "application": {"name": MARK, "id": MARK, "label": MARK, "status": "ACTIVE"},
            "job": {"id": MARK, "type": "import:users"},
            "matches": [],
            "policy": ["EMAIL"],
        },
        "action": {"result": "LINK_USER"},
        "appUser": {"profile": app_user},
        "user": {"id": "00uUsherDoctor", "profile": user},
    }
    return {
        "source": MARK,
        "eventId": identifier,
        "eventTime": time,
        "eventTypeVersion": "1.0",
        "cloudEventVersion": "0.1",
        "eventType": "com.okta.import.transform",
        "contentType": "application/json",
        "data": data,
    }
