"""The settings as a list: path, type, default and what is known about each, read once from the model.

Owns the names by which an admin may reach a setting (`server.port`, `USHER_SERVER_PORT`) and what a wrong name may have
meant. Immutable; safe on any thread.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_origin

from typed_settings import SettingsState
from typed_settings.converters import TSConverter

from usher.domain.suggestions import did_you_mean
from usher.settings.about import ABOUT, About
from usher.settings.model import Settings
from usher.settings.storing import NAME

PREFIX: Final = "USHER_"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting; `kind` is its type annotation.

    A table's keys are the admin's own; `entries` are the settings below each, with `<name>` for that key.
    """

    section: str
    key: str
    kind: object
    default: object
    about: About
    entries: tuple["Option", ...] = ()

    @property
    def path(self) -> str:
        """Return `section.key`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Return the environment variable that overrides it."""
        return f"{PREFIX}{self.section}_{self.key}".upper()

    @property
    def is_table(self) -> bool:
        """Say whether it is a table, which the settings file alone can hold."""
        return get_origin(self.kind) is Mapping

    def entry(self, name: str) -> tuple["Option", ...]:
        """Return the settings below one key of a table of tables."""
        return tuple(
            replace(
                option,
                section=option.section.replace(NAME, name),
                default=(name,) if option.default == (NAME,) else option.default,
            )
            for option in self.entries
        )


def converter() -> TSConverter:
    """Return what builds the settings' classes; values reach it checked, and a path is never resolved.

    Resolving would follow symbolic links once and for all; a Kubernetes config map is swapped by changing one.
    """
    return TSConverter(resolve_paths=False, strlist_sep=None)


@functools.cache
def options() -> tuple[Option, ...]:
    """Return every setting in the order of the model."""
    state = SettingsState(Settings, [], [], converter(), Path())
    defaults = Settings()
    found = []
    for info in state.options:
        section, _, key = info.path.partition(".")
        below = info.nested_options.options if info.nested_options else ()
        entries = tuple(
            Option(f"{info.path}.{NAME}", nested.path, nested.cls, nested.default, nested.metadata[ABOUT])
            for nested in below
        )
        default = getattr(getattr(defaults, section), key)
        found.append(Option(section, key, info.cls, default, info.metadata[ABOUT], entries))
    return tuple(found)


def described() -> Iterator[Option]:
    """Yield what there is to explain: every setting, and in place of a table of tables what stands below each key."""
    for option in options():
        yield from option.entries or (option,)


@functools.cache
def sections() -> tuple[str, ...]:
    """Return the names of the sections in the order of the model."""
    return tuple(dict.fromkeys(option.section for option in options()))


def named(path: str) -> Option | None:
    """Return the setting of that path."""
    return next((option for option in options() if option.path == path), None)


def meant(section: str, key: str) -> str:
    """Return `; did you mean …?` for a setting that does not exist, or ''."""
    siblings = [option.key for option in options() if option.section == section]
    namesakes = [option.path for option in options() if option.key == key]
    return did_you_mean(key, siblings) or (f"; did you mean {namesakes[0]}?" if namesakes else "")
