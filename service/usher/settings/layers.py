"""The sources of settings, each as a layer of checked values with its origins and its problems.

Owns which source may say what: the file, the variables `USHER_<SECTION>_<KEY>`, the command line. Layers do not know
each other; `loading` puts them on top of one another. Pure functions.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.settings.layer import COMMAND_LINE, DEFAULT, Layer
from usher.settings.options import PREFIX, meant, named, options, sections
from usher.settings.tables import file_only, take_table
from usher.settings.toml_file import TomlFile
from usher.settings.values import from_text


def from_defaults(folder: Path) -> Layer:
    """Return every default, with relative paths below `folder`."""
    layer = Layer()
    for option in options():
        if option.is_table:
            take_table(layer, option, {}, folder, lambda *_: Place(DEFAULT))
        else:
            layer.take(option, option.default, folder, Place(DEFAULT))
    return layer


def from_file(file: TomlFile, folder: Path) -> Layer:
    """Return what the file says; problems come in the order of its lines."""
    layer = Layer()
    for section, table in file.tables.items():
        if section not in sections():
            layer.problems.append(_unknown_section(file, section, table))
        elif not isinstance(table, dict):
            layer.refuse(file.place(section), "bad-value", f"{section} must be a section: [{section}]")
        else:
            _take_table(layer, file, section, table, folder)
    layer.problems.sort()
    return layer


def from_variables(environ: Mapping[str, str], folder: Path) -> Layer:
    """Return what the variables of known settings say."""
    layer = Layer()
    for option in options():
        if option.variable in environ and not option.is_table:
            value = from_text(option, environ[option.variable])
            layer.take(option, value, folder, Place(option.variable))
    layer.problems.sort()
    return layer


def unknown_variables(environ: Mapping[str, str], secrets: Iterable[str]) -> Iterator[Problem]:
    """Yield the variables of known sections that name no setting; `secrets` are those declared to hold one."""
    known = {option.variable for option in options() if not option.is_table} | set(secrets)
    for variable in sorted(environ):
        section = next((name for name in sections() if variable.startswith(f"{PREFIX}{name.upper()}_")), None)
        if section and variable not in known:
            key = variable.removeprefix(f"{PREFIX}{section.upper()}_").lower()
            message = file_only(f"{section}.{key}", "_") or f"{section}.{key} is not a setting{meant(section, key)}"
            yield Problem(Place(variable), "unknown-variable", message)


def from_overrides(overrides: Mapping[str, object], folder: Path) -> Layer:
    """Return what the command line says; None means that an option was not given."""
    layer = Layer()
    for path, value in overrides.items():
        option = named(path)
        if value is None:
            continue
        if option is None or option.is_table:
            section, _, key = path.partition(".")
            message = file_only(path, ".") or f"{path} is not a setting{meant(section, key)}"
            layer.refuse(Place(COMMAND_LINE), "unknown-setting", message)
        else:
            given = from_text(option, value) if isinstance(value, str) else value
            layer.take(option, given, folder, Place(COMMAND_LINE))
    return layer


def _take_table(layer: Layer, file: TomlFile, section: str, table: Mapping[str, object], folder: Path) -> None:
    for key, value in table.items():
        option = named(f"{section}.{key}")
        if option is None:
            message = f"{section}.{key} is not a setting{meant(section, key)}"
            layer.refuse(file.place(section, key), "unknown-setting", message)
        elif option.is_table:
            take_table(layer, option, value, folder, file.place)
        else:
            layer.take(option, value, folder, file.place(section, key))


def _unknown_section(file: TomlFile, name: str, value: object) -> Problem:
    if isinstance(value, dict):
        return Problem(
            file.place(name), "unknown-section", f"[{name}] is not a section{did_you_mean(name, sections())}"
        )
    message = f"{name} stands in no section{meant('', name)}"
    return Problem(file.place(name), "unknown-setting", message)
