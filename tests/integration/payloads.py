"""Requests as Okta sends them: its own sample, the case of its guide, and as many like it as a test wants."""

import json

from tests.integration.installations import CHECKOUT

OKTA_SAMPLE = CHECKOUT / "tests" / "golden" / "okta-sample.json"
GUIDE_CASE = CHECKOUT / "policies" / "testdata" / "george-alexander-smith.json"
GUIDE_LOGIN = "george.alexander.smith@example.com"


def like_the_guide(number: int, *, event_id: str = "", conflicts: tuple[str, ...] = ("login",)) -> bytes:
    """Return the guide's case for a row of its own: every value that names the person holds the number."""
    request = json.loads(GUIDE_CASE.read_bytes())
    request["eventId"] = event_id or f"event-{number}"
    request["data"]["context"]["conflicts"] = list(conflicts)
    app_user, user = (request["data"][part]["profile"] for part in ("appUser", "user"))
    login = f"first{number}.last{number}@example.com"
    names = {"firstName": f"First{number}", "lastName": f"Last{number}"}
    user.update(names, login=login, email=login)
    app_user.update(names, middleName=f"Middle{number}", externalId=f"row-{number}", userName=login, email=login)
    return json.dumps(request).encode()


def its_login(number: int) -> str:
    """Return the login the shipped policy gives to that row."""
    return f"first{number}.middle{number}.last{number}@example.com"


def texts_about_people(body: bytes) -> set[str]:
    """Return every text in both profiles of a request that could tell who somebody is."""
    data = json.loads(body)["data"]
    values: list[object] = []
    for value in (*data["appUser"]["profile"].values(), *data["user"]["profile"].values()):
        values.extend(value if isinstance(value, list) else [value])
    return {value for value in values if isinstance(value, str)}
