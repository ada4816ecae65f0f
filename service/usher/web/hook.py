"""The one resource Okta calls: bytes in, the line's answer out.

Owns the media type and the reading of the body; deciding is the line's. Called on waitress' worker threads, several
at once.
"""

import time
from http import HTTPStatus
from typing import Final, Protocol

import falcon

from usher.answer.reply import Reply
from usher.web.refusals import Refusals

HOOK_PATH: Final = "/okta/import"
DECISION_HEADER: Final = "X-Usher-Decision"
# Where `web.channel` leaves the moment the body was complete (time.monotonic()): the deadline counts from there.
ARRIVED: Final = "usher.arrived"
# And when a worker took the request up: what came before is the queue's, what comes after is judging the credential.
TAKEN_UP: Final = "usher.taken-up"
# Where `web.channel` looks for what is to be done once the answer has left: a callable that never raises.
AFTERWARDS: Final = "usher.afterwards"
_JSON: Final = "application/json"


class Answers(Protocol):
    """The line, as the hook sees it. Neither method raises; both are called on worker threads, several at once."""

    def answer(self, body: bytes, arrived: float, taken_up: float) -> Reply:
        """Answer one call; by `time.monotonic()` its body was complete at `arrived`, a worker free at `taken_up`."""
        ...

    def undecided(self) -> Reply:
        """Return the configured answer for a call that could not be decided."""
        ...


class HookResource:
    """`POST /okta/import`."""

    def __init__(self, answers: Answers, *, refusals: Refusals, body_limit_bytes: int) -> None:
        self._answers = answers
        self._refusals = refusals
        self._body_limit_bytes = body_limit_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Read the body once and hand it on unparsed."""
        if req.content_type != _JSON and not _is_json(req.content_type):
            raise falcon.HTTPUnsupportedMediaType
        body = req.stream.read(self._body_limit_bytes + 1)
        if len(body) > self._body_limit_bytes:
            raise falcon.HTTPContentTooLarge
        now = time.monotonic()
        reply = self._answers.answer(body, req.env.get(ARRIVED) or now, req.env.get(TAKEN_UP) or now)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            self._refusals.refused(reply.status)
        put(reply, resp)
        if reply.afterwards is not None:
            req.env[AFTERWARDS] = reply.afterwards


def put(reply: Reply, resp: falcon.Response) -> None:
    """Write a reply into Falcon's response; the Content-Type is the app's default."""
    resp.data = reply.body
    resp.status = reply.status
    if reply.decision_id is not None:
        resp.set_header(DECISION_HEADER, reply.decision_id)


def _is_json(content_type: str | None) -> bool:
    """`application/json` in any case; parameters are allowed and say nothing: JSON is UTF-8 (RFC 8259)."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == _JSON
