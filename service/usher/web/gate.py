"""Falcon middleware that settles, before routing, whether a request may go on at all.

Owns the order of the first rows of the design's HTTP table: 413, 401 / 403 / 503, 404, 405. Not the media type
(`web.hook`). Immutable; runs on worker threads.
"""

from collections.abc import Mapping
from typing import Final

import falcon

from usher.web.auth import Authentication, Credential
from usher.web.refusals import Refusals

# More digits than any limit has: keeps the conversion of a hostile Content-Length cheap.
_LENGTH_DIGITS: Final = 12


class Gate:
    """Lets a request through to its route, or raises the refusal that comes first.

    `routes` maps each path to its methods; `open_paths` are those of them that ask for no credential.
    """

    def __init__(
        self,
        authentication: Authentication,
        routes: Mapping[str, tuple[str, ...]],
        *,
        refusals: Refusals,
        body_limit_bytes: int,
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        self._refusals = refusals
        self._authentication = authentication
        self._routes = routes
        self._body_limit_bytes = body_limit_bytes
        self._open_paths = open_paths

    @property
    def credential_header(self) -> str:
        """The header a caller must send."""
        return self._authentication.header

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Raise the first refusal that applies."""
        del resp
        declared = req.env.get("CONTENT_LENGTH")
        if declared and (len(declared) > _LENGTH_DIGITS or int(declared) > self._body_limit_bytes):
            raise falcon.HTTPContentTooLarge
        # APPSEC: before 404 and 405, so that a stranger learns nothing about which paths exist.
        path = _path_as_sent(req)
        if path not in self._open_paths:
            self._admit(req)
        methods = self._routes.get(path)
        if methods is None:
            raise falcon.HTTPNotFound
        if req.method not in methods:
            raise falcon.HTTPMethodNotAllowed(methods)

    def refuse_meta_method(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, object]
    ) -> None:
        """Judge what Falcon refused by itself: it answers 400 to the method WEBSOCKET before any middleware runs."""
        del params
        self.process_request(req, resp)
        raise error

    def _admit(self, req: falcon.Request) -> None:
        credential = self._authentication.judge(req.env)
        if credential is Credential.VALID:
            return
        self._refusals.unauthenticated(credential.value)
        if credential is Credential.MISSING:
            raise falcon.HTTPUnauthorized(challenges=(self._authentication.challenge,))
        if credential is Credential.NO_KEYS:
            # The service's own fault; Okta tries once more after a 503, and never after a 403.
            raise falcon.HTTPServiceUnavailable(retry_after=1)
        raise falcon.HTTPForbidden


def _path_as_sent(req: falcon.Request) -> str:
    """Return the path as it stood in the request line, if the server says so; waitress' PATH_INFO has been made pretty.

    APPSEC: a proxy that guards `/okta/import` must not be passed by `//okta/import` or `/okta%2Fimport`.
    """
    target = req.env.get("REQUEST_URI")
    if not isinstance(target, str):
        return req.path
    path = target.partition("?")[0]
    if path.startswith("/"):
        return path
    # RFC 9112 has every server accept the absolute form, `http://host/path`.
    return "/" + path.partition("://")[2].partition("/")[2]
