"""Policies and schemas as the settings name them, loaded together.

Owns the choice between an admin's folders and the shipped ones. Main thread.
"""

from dataclasses import dataclass
from pathlib import Path

from usher.bootstrap.schemas import Schemas, load_schemas
from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.engine import LoadedPolicies, load_policies
from usher.settings import Settings


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy folder as loaded, and the schemas it was checked against."""

    folder: Path
    loaded: LoadedPolicies
    schemas: Schemas


def load_source(settings: Settings, folder: Path | None = None) -> PolicySource:
    """Load `folder`, else the settings' folder, else the shipped policies; raises `SchemaFolderError`."""
    policies = folder or settings.policies.folder or shipped_policies()
    schemas = load_schemas(settings.schemas.folder or shipped_schemas())
    return PolicySource(policies, load_policies(policies, shape=schemas.policy, profiles=schemas.profiles), schemas)
