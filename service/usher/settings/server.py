"""The settings of the two listeners: where they listen and what they grant a call.

Owns their names, defaults, ranges and reasons, as `model` does for all others. What they mean is `web`'s.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from usher.settings.about import about

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_LAST_PORT: Final = 65535
# Okta waits 3 s in all, its own token fetch and the network included (Okta's inline hook reference).
_OKTA_WAITS_SECONDS: Final = 3.0

Undecided = Literal["error", "default"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the service listens and what it grants a call."""

    host: str = field(
        default="127.0.0.1",
        metadata=about(
            "host name or address",
            "Okta only calls HTTPS, so a proxy on this machine ends TLS and nothing else needs to reach the hook.",
            pattern=r"\S+",
        ),
    )
    port: int = field(
        default=8080,
        metadata=about("TCP port", "The proxy's upstream; 0 takes any free port.", minimum=0, maximum=_LAST_PORT),
    )
    operations_host: str = field(
        default="127.0.0.1",
        metadata=about(
            "host name or address", "Health, status and metrics are for this machine's own tools.", pattern=r"\S+"
        ),
    )
    operations_port: int = field(
        default=8081,
        metadata=about(
            "TCP port",
            "A listener of its own keeps operations unreachable from the hook's; 0 takes any free port.",
            minimum=0,
            maximum=_LAST_PORT,
        ),
    )
    threads: int = field(
        default=4,
        metadata=about(
            "threads",
            "Decisions are computing under one interpreter lock; more threads only wait for it.",
            minimum=1,
            maximum=64,
        ),
    )
    operations_threads: int = field(
        default=2,
        metadata=about(
            "threads", "One answers probes and metrics while the other waits for a reload.", minimum=1, maximum=16
        ),
    )
    body_limit_bytes: int = field(
        default=_MIB,
        metadata=about(
            "bytes",
            "A profile is some kilobytes; waitress' own default is 1 GiB.",
            minimum=_KIB,
            maximum=64 * _MIB,
        ),
    )
    header_limit_bytes: int = field(
        default=16 * _KIB,
        metadata=about(
            "bytes",
            "Okta sends a handful of headers; an OAuth token is the longest, at some 2 KiB.",
            minimum=_KIB,
            maximum=256 * _KIB,
        ),
    )
    connection_limit: int = field(
        default=400,
        metadata=about(
            "connections",
            "Okta opens at most 75 at once; Windows' select ends at 512 sockets, listeners included.",
            minimum=1,
            maximum=10_000,
        ),
    )
    channel_timeout_seconds: int = field(
        default=30,
        metadata=about(
            "seconds",
            "A connection without traffic for this long is closed, so that idle and stuck callers free their place.",
            minimum=1,
            maximum=3600,
        ),
    )
    backlog: int = field(
        default=1024,
        metadata=about(
            "connections", "What the system queues while all places are taken.", minimum=1, maximum=_LAST_PORT
        ),
    )
    deadline_seconds: float = field(
        default=2.0,
        metadata=about(
            "seconds from the arrival of the body",
            "Okta waits 3 s in all and then creates the user; the undecided answer must reach it before.",
            minimum=0.01,
            maximum=_OKTA_WAITS_SECONDS,
        ),
    )
    queue_seconds: float = field(
        default=1.5,
        metadata=about(
            "seconds from the arrival of the body",
            "A call that waited longer for a worker is answered undecided at once: what the queue has left it is too "
            "little for a decision, and those behind it wait less.",
            minimum=0.01,
            maximum=_OKTA_WAITS_SECONDS,
        ),
    )
    switch_interval_seconds: float = field(
        default=0.0005,
        metadata=about(
            "seconds",
            "A worker that wrote to disk or network waits this long to go on; Python's 5 ms cost two thirds of the "
            "throughput at 75 connections.",
            minimum=0.00001,
            maximum=0.1,
        ),
    )
    drain_seconds: float = field(
        default=5.0,
        metadata=about(
            "seconds",
            "At a stop, requests in flight are answered; none takes longer than the deadline.",
            minimum=0,
            maximum=60,
        ),
    )
    replay_seconds: float = field(
        default=600.0,
        metadata=about(
            "seconds",
            "A repeated event gets its first answer again; Okta retries within seconds, an operator within minutes. "
            "0 turns this off.",
            minimum=0,
            maximum=86_400,
        ),
    )
    replay_limit_bytes: int = field(
        default=64 * _MIB,
        metadata=about(
            "bytes",
            "Bounds the memory for answers kept for replay; the oldest go first.",
            minimum=0,
            maximum=4096 * _MIB,
        ),
    )
    undecided: Undecided = field(
        default="error",
        metadata=about(
            "choice",
            "What cannot be decided in time is reported to Okta as an error; `default` lets Okta do as it proposed, "
            "silently.",
        ),
    )
