"""Options of listeners in tests: those of the shipped settings on a free port, but for what a test says."""

from typing import Any

from usher.settings import ServerSettings
from usher.web.serving import ListenerOptions


def listener_options(**changes: Any) -> ListenerOptions:
    """Return the hook's options, changed as said."""
    server = ServerSettings()
    usual = {
        "name": "hook",
        "host": server.host,
        "port": 0,
        "threads": server.threads,
        "body_limit_bytes": server.body_limit_bytes,
        "header_limit_bytes": server.header_limit_bytes,
        "connection_limit": server.connection_limit,
        "channel_timeout_seconds": server.channel_timeout_seconds,
        "backlog": server.backlog,
        "drain_seconds": server.drain_seconds,
    }
    return ListenerOptions(**{**usual, **changes})
