"""From the sources to the settings in force: file, then variables, then command line, each over the one before.

Owns precedence, which file is read, and what settings must be to one another. Reads files and the mappings it is given,
never the process' own environment. Called at start, on one thread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from typed_settings import load_settings
from typed_settings.loaders import DictLoader

from usher.domain.place import Place, Problem
from usher.settings.authenticating import oauth_faults
from usher.settings.errors import SettingsError
from usher.settings.layer import Layer
from usher.settings.layers import (
    from_defaults,
    from_file,
    from_overrides,
    from_variables,
    unknown_variables,
)
from usher.settings.model import Settings
from usher.settings.options import converter, options
from usher.settings.toml_file import read

FILE_NAME: Final = "usher.toml"
FILE_VARIABLE: Final = "USHER_CONFIG"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force and where each came from.

    `origins` maps `server.port` to `default`, `usher.toml:3`, `USHER_SERVER_PORT` or `command line`; `file` is None
    when none was read; `folder` is what relative paths were put below.
    """

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None
    folder: Path


def load(
    config: Path | None, *, environ: Mapping[str, str], overrides: Mapping[str, object], folder: Path
) -> LoadedSettings:
    """Read all sources; `folder` is the working directory. Raises `SettingsError` with every problem at once."""
    file, name = _settings_file(config, environ, folder)
    base = (file.parent if file else folder).absolute()
    layers = [from_defaults(base), _file_layer(file, name, base), from_variables(environ, base)]
    layers.append(from_overrides(overrides, base))
    layers[-2].problems.extend(unknown_variables(environ, _secret_variables(layers)))
    problems = tuple(problem for layer in layers for problem in layer.problems)
    if problems:
        raise SettingsError(problems)
    origins = {path: origin for layer in layers for path, origin in layer.origins.items()}
    settings = load_settings(Settings, [DictLoader(_nested(layer)) for layer in layers], converter=converter())
    clashes = tuple(_clashes(settings, origins))
    if clashes:
        raise SettingsError(clashes)
    return LoadedSettings(settings, MappingProxyType(origins), file, base)


def _settings_file(config: Path | None, environ: Mapping[str, str], folder: Path) -> tuple[Path | None, str]:
    """Return the file to read and how the admin knows it; one that was asked for must exist, `read` sees to that."""
    asked = config or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    if asked:
        return (folder / asked).absolute(), str(asked)
    usual = folder / FILE_NAME
    # A file that is there but cannot be read must be a fault, not the defaults: only its absence means "none".
    return (usual.absolute(), FILE_NAME) if usual.exists() or usual.is_symlink() else (None, "")


def _file_layer(file: Path | None, name: str, base: Path) -> Layer:
    """Return what the file says; one that cannot be read is a problem among the others."""
    try:
        return from_file(read(file, name), base) if file else Layer()
    except SettingsError as error:
        return Layer(problems=list(error.problems))


def _secret_variables(layers: list[Layer]) -> list[str]:
    """Return the names declared to hold secrets: they may look like a setting's variable."""
    declared = [layer.values["auth.secret_variables"] for layer in layers if "auth.secret_variables" in layer.values]
    names = declared[-1]
    return [str(name) for name in names] if isinstance(names, tuple) else []


def _nested(layer: Layer) -> dict[str, object]:
    nested: dict[str, dict[str, object]] = {}
    for option in options():
        if option.path in layer.values:
            nested.setdefault(option.section, {})[option.key] = layer.values[option.path]
    return dict(nested)


def _clashes(settings: Settings, origins: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is right by itself and wrong together."""
    server = settings.server
    if server.port and server.port == server.operations_port and server.host == server.operations_host:
        place = _place(origins, "server.operations_port", "server.port")
        yield Problem(place, "clash", "server.operations_port must differ from server.port")
    if settings.hold.answer == "quarantine" and not settings.hold.quarantine:
        # A hold that creates the user like any other would be a hold in name only.
        message = 'hold.answer = "quarantine" needs [hold.quarantine]: the attributes that set a held user apart'
        yield Problem(_place(origins, "hold.answer"), "clash", message)
    for key, message in oauth_faults(settings.auth):
        yield Problem(_place(origins, f"auth.{key}", "auth.mode"), "clash", message)


def _place(origins: Mapping[str, str], *paths: str) -> Place:
    """Return where the first of the settings that is not a default was set."""
    origin = next((origins[path] for path in paths if origins[path] != "default"), "default")
    name, _, line = origin.rpartition(":")
    return Place(name, int(line), 1) if name and line.isdigit() else Place(origin)
