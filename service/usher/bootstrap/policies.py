"""Policies and schemas as the settings name them, loaded together.

Owns the choice between an admin's folders and the shipped ones. Main thread.
"""

from dataclasses import dataclass
from pathlib import Path

from usher.bootstrap.schemas import Schemas, load_schemas
from usher.bootstrap.setting_checks import check_attributes
from usher.bootstrap.shipped import shipped_policies, shipped_schemas
from usher.bootstrap.stores import indexed_of, memory_stores, namespaces_of
from usher.cel import Limits
from usher.engine import LoadedPolicies, load_policies
from usher.proof.world import World
from usher.settings import CelSettings, LoadedSettings, Settings


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy folder as loaded, and the schemas it was checked against."""

    folder: Path
    loaded: LoadedPolicies
    schemas: Schemas


def limits_of(settings: CelSettings) -> Limits:
    """Return the bounds of expressions that the settings name."""
    return Limits(
        length_chars=settings.expression_chars,
        depth=settings.depth,
        pattern_chars=settings.pattern_chars,
        pattern_size=settings.pattern_size,
        pattern_work=settings.pattern_work,
        name_chars=settings.name_chars,
        steps=settings.steps,
        produced=settings.produced_units,
    )


def world_of(settings: Settings, schemas: Schemas) -> World:
    """Return what policies are tested in."""
    return World(
        request=schemas.request,
        response=schemas.response,
        tests=schemas.policy_test,
        declared=memory_stores(settings),
        limits=limits_of(settings.cel),
    )


def folder_of(loaded: LoadedSettings, folder: Path | None) -> Path:
    """Return `folder`, else the settings' folder, else that of the shipped policies."""
    return folder or loaded.settings.policies.folder or shipped_policies()


def schemas_of(loaded: LoadedSettings) -> Path:
    """Return the settings' schema folder, else the shipped one."""
    return loaded.settings.schemas.folder or shipped_schemas()


def load_source(loaded: LoadedSettings, folder: Path | None = None) -> PolicySource:
    """Load `folder`, else the settings' folder, else the shipped policies.

    Raises `SchemaFolderError`, and `SettingsError` when the settings speak of attributes that the schemas do not know.
    """
    settings = loaded.settings
    chosen = folder_of(loaded, folder)
    schemas = load_schemas(schemas_of(loaded))
    if schemas.profiles.profiles is not None:
        check_attributes(loaded, schemas.profiles.profiles)
    policies = load_policies(
        chosen,
        shape=schemas.policy,
        profiles=schemas.profiles,
        namespaces=namespaces_of(settings.ledger),
        indexed=indexed_of(settings.directory),
        limits=limits_of(settings.cel),
    )
    return PolicySource(chosen, policies, schemas)
