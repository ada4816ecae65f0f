"""Settings that are tables, whose keys the admin chooses: the attributes of a quarantine, the ledger's namespaces.

Owns what such a key may be and what stands below it. They stand in the settings file alone: a namespace that compared
differently on one machine, by a variable nobody sees, would give a value out twice. Pure functions.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from usher.domain.place import Place
from usher.domain.suggestions import did_you_mean
from usher.settings.layer import DEFAULT, Layer
from usher.settings.options import Option, options
from usher.settings.storing import IDENTIFIER

_NAME: Final = re.compile(IDENTIFIER)

Places = Callable[..., Place]
"""The place of a key, by its path."""


def take_table(layer: Layer, option: Option, value: object, folder: Path, places: Places) -> None:
    """Check a table whole and keep what is right, note what is not; what is not given has its default."""
    place = places(option.section, option.key)
    if not isinstance(value, dict):
        layer.refuse(place, "bad-value", f"{option.path} must be a section: [{option.path}]")
        return
    layer.note(option.path, place)
    named = {name: entry for name, entry in value.items() if _is_name(layer, option, name, places)}
    take = _take_entries if option.entries else _take_texts
    layer.values[option.path] = take(layer, option, named, folder, places)


def file_only(path: str, separator: str) -> str:
    """Return what to say of a table, or of a part of one, that was set elsewhere; '' when the path is none."""
    tables = (option.path for option in options() if option.is_table)
    found = next((table for table in tables if f"{path}{separator}".startswith(f"{table}{separator}")), None)
    return f"{found} can be set in the settings file only: write [{found}]" if found else ""


def _is_name(layer: Layer, option: Option, name: str, places: Places) -> bool:
    if _NAME.fullmatch(name):
        return True
    message = f"a key of {option.path} is letters, digits and _, not a digit first, 64 characters at most"
    layer.refuse(places(option.section, option.key, name), "bad-name", message)
    return False


def _take_texts(
    layer: Layer, option: Option, table: Mapping[str, object], folder: Path, places: Places
) -> dict[str, object]:
    leaves = {name: Option(option.path, name, str, "", option.about) for name in table}
    for name, leaf in leaves.items():
        layer.take(leaf, table[name], folder, places(option.section, option.key, name))
    return {name: layer.values[leaf.path] for name, leaf in leaves.items() if leaf.path in layer.values}


def _take_entries(
    layer: Layer, option: Option, table: Mapping[str, object], folder: Path, places: Places
) -> dict[str, object]:
    taken: dict[str, object] = {}
    assert isinstance(option.default, Mapping)  # noqa: S101 - a table's default is one
    # What is there by default stays there: setting a second namespace must not take the first away.
    named: dict[str, object] = {**{name: {} for name in option.default}, **table}
    for name, entry in named.items():
        leaves = {leaf.key: leaf for leaf in option.entry(name)}
        if isinstance(entry, dict):
            for key, value in entry.items():
                place = places(option.section, option.key, name, key)
                if key in leaves:
                    layer.take(leaves[key], value, folder, place)
                else:
                    message = f"{option.path}.{name}.{key} is not a setting{did_you_mean(key, leaves)}"
                    layer.refuse(place, "unknown-setting", message)
        else:
            section = f"{option.path}.{name}"
            layer.refuse(places(*section.split(".")), "bad-value", f"{section} must be a section: [{section}]")
        for leaf in leaves.values():
            layer.origins.setdefault(leaf.path, DEFAULT)
        taken[name] = {key: layer.values.get(leaf.path, leaf.default) for key, leaf in leaves.items()}
    return taken
