"""The sources of settings, each as a layer of checked values with its origins and its problems.

Owns which source may say what: the file, the variables `USHER_<SECTION>_<KEY>`, the command line. Layers do not know
each other; `loading` puts them on top of one another. Pure functions.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.settings.options import PREFIX, Option, meant, named, options, sections
from usher.settings.toml_file import TomlFile
from usher.settings.values import RefusedValueError, accept, from_text

COMMAND_LINE = "command line"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says, by path; filled while it is read and not changed after."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def take(self, option: Option, value: object, folder: Path, place: Place) -> None:
        """Check one value and keep it, or note why not."""
        try:
            self.values[option.path] = accept(option, value, folder)
        except RefusedValueError as refusal:
            self.problems.append(Problem(place, "bad-value", f"{option.path} {refusal}"))
            return
        self.origins[option.path] = f"{place.file}:{place.line}" if place.line else place.file


def from_defaults(folder: Path) -> Layer:
    """Return every default, with relative paths below `folder`."""
    layer = Layer()
    for option in options():
        layer.take(option, option.default, folder, Place(DEFAULT))
    return layer


def from_file(file: TomlFile, folder: Path) -> Layer:
    """Return what the file says; problems come in the order of its lines."""
    layer = Layer()
    for section, table in file.tables.items():
        if section not in sections():
            layer.problems.append(_unknown_section(file, section, table))
        elif not isinstance(table, dict):
            place = file.place(section)
            layer.problems.append(Problem(place, "bad-value", f"{section} must be a section: [{section}]"))
        else:
            _take_table(layer, file, section, table, folder)
    layer.problems.sort()
    return layer


def from_variables(environ: Mapping[str, str], folder: Path) -> Layer:
    """Return what the variables of known settings say."""
    layer = Layer()
    for option in options():
        if option.variable in environ:
            value = from_text(option, environ[option.variable])
            layer.take(option, value, folder, Place(option.variable))
    layer.problems.sort()
    return layer


def unknown_variables(environ: Mapping[str, str], secrets: Iterable[str]) -> Iterator[Problem]:
    """Yield the variables of known sections that name no setting; `secrets` are those declared to hold one."""
    known = {option.variable for option in options()} | set(secrets)
    for variable in sorted(environ):
        section = next((name for name in sections() if variable.startswith(f"{PREFIX}{name.upper()}_")), None)
        if section and variable not in known:
            key = variable.removeprefix(f"{PREFIX}{section.upper()}_").lower()
            message = f"{section}.{key} is not a setting{meant(section, key)}"
            yield Problem(Place(variable), "unknown-variable", message)


def from_overrides(overrides: Mapping[str, object], folder: Path) -> Layer:
    """Return what the command line says; None means that an option was not given."""
    layer = Layer()
    for path, value in overrides.items():
        option = named(path)
        if value is None:
            continue
        if option is None:
            section, _, key = path.partition(".")
            message = f"{path} is not a setting{meant(section, key)}"
            layer.problems.append(Problem(Place(COMMAND_LINE), "unknown-setting", message))
        else:
            given = from_text(option, value) if isinstance(value, str) else value
            layer.take(option, given, folder, Place(COMMAND_LINE))
    return layer


def _take_table(layer: Layer, file: TomlFile, section: str, table: Mapping[str, object], folder: Path) -> None:
    for key, value in table.items():
        option = named(f"{section}.{key}")
        if option is not None:
            layer.take(option, value, folder, file.place(section, key))
        else:
            message = f"{section}.{key} is not a setting{meant(section, key)}"
            layer.problems.append(Problem(file.place(section, key), "unknown-setting", message))


def _unknown_section(file: TomlFile, name: str, value: object) -> Problem:
    if isinstance(value, dict):
        return Problem(
            file.place(name), "unknown-section", f"[{name}] is not a section{did_you_mean(name, sections())}"
        )
    message = f"{name} stands in no section{meant('', name)}"
    return Problem(file.place(name), "unknown-setting", message)
