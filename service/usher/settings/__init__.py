"""What an admin may set, from `usher.toml`, `USHER_*` variables and the command line, checked whole before any start.

Owns every setting's name, unit, default, range and reason. Builds nothing from them: that is `bootstrap`'s.
All values are frozen.
"""

from usher.settings.authenticating import AuthSettings
from usher.settings.concern import concerns
from usher.settings.deciding import HoldSettings
from usher.settings.errors import SettingsError
from usher.settings.expressions import CelSettings
from usher.settings.loading import LoadedSettings, load
from usher.settings.model import SchemaSettings, Settings, StateSettings
from usher.settings.recording import DecisionSettings
from usher.settings.reloading import PolicySettings
from usher.settings.secrets import read_secrets
from usher.settings.server import ServerSettings
from usher.settings.show import explanations, render
from usher.settings.storing import DirectorySettings, LedgerSettings, NamespaceSettings
from usher.settings.telling import LoggingSettings

__all__ = [
    "AuthSettings",
    "CelSettings",
    "DecisionSettings",
    "DirectorySettings",
    "HoldSettings",
    "LedgerSettings",
    "LoadedSettings",
    "LoggingSettings",
    "NamespaceSettings",
    "PolicySettings",
    "SchemaSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "StateSettings",
    "concerns",
    "explanations",
    "load",
    "read_secrets",
    "render",
]
