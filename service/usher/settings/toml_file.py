"""A settings file as data, with the place of every key in it.

Owns reading and locating; knows no setting. tomllib gives no places, so each statement is parsed on its own, which
finds them whatever the quoting. Pure functions apart from one read.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usher.domain.place import Place, Problem
from usher.settings.errors import SettingsError

_LIMIT_BYTES: Final = 256 * 1024
# A statement longer than this is not looked into: each of its lines costs a parse of all before it.
_STATEMENT_LINES: Final = 300
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The file's tables and where each key stands."""

    name: str
    tables: Mapping[str, object]
    places: Mapping[KeyPath, Place]

    def place(self, *path: str) -> Place:
        """Return where the key stands; the whole file when that could not be found."""
        return self.places.get(path, Place(self.name))


def read(path: Path, name: str) -> TomlFile:
    """Read the file; `name` is how the admin knows it. Raises `SettingsError`."""
    text = _text(path, name)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((_syntax(str(error), text, name),)) from None
    except RecursionError:
        raise SettingsError((Problem(Place(name), "syntax", "is nested too deep"),)) from None
    return TomlFile(name, tables, _places(text, name))


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise SettingsError((Problem(Place(name), "not-found", "there is no such settings file"),)) from None
    except OSError as error:
        reason = f"the settings file cannot be read: {error.strerror or type(error).__name__}"
        raise SettingsError((Problem(Place(name), "unreadable", reason),)) from None
    if len(content) > _LIMIT_BYTES:
        raise SettingsError((Problem(Place(name), "too-long", f"is longer than {_LIMIT_BYTES} bytes"),))
    try:
        # Windows' editors begin a file with a byte order mark, which TOML does not know.
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError((Problem(Place(name, line, 1), "encoding", "is not UTF-8: save it as UTF-8"),)) from None


def _syntax(message: str, text: str, name: str) -> Problem:
    """Turn tomllib's message, which ends with its place in brackets, into a problem."""
    found = _POSITION.search(message)
    lines = text.split("\n")
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    else:
        line, column = len(lines), len(lines[-1]) + 1
    reason = _POSITION.sub("", message)
    at_fault = lines[line - 1] if line <= len(lines) else ""
    hint = "; write a Windows path in single quotes" if "\\" in at_fault else ""
    # APPSEC: tomllib names single characters and keys, never a whole value; nothing of the line is repeated here.
    return Problem(Place(name, line, column), "syntax", f"is not TOML: {reason}{hint}")


def _places(text: str, name: str) -> dict[KeyPath, Place]:
    """Find the place of every key of a text that is known to be TOML."""
    found: dict[KeyPath, Place] = {}
    header, statement, first = "", "", 0
    for number, line in enumerate(text.split("\n"), 1):
        first = first or number
        statement = f"{statement}\n{line}" if number > first else line
        is_header = statement.lstrip().startswith("[")
        try:
            table = tomllib.loads(statement if is_header else f"{header}\n{statement}")
        except tomllib.TOMLDecodeError:
            if number - first > _STATEMENT_LINES:
                return found
            continue  # the statement goes on in the next line
        header = statement if is_header else header
        column = len(statement) - len(statement.lstrip()) + 1
        for path in _keys(table, ()):
            found.setdefault(path, Place(name, first, column))
        statement, first = "", 0
    return found


def _keys(table: Mapping[str, object], above: KeyPath) -> Iterator[KeyPath]:
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _keys(value, (*above, key))
