"""Calls as Okta makes them: straight to one address, TLS checked, no redirect followed, bounded in time whatever comes.

Owns connections and their patience. Each exchange runs on a thread of its own that is left behind when it takes too
long: neither a look-up of a name nor a server that sends one byte a second can be ended otherwise.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Generic, Self, TypeVar
from urllib.parse import urlsplit

from usher.cli.okta_address import HOOK_ADDRESS, is_plain
from usher.errors import UsherError
from usher.web.hook import HOOK_PATH

CALL_SECONDS: Final = 4.0
"""For one exchange; Okta gives up after 3."""
HOOK_SECONDS: Final = 20.0
"""For all that is asked of the hook. With what follows and the loading of settings it stays below 30."""
OPERATIONS_SECONDS: Final = 8.0
_AFTERWARDS_SECONDS: Final = 1.0
"""How long a thread that was left behind keeps its socket."""
_READ_BYTES: Final = 1 << 20
_ANY_PORT: Final = 9

T = TypeVar("T")
"""What an exchange returns."""


class AddressError(UsherError):
    """The address is none that Okta could call."""


class CallError(UsherError):
    """No answer came; the text says what came instead."""


class UntrustedError(CallError):
    """The server showed no certificate that a client would trust; `code` is OpenSSL's."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Target:
    """Where Okta calls."""

    host: str
    port: int
    is_tls: bool

    @classmethod
    def from_url(cls, url: str) -> "Target":
        """Read an address; raises `AddressError`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressError(f"--url: this is no address: write https://host{HOOK_PATH}") from None
        if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc or not url.isascii():
            raise AddressError(f"--url: write https://host{HOOK_PATH}, in ASCII and without a user name")
        if parts.path != HOOK_PATH or parts.query or parts.fragment:
            raise AddressError(f"--url: the address must end in {HOOK_PATH}, with nothing behind it")
        if not is_plain(url, HOOK_ADDRESS):
            raise AddressError(f"--url: this is no address: write https://host{HOOK_PATH}")
        is_tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if is_tls else 80), is_tls)

    @property
    def is_here(self) -> bool:
        """Whether calls do not leave this machine; of a name only `localhost` is known to."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback or _is_own(self.host)
        except ValueError:
            return False

    @property
    def guards_secrets(self) -> bool:
        """Whether a secret may be sent there."""
        return self.is_tls or self.is_here

    @property
    def authority(self) -> str:
        """Return what stands in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; header names in lower case. `at` is this machine's time when its head was complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    at: float
    is_kept: bool

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the caller elsewhere."""
        return self.status // 100 == 3  # noqa: PLR2004 - the class of redirects


class Caller:
    """Opens connections to one target; `trust` says whose certificates count."""

    def __init__(
        self,
        target: Target,
        trust: ssl.SSLContext,
        *,
        total_seconds: float = HOOK_SECONDS,
        call_seconds: float = CALL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self._call_seconds = call_seconds
        self._trust = trust
        self._clock = clock
        self._total_seconds = total_seconds
        self._ends = clock() + total_seconds

    def addresses(self) -> tuple[str, ...]:
        """Return what the name stands for; raises `CallError`."""
        try:
            found = self.within(lambda: socket.getaddrinfo(self.target.host, self.target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            raise CallError("this name does not resolve") from None
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))

    def open(self) -> "Line":
        """Connect, with TLS where the address says so; raises `CallError`, of a certificate `UntrustedError`."""
        try:
            return self.within(self._opened)
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError(error.verify_code, error.verify_message) from None
        except ssl.SSLError as error:
            raise CallError(f"no TLS could be agreed upon ({error.reason or 'it broke off'})") from None
        except (OSError, UnicodeError) as error:
            raise CallError(f"cannot connect to {self.target.authority} ({_reason(error)})") from None

    def _opened(self) -> "Line":
        plain = socket.create_connection(
            (self.target.host, self.target.port), timeout=self._call_seconds + _AFTERWARDS_SECONDS
        )
        try:
            # Head and body leave in two writes; the second must not wait for the first to be acknowledged.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self.target.is_tls:
                return Line(self, plain)
            return Line(self, self._trust.wrap_socket(plain, server_hostname=self.target.host))
        except BaseException:
            plain.close()
            raise

    def once(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Make one call on a connection of its own, connecting included in its time; raises `CallError`."""
        started = self._clock()
        with self.open() as line:
            answer = line.call(method, path, body, headers)
        return Answer(
            answer.status, answer.headers, answer.body, self._clock() - started, answer.at, is_kept=answer.is_kept
        )

    def within(self, work: Callable[[], T]) -> T:
        """Run it on a thread of its own for as long as there is time; raises `CallError` and what it raises."""
        left = min(self._call_seconds, self._ends - self._clock())
        if left <= 0:
            raise CallError(f"no time is left: all checks together have {self._total_seconds:g} s")
        task = _Task(work)
        thread = threading.Thread(target=task.run, daemon=True)
        thread.start()
        thread.join(left)
        if thread.is_alive():
            raise CallError(f"nothing complete came within {left:.1f} s")
        return task.outcome()


@dataclass(slots=True)
class _Task(Generic[T]):
    """What a thread does, and what came of it."""

    work: Callable[[], T]
    results: list[T] = field(default_factory=list)
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.results.append(self.work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.error = error

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.results[0]


class Line:
    """One connection, for one call after the other."""

    def __init__(self, caller: Caller, stream: socket.socket) -> None:
        self.stream = stream
        self._caller = caller
        self._connection = http.client.HTTPConnection(caller.target.host, caller.target.port)
        self._connection.sock = stream
        # APPSEC: http.client would otherwise connect anew by itself, without TLS, and send the secret there.
        self._connection.auto_open = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.stream.close()

    def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request and read its answer; raises `CallError`."""
        try:
            return self._caller.within(lambda: self._exchange(method, path, body, headers or {}))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CallError(f"the answer broke off ({_reason(error)})") from None

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        started = time.monotonic()
        self._connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        everywhere = {"Host": self._caller.target.authority, "Accept": "application/json", "User-Agent": "usher-doctor"}
        for name, value in {**everywhere, **headers, "Content-Length": str(len(body))}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        # Who refuses by the length alone may answer, or hang up, before the body is through: the answer counts.
        with suppress(OSError):
            self._connection.send(body)
        response = self._connection.getresponse()
        at = time.time()
        read = response.read(_READ_BYTES)
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, read, time.monotonic() - started, at, is_kept=not response.will_close)


def _is_own(address: str) -> bool:
    """Say whether an IP address is one of this machine's: it then calls that address from that address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # Connecting with UDP looks up the way and sends nothing.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _ANY_PORT))
            return str(probe.getsockname()[0]) == str(ip_address(address))
    except OSError:
        return False


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
