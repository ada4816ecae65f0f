"""The issuer's public keys: fetched on a thread of their own, kept while the issuer is down, asked for when one is new.

Owns when keys are fetched, who may wait for that and for how long. Not how they are fetched (`web.key_fetch`) nor what
a key is (`web.jwt_tokens`). Workers read the keys from one reference, which is replaced in one assignment; only who
meets a key that is not among them takes the lock.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

import structlog

from usher.errors import UsherError, fault_place

PATIENCE_SECONDS: Final = 1.0
"""How long a fetch is waited for, from when it was asked for: Okta gives up after 3 s in all."""
FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 60.0
WARN_SECONDS: Final = 60.0
"""How often at most it is said that keys cannot be fetched."""
_JOIN_SECONDS: Final = 0.5


class KeysError(UsherError):
    """Keys that could not be fetched. `reason` is one of a few words and holds nothing of the address or the answer."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the issuer's signing keys cannot be fetched: {reason}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One public key; two are the same when their whole JWK is. `by_algorithm` has it ready to verify with."""

    key_id: str
    jwk: str
    by_algorithm: Mapping[str, object] = field(compare=False, repr=False)


class Absent(Enum):
    """Why there is no key."""

    UNKNOWN = "the issuer has no such key"
    UNKNOWABLE = "the issuer could not be asked"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often keys are fetched, and how long they are believed; `stale_seconds` 0 is for ever."""

    refresh_seconds: float
    pause_seconds: float
    stale_seconds: float


@dataclass(frozen=True, slots=True)
class _Held:
    """What the last successful fetch brought, and when by two clocks."""

    keys: Mapping[str, SigningKey]
    at: float
    since: datetime | None


class SigningKeys:
    """The keys in force. A stranger who names keys that do not exist causes one fetch per pause and no more."""

    def __init__(
        self,
        fetch: Callable[[], Mapping[str, SigningKey]],
        pace: Pace,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._pace = pace
        self._clock = clock
        self._held = _Held(_NONE, 0.0, None)
        self._failure = "not-yet"
        self._changed = threading.Condition()
        self._is_closed = self._is_asked = self._is_fetching = False
        self._rounds = 0
        self._due_at = self._pause_until = self._wait_until = clock()
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._told_at = float("-inf")

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Fetch at once and then regularly, for as long as the block runs."""
        thread = threading.Thread(target=self._run, name="usher-signing-keys", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()
            thread.join(_JOIN_SECONDS)

    def current(self) -> Mapping[str, SigningKey]:
        """Return the keys that are believed, by id; none when they are too old."""
        held, limit = self._held, self._pace.stale_seconds
        return _NONE if limit and self._clock() - held.at > limit else held.keys

    def facts(self) -> Mapping[str, object]:
        """Return how many keys there are, since when, and what the last fetch failed for, as JSON values."""
        held = self._held
        since = held.since.isoformat(timespec="seconds").replace("+00:00", "Z") if held.since else None
        return {"keys": len(self.current()), "fetched": since, "failure": self._failure or None}

    def find(self, key_id: str) -> SigningKey | Literal[Absent.UNKNOWN, Absent.UNKNOWABLE]:
        """Return a key; one that is not there is asked for, and waited for while that fetch is young.

        APPSEC: everybody waits for the same fetch and nobody in the pause after it, so that strangers hold workers for
        a second of each pause at most, and the callers of a key that has just come into use are all answered.
        """
        key = self.current().get(key_id)
        return key if key is not None else self._wait_for(key_id)

    def _wait_for(self, key_id: str) -> SigningKey | Literal[Absent.UNKNOWN, Absent.UNKNOWABLE]:
        with self._changed:
            give_up_at = self._clock() + PATIENCE_SECONDS
            while (key := self.current().get(key_id)) is None:
                if self._is_closed:
                    return Absent.UNKNOWABLE
                if not (self._is_asked or self._is_fetching) and not self._ask():
                    return Absent.UNKNOWABLE if self._failure or not self.current() else Absent.UNKNOWN
                rounds, patience = self._rounds, min(give_up_at, self._wait_until) - self._clock()
                if patience <= 0 or not self._changed.wait_for(lambda: self._has_ended(rounds), patience):  # noqa: B023
                    return Absent.UNKNOWABLE
            return key

    def _has_ended(self, rounds: int) -> bool:
        return self._rounds != rounds or self._is_closed

    def _ask(self) -> bool:
        now = self._clock()
        if self._is_closed or now < self._pause_until:
            return False
        self._is_asked = True
        self._wait_until = now + PATIENCE_SECONDS
        self._changed.notify_all()
        return True

    def _run(self) -> None:
        while self._is_my_turn():
            failure, keys = "", None
            try:
                keys = self._fetch()
            except KeysError as error:
                failure = error.reason
            except Exception as error:  # noqa: BLE001 - the keys in force go on, and so do later fetches
                failure = f"{type(error).__name__} at {fault_place(error)}"
            self._finish(failure, keys)

    def _is_my_turn(self) -> bool:
        """Wait until a fetch is due or asked for; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_asked or self._is_closed, max(0.0, self._due_at - self._clock()))
            if not self._is_asked:
                self._wait_until = self._clock() + PATIENCE_SECONDS
            self._is_fetching = not self._is_closed
            return self._is_fetching

    def _finish(self, failure: str, keys: Mapping[str, SigningKey] | None) -> None:
        before, was_failing = self._held.keys, self._failure
        with self._changed:
            now = self._clock()
            if keys is not None:
                self._held = _Held(_unchanged_kept(before, keys), now, datetime.now(UTC))
                self._retry_seconds = FIRST_RETRY_SECONDS
                self._due_at = now + self._pace.refresh_seconds
            else:
                self._due_at = now + min(self._retry_seconds, self._pace.refresh_seconds)
                self._retry_seconds = min(self._retry_seconds * 2, LAST_RETRY_SECONDS)
            if self._is_asked:
                self._pause_until = now + self._pace.pause_seconds
            self._failure = failure
            self._is_asked = self._is_fetching = False
            self._rounds += 1
            self._changed.notify_all()
        if failure:
            self._tell_failure(failure, now)
        elif was_failing or before != self._held.keys:
            self._told_at = float("-inf")
            structlog.get_logger(__name__).info("signing_keys_fetched", keys=len(self._held.keys))

    def _tell_failure(self, reason: str, now: float) -> None:
        if now - self._told_at > WARN_SECONDS:
            self._told_at = now
            structlog.get_logger(__name__).error("signing_keys_failed", reason=reason, keys=len(self.current()))


_NONE: Final[Mapping[str, SigningKey]] = MappingProxyType({})


def _unchanged_kept(before: Mapping[str, SigningKey], keys: Mapping[str, SigningKey]) -> Mapping[str, SigningKey]:
    """Return the new keys, each that was there before as the same object: what was verified with it stays so."""
    return MappingProxyType({name: before[name] if before.get(name) == key else key for name, key in keys.items()})
