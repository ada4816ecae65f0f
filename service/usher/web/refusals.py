"""What a caller is told when the line is not even entered: one body per status, in Okta's error shape.

Owns the words; who refuses is the gate, the hook or waitress. The words are fixed: nothing a caller sent is ever
sent back. Safe on any thread.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Final, Protocol

from usher.answer.okta_error import ErrorCause, error_body

CREDENTIAL_HEADER: Final = "Authorization"

_CAUSES: Final = {
    400: ErrorCause("Not a request", "This is not valid HTTP.", "header", "request"),
    401: ErrorCause("No credential", "Send the secret in this header.", "header", CREDENTIAL_HEADER),
    403: ErrorCause("Wrong credential", "The credential is not one of those in force.", "header", CREDENTIAL_HEADER),
    404: ErrorCause("Not found", "Nothing is served at this path.", "url", "path"),
    405: ErrorCause("Method not allowed", "Use a method named in the Allow header.", "header", "method"),
    413: ErrorCause("Body too large", "The body is over this service's limit.", "header", "Content-Length"),
    415: ErrorCause("Wrong media type", "Content-Type must be application/json.", "header", "Content-Type"),
    431: ErrorCause("Headers too large", "The headers are over this service's limit.", "header", "request"),
    503: ErrorCause("Busy", "This has to wait for something else; ask again in a moment.", "url", "path"),
    501: ErrorCause("Not implemented", "Of transfer codings, only chunked is served.", "header", "Transfer-Encoding"),
}
_FAULT: Final = ErrorCause("Internal fault", "The service failed; its log says where.", "url", "path")


class Refusals(Protocol):
    """Counts refusals; called on worker threads, must not raise."""

    def refused(self, status: int) -> None:
        """Count one."""
        ...

    def unauthenticated(self, reason: str) -> None:
        """Count a credential that was refused; `reason` is the value of a `Credential`. `refused` is called as well."""
        ...


class Uncounted:
    """Refusals nobody counts: the operations listener's."""

    def refused(self, status: int) -> None:
        """Count nothing."""

    def unauthenticated(self, reason: str) -> None:
        """Count nothing."""


def refusal_body(status: int, *, credential_header: str = CREDENTIAL_HEADER) -> bytes:
    """Return the body that goes out with a refusing status; a missing or wrong credential names its header."""
    cause = _CAUSES.get(status, _FAULT)
    if cause.location == CREDENTIAL_HEADER:
        cause = replace(cause, location=credential_header)
    return error_body(cause.summary, (cause,))


def status_line(status: int) -> str:
    """Return `413 Content Too Large` for 413; the reason's spelling is Python's and no interface."""
    return f"{status} {HTTPStatus(status).phrase}"
