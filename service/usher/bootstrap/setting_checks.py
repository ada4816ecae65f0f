"""What settings say about attributes, in CEL and of the machine, held against what these can do: no room knows both.

Owns these checks and their codes. Main thread.
"""

from collections.abc import Iterator
from typing import Final

from usher.cel import CompileError
from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.engine import Profiles
from usher.engine.subject import subject_of
from usher.settings import LoadedSettings, SettingsError

WINDOWS_CONNECTIONS: Final = 500
"""Python's `select` serves 512 sockets there; listening sockets, a newcomer and the wake-up take some of them."""


def check_platform(loaded: LoadedSettings, platform: str) -> None:
    """Refuse what this platform (`sys.platform`) could not do; raises `SettingsError`."""
    limit = loaded.settings.server.connection_limit
    if platform == "win32" and limit > WINDOWS_CONNECTIONS:
        path = "server.connection_limit"
        message = f"{path}: {limit} connections are too many for Windows: set at most {WINDOWS_CONNECTIONS}"
        raise SettingsError((Problem(_place(loaded.origins[path]), "too-many-connections", message),))


def check_attributes(loaded: LoadedSettings, profiles: Profiles) -> None:
    """Refuse what Okta could not take or nobody could have; raises `SettingsError` with every problem."""
    found = (*_quarantine(loaded, profiles), *_namespaces(loaded, profiles), *_directory(loaded, profiles))
    problems = sorted([*found, *_subject(loaded)])
    if problems:
        raise SettingsError(tuple(problems))


def _quarantine(loaded: LoadedSettings, profiles: Profiles) -> Iterator[Problem]:
    for attribute, text in loaded.settings.hold.quarantine.items():
        path = f"hold.quarantine.{attribute}"
        place = _place(loaded.origins[path])
        if attribute not in profiles.declared("user"):
            yield Problem(place, "unknown-attribute", f"{path}: {_undeclared(attribute, profiles)}")
        elif not profiles.accepts(f"user.{attribute}", text, {}):
            # Okta would refuse the whole answer, and the row would end as Okta proposed.
            yield Problem(place, "bad-value", f"{path}: the profile schema of user.{attribute} refuses this text")


def _namespaces(loaded: LoadedSettings, profiles: Profiles) -> Iterator[Problem]:
    for name, namespace in loaded.settings.ledger.namespaces.items():
        path = f"ledger.namespaces.{name}.directory"
        for attribute in namespace.directory if loaded.origins[path] != "default" else ():
            if attribute not in profiles.declared("user"):
                message = f"{path}: {_undeclared(attribute, profiles)}"
                yield Problem(_place(loaded.origins[path]), "unknown-attribute", message)


def _directory(loaded: LoadedSettings, profiles: Profiles) -> Iterator[Problem]:
    directory = loaded.settings.directory
    named = {"directory.indexed": directory.indexed, "directory.subject_attribute": (directory.subject_attribute,)}
    for path, attributes in named.items():
        for attribute in attributes if loaded.origins[path] != "default" else ():
            if attribute and attribute not in profiles.declared("user"):
                message = f"{path}: {_undeclared(attribute, profiles)}"
                yield Problem(_place(loaded.origins[path]), "unknown-attribute", message)


def _subject(loaded: LoadedSettings) -> Iterator[Problem]:
    try:
        subject_of(loaded.settings.ledger.subject)
    except CompileError as error:
        place = _place(loaded.origins["ledger.subject"])
        yield from (Problem(place, found.code, f"ledger.subject: {found.message}") for found in error.problems)


def _undeclared(attribute: str, profiles: Profiles) -> str:
    return f"no profile schema declares user.{attribute}{did_you_mean(attribute, profiles.declared('user'))}"


def _place(origin: str) -> Place:
    """Return the place an origin names: `usher.toml:7`."""
    file, _, line = origin.rpartition(":")
    return Place(file, int(line), 1) if file and line.isdigit() else Place(origin)
