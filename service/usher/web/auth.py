"""Who may call: the credential Okta sends with every call, judged before anything else of a request is looked at.

Owns header authentication (Okta's "header" scheme: one header, one opaque secret). Not where secrets come from
(`settings`), not what a refusal looks like (`web.refusals`). Immutable, so all worker threads share one object.
Source: Okta's "Secure your inline and event hooks".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, Protocol

from usher.errors import UsherError

CHALLENGE: Final = 'Header realm="usher"'
# waitress drops header names with an underscore, and so does nginx: such a name would refuse every call.
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_UNSENDABLE: Final = re.compile(rb"[\x00-\x1f\x7f]")


class AuthenticationError(UsherError):
    """Authentication that could never succeed, or never fail, as it is set up."""


class Credential(Enum):
    """What a request's credential is worth; but for `VALID`, its value is the reason that is counted.

    A secret is missing, wrong or valid; all others are said of a token.
    """

    MISSING = "missing"
    WRONG = "wrong"
    VALID = "valid"
    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong-algorithm"
    UNKNOWN_KEY = "unknown-key"
    NO_KEYS = "no-keys"
    """The service could not learn whether the issuer has this key: its own fault, not the caller's."""
    WRONG_SIGNATURE = "wrong-signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_ISSUER = "wrong-issuer"
    WRONG_AUDIENCE = "wrong-audience"
    WRONG_CLIENT = "wrong-client"
    WRONG_SCOPE = "wrong-scope"


class Authentication(Protocol):
    """Judges the credential in a WSGI environ (`HeaderAuthentication` here, OAuth 2.0 in `web.oauth`)."""

    @property
    def header(self) -> str:
        """Return the name of the header that carries the credential."""
        ...

    @property
    def challenge(self) -> str:
        """Return what RFC 9110 wants a 401 to carry."""
        ...

    def judge(self, environ: Mapping[str, object]) -> Credential:
        """Judge without raising; called on worker threads, several at once."""
        ...


class HeaderAuthentication:
    """One header that must hold one of several secrets; several are valid at once while they are being rotated."""

    def __init__(self, header_name: str, secrets: Sequence[bytes]) -> None:
        if not _HEADER_NAME.fullmatch(header_name):
            raise AuthenticationError(
                f"authentication header {header_name!r}: a header's name is letters, digits and hyphens"
            )
        if not secrets:
            raise AuthenticationError("authentication by header needs at least one secret")
        for position, secret in enumerate(secrets, start=1):
            _refuse_unsendable(position, secret)
        self.header: Final = header_name
        self._key: Final = "HTTP_" + header_name.upper().replace("-", "_")
        # APPSEC: digests have one length, so that neither the comparison nor a dump of this object tells a secret's.
        self._digests: Final = tuple(hashlib.sha256(secret).digest() for secret in secrets)

    @property
    def challenge(self) -> str:
        """An opaque secret in a header has no registered scheme name."""
        return CHALLENGE

    def judge(self, environ: Mapping[str, object]) -> Credential:
        """Compare with every secret; two headers of this name arrive joined by a comma and match none."""
        value = environ.get(self._key)
        if not value or not isinstance(value, str):
            return Credential.MISSING
        candidate = hashlib.sha256(value.encode("latin-1", "replace")).digest()
        matches = 0
        for digest in self._digests:
            # APPSEC: no early exit: which of the secrets matched must not show in the time taken.
            matches |= hmac.compare_digest(candidate, digest)
        return Credential.VALID if matches else Credential.WRONG

    def __repr__(self) -> str:
        return f"<HeaderAuthentication {self._key}, {len(self._digests)} secrets>"


class NoAuthentication:
    """Lets everybody in: `--insecure-no-auth`."""

    header: Final = "Authorization"

    @property
    def challenge(self) -> str:
        """Never sent."""
        return CHALLENGE

    def judge(self, environ: Mapping[str, object]) -> Credential:
        """Ask for nothing."""
        del environ
        return Credential.VALID


def _refuse_unsendable(position: int, secret: bytes) -> None:
    """HTTP strips blanks around a value and carries no control characters; an empty secret lets everybody in."""
    if not secret:
        raise AuthenticationError(f"secret number {position} is empty")
    if secret != secret.strip(b" \t") or _UNSENDABLE.search(secret):
        raise AuthenticationError(
            f"secret number {position} starts or ends with a blank or holds a control character: no header can carry it"
        )
