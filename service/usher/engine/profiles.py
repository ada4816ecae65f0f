"""The profile schemas: which attributes exist, what values they take, which of them are public.

Owns the choice of an application's own schema. Immutable after loading; serves all threads.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from usher.domain.place import Place, Problem
from usher.engine.folder import SourceFile
from usher.shapes import BadSchemaError, Shape

_USER_FILE: Final = "okta-user.schema.json"
_APP_USER_FILE: Final = "appuser.schema.json"
_APP_PREFIX: Final = "appuser."
_SUFFIX: Final = ".schema.json"
SOURCE_PREFIX: Final = "schemas/profiles/"
"""Begins the name under which a profile schema counts into the revision."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile schema: a shape per attribute, the attributes that are always there, and those that are no secret."""

    attributes: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    public: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profiles:
    """Okta's user profile, the application profile, and the profiles of single applications by their name or id."""

    user: Profile
    app_user: Profile
    by_application: Mapping[str, Profile]

    def app_user_of(self, application: Mapping[str, object]) -> Profile:
        """Return the profile that speaks for an application: by id, by name, else the general one."""
        if not self.by_application:
            return self.app_user
        by_id = self.by_application.get(str(application.get("id", "")))
        return by_id or self.by_application.get(str(application.get("name", ""))) or self.app_user

    def accepts(self, target: str, value: object, application: Mapping[str, object]) -> bool:
        """Say whether a target (`user.login`) may hold a value: sendable as JSON, and as its schema wants it."""
        root, _, attribute = target.partition(".")
        profile = self.user if root == "user" else self.app_user_of(application)
        shape = profile.attributes.get(attribute)
        return shape is not None and _is_sendable(value) and shape.accepts(value)

    def declared(self, root: str) -> frozenset[str]:
        """Return every attribute that some schema declares for `user` or `appuser`."""
        if root == "user":
            return frozenset(self.user.attributes)
        return frozenset(self.app_user.attributes).union(
            *(profile.attributes for profile in self.by_application.values())
        )

    def always_there(self, root: str) -> frozenset[str]:
        """Return the attributes that every schema for the root requires."""
        if root == "user":
            return self.user.required
        return self.app_user.required.intersection(*(profile.required for profile in self.by_application.values()))


@dataclass(frozen=True, slots=True)
class LoadedProfiles:
    """Profiles when they could be loaded, every problem, and the files for the revision."""

    profiles: Profiles | None
    problems: tuple[Problem, ...]
    sources: tuple[tuple[str, bytes], ...]


def load_profiles(folder: Path) -> LoadedProfiles:
    """Read and compile the profile schemas of a folder."""
    return compiled_profiles(read_profiles(folder))


def read_profiles(folder: Path) -> tuple[SourceFile | Problem, ...]:
    """Read `okta-user.schema.json`, `appuser.schema.json` and `appuser.<name or id>.schema.json` of a folder."""
    try:
        listed = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        # Left out, the schemas of single applications would be a change that nobody made.
        return (_unreadable(folder, error.strerror or type(error).__name__),)
    own = [path for path in listed if path.name.startswith(_APP_PREFIX) and path.name.endswith(_SUFFIX)]
    paths = [folder / _USER_FILE, folder / _APP_USER_FILE, *(path for path in own if path.name != _APP_USER_FILE)]
    return tuple(map(_read, paths))


def compiled_profiles(files: Iterable[SourceFile | Problem]) -> LoadedProfiles:
    """Compile profile schemas as read; the two that every folder has come first."""
    problems: list[Problem] = []
    sources: list[tuple[str, bytes]] = []
    loaded: dict[str, Profile] = {}
    for file in files:
        result = file if isinstance(file, Problem) else _compiled(file)
        if isinstance(file, SourceFile):
            sources.append((file.name, file.content))
        if isinstance(result, Problem):
            problems.append(result)
        elif isinstance(file, SourceFile):
            loaded[file.name.removeprefix(SOURCE_PREFIX)] = result
    if problems:
        return LoadedProfiles(None, tuple(problems), tuple(sources))
    user, app_user = loaded.pop(_USER_FILE), loaded.pop(_APP_USER_FILE)
    own = {name.removeprefix(_APP_PREFIX).removesuffix(_SUFFIX): profile for name, profile in loaded.items()}
    return LoadedProfiles(Profiles(user, app_user, own), (), tuple(sources))


def _read(path: Path) -> SourceFile | Problem:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited on for ever
            return _unreadable(path, "not a regular file")
        return SourceFile(f"{SOURCE_PREFIX}{path.name}", path.as_posix(), path.read_bytes())
    except OSError as error:
        return _unreadable(path, error.strerror or type(error).__name__)


def _unreadable(path: Path, reason: str) -> Problem:
    return Problem(Place(path.as_posix()), "unreadable", f"the profile schema cannot be read: {reason}")


def _compiled(file: SourceFile) -> Profile | Problem:
    shown = file.shown
    try:
        return _profile(json.loads(file.content.decode("utf-8-sig")))
    except json.JSONDecodeError as error:
        return Problem(Place(shown, error.lineno, error.colno), "json-syntax", f"not JSON: {error.msg}")
    except (UnicodeDecodeError, RecursionError):
        return Problem(Place(shown), "json-syntax", "not a JSON text in UTF-8")
    except BadSchemaError as error:
        return Problem(Place(shown), "bad-schema", f"{error} (at {'/'.join(map(str, error.path)) or 'the root'})")


def _profile(schema: object) -> Profile:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict):
        raise BadSchemaError((), "a profile schema is an object with `properties`")
    Shape(schema)
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return Profile(
        attributes={str(name): Shape({**shared, **_as_object(member)}) for name, member in properties.items()},
        required=frozenset(map(str, schema.get("required", ()))),
        public=frozenset(
            str(name) for name, member in properties.items() if _as_object(member).get("x-sensitivity") == "none"
        ),
    )


def _as_object(member: object) -> Mapping[str, object]:
    return member if isinstance(member, dict) else {} if member else {"not": {}}


def _is_sendable(value: object) -> bool:
    """Say whether a CEL value has a form Okta can read: no time, no bytes, no infinite number."""
    if isinstance(value, list):
        return all(map(_is_sendable, value))
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
