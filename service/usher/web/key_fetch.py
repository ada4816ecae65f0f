"""One look at the address where an issuer publishes its keys (a JWK set, RFC 7517).

Owns the bounds of that look: whatever the other side does, it ends in time, stays small and goes nowhere else. Each
runs on a thread of its own, since a name look-up cannot be interrupted; who asked goes on when the time is over.
"""

import base64
import http.client
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from usher.web.signing_keys import KeysError

LIMIT_BYTES: Final = 256 * 1024
"""Some hundred keys; Okta publishes two or three."""
_OK: Final = 200
_HTTPS_PORT: Final = 443
_PROXY_PORT: Final = 80


MAX_AT_WORK: Final = 4
"""Threads of looks that are over and do not end; where so many hang, the next look would hang as well."""
_THREAD_NAME: Final = "usher-signing-keys-fetch"


def fetch(url: str, *, timeout_seconds: float) -> bytes:
    """Return the body; raises `KeysError`. The time is for all of it: name, proxy, TLS, headers and body."""
    # APPSEC: strangers decide how often keys are asked for, a resolver that hangs how long that takes.
    if sum(thread.name == _THREAD_NAME for thread in threading.enumerate()) >= MAX_AT_WORK:
        raise KeysError("timeout")
    attempt = _Attempt(urlsplit(url), timeout_seconds)
    threading.Thread(target=attempt.run, name=_THREAD_NAME, daemon=True).start()
    return attempt.outcome()


class _Attempt:
    """One request.

    When it is overdue its socket is shut, which ends its thread. One that still looks a name up, or comes to terms with
    a proxy or with TLS, ends when the other side does, or is silent for the whole time-out.
    """

    def __init__(self, url: SplitResult, timeout_seconds: float) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._done = threading.Event()
        self._is_overdue = False
        self._socket: socket.socket | None = None
        self._body = b""
        self._failure = ""

    def run(self) -> None:
        """Make the request; never raises."""
        try:
            self._body = self._read()
        except KeysError as error:
            self._failure = error.reason
        except socket.gaierror:
            self._failure = "unknown-host"
        except ssl.SSLError:
            self._failure = "tls"
        except TimeoutError:
            self._failure = "timeout"
        except (OSError, http.client.HTTPException):
            self._failure = "unreachable"
        except Exception:  # noqa: BLE001 - a socket that is shut meanwhile fails in many ways
            self._failure = "unreachable"
        self._done.set()

    def outcome(self) -> bytes:
        """Wait for the body, in time."""
        if not self._done.wait(self._timeout_seconds):
            self._is_overdue = True
            if self._socket is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            raise KeysError("timeout")
        if self._failure:
            raise KeysError(self._failure)
        return self._body

    def _read(self) -> bytes:
        connection = _connection(self._url, self._timeout_seconds)
        try:
            connection.connect()
            # http.client forgets its socket as soon as the other side says that it will close.
            self._socket = connection.sock
            if self._is_overdue:
                return b""
            path = self._url.path or "/"
            target = f"{path}?{self._url.query}" if self._url.query else path
            connection.request("GET", target, headers={"Accept": "application/json", "User-Agent": "okta-usher"})
            response = connection.getresponse()
            # APPSEC: redirects included: the keys come from where the settings say, or not at all.
            if response.status != _OK:
                raise KeysError(f"status-{response.status}")
            body = response.read(LIMIT_BYTES + 1)
            if len(body) > LIMIT_BYTES:
                raise KeysError("too-large")
            return body
        finally:
            connection.close()


def _connection(url: SplitResult, timeout_seconds: float) -> http.client.HTTPConnection:
    host, port = url.hostname or "", url.port
    if url.scheme == "http":  # this machine's own: the settings allow no other, and no proxy is asked for it
        return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    context = ssl.create_default_context()
    proxy = _proxy_for(host)
    if proxy is None:
        return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)
    if proxy.scheme != "http" or not proxy.hostname:
        raise KeysError("proxy")
    tunnel = http.client.HTTPSConnection(
        proxy.hostname, proxy.port or _PROXY_PORT, timeout=timeout_seconds, context=context
    )
    tunnel.set_tunnel(host, port or _HTTPS_PORT, headers=_credentials(proxy))
    return tunnel


def _proxy_for(host: str) -> SplitResult | None:
    """Return the proxy that the environment names for HTTPS, unless it excepts this host."""
    proxies = urllib.request.getproxies()
    named = proxies.get("https") or proxies.get("all")
    if not named or urllib.request.proxy_bypass(host):
        return None
    return urlsplit(named if "://" in named else f"http://{named}")


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
