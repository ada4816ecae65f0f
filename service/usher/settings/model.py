"""The settings as frozen values: one class per section of `usher.toml`, defaults included.

Owns names, units, defaults, ranges and reasons, those of larger sections in modules beside this one;
docs/operations.md repeats them and a test keeps the two in step. A setting that nothing uses does not belong here.
"""

from dataclasses import dataclass, field
from pathlib import Path

from usher.settings.about import about
from usher.settings.authenticating import AuthSettings
from usher.settings.deciding import HoldSettings
from usher.settings.expressions import CelSettings
from usher.settings.recording import DecisionSettings
from usher.settings.reloading import PolicySettings
from usher.settings.server import ServerSettings
from usher.settings.storing import DirectorySettings, LedgerSettings
from usher.settings.telling import LoggingSettings


@dataclass(frozen=True, slots=True)
class SchemaSettings:
    """Where the JSON Schemas are; None means those shipped with Usher."""

    folder: Path | None = field(
        default=None, metadata=about("folder", "`shipped` uses the schemas that came with Usher.")
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
