"""The two Falcon apps: the hook Okta calls, and operations. Neither serves a path of the other.

Owns what is common to both: refusals are exceptions, turned into bytes in one place, and no exception leaves an app.
Building is for the main thread; the apps themselves are called on waitress' worker threads.
"""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import falcon
import structlog

from usher.answer.reply import Reply
from usher.errors import fault_place
from usher.web.auth import Authentication
from usher.web.gate import Gate
from usher.web.hook import HOOK_PATH, Answers, HookResource, put
from usher.web.operations import (
    LIVE_PATH,
    METRICS_PATH,
    OPEN_PATHS,
    READY_PATH,
    RELOAD_PATH,
    STATUS_PATH,
    Operations,
    OperationsResource,
)
from usher.web.refusals import Refusals, Uncounted, refusal_body

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

App = falcon.App[falcon.Request, falcon.Response]

_READ: Final = ("GET", "HEAD")
_OPERATIONS: Final = {LIVE_PATH: "live", READY_PATH: "ready", STATUS_PATH: "status", METRICS_PATH: "metrics"}


def create_hook_app(
    answers: Answers,
    authentication: Authentication,
    *,
    refusals: Refusals,
    body_limit_bytes: int,
) -> App:
    """Return the app of the hook listener; whatever goes wrong inside it, Okta gets the undecided answer."""
    gate = Gate(authentication, {HOOK_PATH: ("POST",)}, refusals=refusals, body_limit_bytes=body_limit_bytes)
    app = _HookApp(answers.undecided, gate)

    def unexpected(_req: falcon.Request, resp: falcon.Response, error: Exception, _params: dict[str, object]) -> None:
        _report(error)
        put(answers.undecided(), resp)

    _finish(app, gate, refusals, unexpected)
    app.add_route(HOOK_PATH, HookResource(answers, refusals=refusals, body_limit_bytes=body_limit_bytes))
    return app


def create_operations_app(operations: Operations, authentication: Authentication) -> App:
    """Return the app of the operations listener; what only reads asks for no credential."""
    refusals = Uncounted()
    routes = {**dict.fromkeys(_OPERATIONS, _READ), RELOAD_PATH: ("POST",)}
    gate = Gate(authentication, routes, refusals=refusals, body_limit_bytes=0, open_paths=OPEN_PATHS)
    app = App(middleware=[gate], independent_middleware=True)

    def unexpected(_req: falcon.Request, _resp: falcon.Response, error: Exception, _params: dict[str, object]) -> None:
        _report(error)
        raise falcon.HTTPInternalServerError

    _finish(app, gate, refusals, unexpected)
    resource = OperationsResource(operations)
    for path, suffix in {**_OPERATIONS, RELOAD_PATH: "reload"}.items():
        app.add_route(path, resource, suffix=suffix)
    return app


class _HookApp(App):
    """Falcon's app with a floor under it: what Falcon does outside its own error handling ends as an answer, too."""

    def __init__(self, undecided: Callable[[], Reply], gate: Gate) -> None:
        super().__init__(middleware=[gate], independent_middleware=True)
        self._undecided = undecided

    def __call__(self, env: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return super().__call__(env, start_response)
        except Exception as error:  # noqa: BLE001  # a missing answer creates a duplicate person
            _report(error)
            reply = self._undecided()
            headers = [("Content-Type", falcon.MEDIA_JSON), ("Content-Length", str(len(reply.body)))]
            start_response("200 OK", headers, sys.exc_info())
            return [reply.body]


def _finish(
    app: App,
    gate: Gate,
    refusals: Refusals,
    unexpected: Callable[[falcon.Request, falcon.Response, Exception, dict[str, object]], None],
) -> None:
    """Give the app its error handling: one serializer for every refusal, one handler for what nobody expected."""

    def serialize(_req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
        resp.data = refusal_body(error.status_code, credential_header=gate.credential_header)
        resp.content_type = falcon.MEDIA_JSON
        refusals.refused(error.status_code)

    app.set_error_serializer(serialize)
    app.add_error_handler(falcon.HTTPBadRequest, gate.refuse_meta_method)
    app.add_error_handler(Exception, unexpected)


def _report(error: Exception) -> None:
    # APPSEC: type and place only: an exception's text may quote a profile.
    structlog.get_logger(__name__).error("request_failed", error=type(error).__name__, place=fault_place(error))
