"""The settings as frozen values: one class per section of `usher.toml`, defaults included.

Owns names, units, defaults, ranges and reasons; docs/operations.md repeats them and a test keeps the two in step.
A setting that nothing uses does not belong here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from usher.settings.about import about
from usher.settings.deciding import HoldSettings
from usher.settings.expressions import CelSettings
from usher.settings.reloading import PolicySettings
from usher.settings.storing import DirectorySettings, LedgerSettings

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_LAST_PORT: Final = 65535
# Okta waits 3 s in all, its own token fetch and the network included (Okta's inline hook reference).
_OKTA_WAITS_SECONDS: Final = 3.0
# Of what RFC 9110 allows, these survive the way through proxies and WSGI: most drop a name with an underscore.
_HEADER_NAME: Final = "[A-Za-z0-9-]+"

Undecided = Literal["error", "default"]
Mode = Literal["header"]
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]


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


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How Okta proves that it is Okta. Names of secrets only; `read_secrets` reads them."""

    mode: Mode = field(
        default="header",
        metadata=about("choice", "The header with a shared secret is what Okta's console offers first."),
    )
    header: str = field(
        default="Authorization",
        metadata=about(
            "header name", "Okta's own suggestion; logs and proxies know not to print it.", pattern=_HEADER_NAME
        ),
    )
    secret_files: tuple[Path, ...] = field(
        default=(),
        metadata=about(
            "files",
            "Each holds one secret, blanks around it ignored; several are valid at once, for rotation.",
        ),
    )
    secret_variables: tuple[str, ...] = field(
        default=("USHER_SECRET",),
        metadata=about(
            "names of environment variables",
            "Each that is set holds one secret; several are valid at once, for rotation.",
            pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        ),
    )


@dataclass(frozen=True, slots=True)
class SchemaSettings:
    """Where the JSON Schemas are; None means those shipped with Usher."""

    folder: Path | None = field(
        default=None, metadata=about("folder", "`shipped` uses the schemas that came with Usher.")
    )


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """The decision log."""

    file: Path = field(
        default=Path("decisions.jsonl"),
        metadata=about(
            "file",
            "The stem: each process writes a file of its own, with its start and process id before the extension.",
        ),
    )
    redaction: bool = field(
        default=True,
        metadata=about("true or false", "A log of people is readable by nobody; `false` writes their values in clear."),
    )


@dataclass(frozen=True, slots=True)
class StateSettings:
    """What the service keeps for itself."""

    folder: Path = field(
        default=Path("state"),
        metadata=about(
            "folder",
            "Holds the redaction key and the last good policies; created on first use, kept between starts, backed up "
            "with care.",
        ),
    )


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """The service log on standard error."""

    level: Level = field(
        default="info",
        metadata=about("choice", "Starts, stops, warnings and failures; single requests stand in the decision log."),
    )
    format: Format = field(
        default="console",
        metadata=about("choice", "`console` is for a person at a terminal, `json` for a collector of logs."),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is in force, by section."""

    server: ServerSettings = field(default_factory=ServerSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    policies: PolicySettings = field(default_factory=PolicySettings)
    schemas: SchemaSettings = field(default_factory=SchemaSettings)
    hold: HoldSettings = field(default_factory=HoldSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    directory: DirectorySettings = field(default_factory=DirectorySettings)
    cel: CelSettings = field(default_factory=CelSettings)
    decisions: DecisionSettings = field(default_factory=DecisionSettings)
    state: StateSettings = field(default_factory=StateSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
