"""OAuth 2.0: Okta shows an access token with every call, and the token must be one of the configured issuer's.

Owns the order of the checks and the memory of what has passed them. Not the cryptography (`web.jwt_tokens`) nor the
keys (`web.signing_keys`). One object for all worker threads. Source: Okta's "Secure your inline and event hooks".
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from usher.web.auth import AuthenticationError, Credential
from usher.web.key_fetch import fetch
from usher.web.signing_keys import Absent, Pace, SigningKey, SigningKeys

CHALLENGE: Final = 'Bearer realm="usher"'
LIMIT_BYTES: Final = 8192
"""Of the header's value; Okta's tokens have some 1 KiB."""
REMEMBERED: Final = 256
"""Tokens that need no second look: Okta uses one for an hour."""
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must be: one issuer, one audience, one of the clients, all of the scopes."""

    issuer: str
    audience: str
    client_ids: frozenset[str]
    scopes: frozenset[str]
    algorithms: tuple[str, ...]
    leeway_seconds: float


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the issuer's keys are, and how and how often they are fetched."""

    url: str
    timeout_seconds: float
    pace: Pace


@dataclass(frozen=True, slots=True)
class Named:
    """What a token says it was signed with."""

    key_id: str
    algorithm: str


class Tokens(Protocol):
    """Reads tokens; may raise whatever a hostile one brings about."""

    def named(self, token: str) -> Named | Credential:
        """Return what it says it was signed with, or why it cannot be told."""
        ...

    def verified(self, token: str, key: SigningKey, algorithm: str) -> float | Credential:
        """Return until when it is valid, in Unix seconds, or why it is not."""
        ...


class Keys(Protocol):
    """The issuer's keys."""

    def current(self) -> Mapping[str, SigningKey]:
        """Return those that are believed, by id; never waits."""
        ...

    def find(self, key_id: str) -> SigningKey | Literal[Absent.UNKNOWN, Absent.UNKNOWABLE]:
        """Return one; may wait a second for one that is not there."""
        ...


class TokenAuthentication:
    """A `Bearer` token in the header `Authorization`."""

    header: Final = "Authorization"

    def __init__(self, tokens: Tokens, keys: Keys, *, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._keys = keys
        self._clock = clock
        self._passed = _Passed()

    @property
    def challenge(self) -> str:
        """RFC 6750 without an error code: it is only sent to who showed no credential."""
        return CHALLENGE

    def judge(self, environ: Mapping[str, object]) -> Credential:
        """Judge the token; two headers of this name arrive joined by a comma and are malformed."""
        value = environ.get("HTTP_AUTHORIZATION")
        if not value or not isinstance(value, str):
            return Credential.MISSING
        if len(value) > LIMIT_BYTES:
            return Credential.TOO_LONG
        found = _BEARER.fullmatch(value)
        if found is None:
            return Credential.MALFORMED
        try:
            return self._judged(found[1])
        except Exception:  # noqa: BLE001 - APPSEC: whatever a token makes a library do, it is not let in
            return Credential.MALFORMED

    def _judged(self, token: str) -> Credential:
        # APPSEC: who reads this process' memory finds no token in it that could be shown elsewhere.
        digest = hashlib.sha256(token.encode("ascii")).digest()
        if self._passed.still(digest, self._keys.current(), self._clock()):
            return Credential.VALID
        named = self._tokens.named(token)
        if isinstance(named, Credential):
            return named
        key = self._keys.find(named.key_id)
        if isinstance(key, Absent):
            return Credential.UNKNOWN_KEY if key is Absent.UNKNOWN else Credential.NO_KEYS
        until = self._tokens.verified(token, key, named.algorithm)
        if isinstance(until, Credential):
            return until
        self._passed.add(digest, key, until)
        return Credential.VALID

    def __repr__(self) -> str:
        return f"<TokenAuthentication, {len(self._passed)} tokens remembered>"


class _Passed:
    """Digests of tokens that have passed, each with its key and its end; the oldest goes first."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[SigningKey, float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def still(self, digest: bytes, keys: Mapping[str, SigningKey], now: float) -> bool:
        """Say whether a token has passed, has time left, and the issuer still has the very key it was signed with."""
        key, until = self._known.get(digest, (None, 0.0))
        return key is not None and now < until and keys.get(key.key_id) is key

    def add(self, digest: bytes, key: SigningKey, until: float) -> None:
        """Remember one."""
        with self._lock:
            self._known.pop(digest, None)
            self._known[digest] = (key, until)
            while len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]


def token_authentication(rules: TokenRules, source: KeySource) -> tuple[TokenAuthentication, SigningKeys]:
    """Return what judges tokens, and its keys, not fetched yet. Raises `AuthenticationError` without PyJWT."""
    try:
        # Only here: who authenticates by header needs neither PyJWT nor cryptography.
        from usher.web.jwt_tokens import JwtTokens, keys_in  # noqa: PLC0415
    except ImportError:
        raise AuthenticationError(
            "auth.mode = \"oauth2\" needs PyJWT and cryptography: pip install 'okta-usher[oauth]'"
        ) from None

    def fetched() -> Mapping[str, SigningKey]:
        return keys_in(fetch(source.url, timeout_seconds=source.timeout_seconds), rules.algorithms)

    keys = SigningKeys(fetched, source.pace)
    return TokenAuthentication(JwtTokens(rules), keys), keys
