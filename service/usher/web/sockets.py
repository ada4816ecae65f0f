"""Listening sockets, and one clear line when there can be none.

Owns the binding of a host and port to every address the host has. Main thread only, before the loop starts.
"""

import errno
import socket
from typing import Any, Final, NamedTuple

from usher.errors import UsherError

_ADVICE: Final = {
    errno.EADDRINUSE: "the port is in use: stop what listens there or set another port",
    errno.EACCES: "not allowed: ports below 1024 need a privilege, set a higher one",
    errno.EADDRNOTAVAIL: "this machine has no such address: set one it has, or 127.0.0.1",
}
# An address family the machine knows by name only, such as ::1 for localhost in a container without IPv6.
_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

_PORTS: Final = range(65_536)


class Address(NamedTuple):
    """Where a listener can be reached: numeric address and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ListenError(UsherError):
    """A listener that cannot listen."""

    def __init__(self, listener: str, host: str, port: int, reason: str) -> None:
        super().__init__(f"{listener} listener: cannot listen on {Address(host, port)}: {reason}")
        self.listener = listener
        self.host = host
        self.port = port
        self.reason = reason


def listening_sockets(listener: str, host: str, port: int, *, backlog: int) -> tuple[socket.socket, ...]:
    """Return a socket for each address of the host, all on one port; port 0 takes a free one. `*` is every address."""
    if port not in _PORTS:
        raise ListenError(listener, host, port, f"a port is a number from 0 to {_PORTS[-1]}")
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in _addresses(listener, host, port):
            try:
                # Port 0: the further addresses take the port that the first one got.
                wanted = sockets[0].getsockname()[1] if sockets else port
                sockets.append(_listening(family, (address[0], wanted, *address[2:]), backlog))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
        if absent is not None and not sockets:
            raise absent
    except OSError as error:
        for opened in sockets:
            opened.close()
        reason = _ADVICE.get(error.errno or 0) or error.strerror or "the system refuses"
        raise ListenError(listener, host, port, reason) from error
    return tuple(sockets)


def require_free(listener: str, host: str, port: int) -> None:
    """Raise `ListenError` where nobody could listen now; what is found free is let go again."""
    for opened in listening_sockets(listener, host, port, backlog=1):
        opened.close()


def _addresses(listener: str, host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(
            None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ListenError(listener, host, port, "there is no such host: check it for typing errors") from error
    # Some systems return an address twice, which cannot be bound twice.
    return list(dict.fromkeys((family, tuple(address)) for family, _, _, _, address in found))


def _listening(family: int, address: tuple[Any, ...], backlog: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        # APPSEC: on Windows SO_REUSEADDR lets another program take over the port, so there it is claimed exclusively.
        exclusive: int | None = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if exclusive is None else exclusive, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        # Here and not in waitress: some systems report a port in use only now.
        opened.listen(backlog)
    except OSError:
        opened.close()
        raise
    return opened
