"""Look-up tables: `tables/` in the policy folder, read as data for `tables.<name>`.

Owns the three formats. CSV is text only: UTF-8 with or without a byte order mark, comma or semicolon, a map keyed by
the first column. Used while loading, by one thread.
"""

import csv
import io
import json
import math
from typing import Final, NoReturn

from usher.domain.place import Place, Problem
from usher.engine.folder import SourceFile
from usher.engine.yaml_text import plain, read_yaml

_FOLDER: Final = "tables/"


def is_table(file: SourceFile) -> bool:
    """Say whether a file is a table: directly in `tables/` at the top of the folder."""
    return file.name.startswith(_FOLDER) and file.name.count("/") == 1


def table_name(file: SourceFile) -> str:
    """Return the name expressions know a table by: its file's, without the ending."""
    return file.name.removeprefix(_FOLDER).rpartition(".")[0]


def load_tables(files: tuple[SourceFile, ...], problems: list[Problem]) -> dict[str, object]:
    """Return the tables by name: the file's name without its ending."""
    tables: dict[str, object] = {}
    for file in filter(is_table, files):
        name, suffix = table_name(file), file.name.rpartition(".")[2]
        content = file.text()
        if isinstance(content, Problem):
            problems.append(content)
            continue
        if not name.isidentifier():
            problems.append(
                Problem(Place(file.shown), "bad-name", "a table's name is letters, digits and _, not a digit first")
            )
        elif name in tables:
            problems.append(
                Problem(Place(file.shown), "duplicate-table", f"there is a table {name} with another ending")
            )
        tables[name] = _read(content, suffix.lower(), file.shown, problems)
    return tables


def _read(content: str, suffix: str, shown: str, problems: list[Problem]) -> object:
    if suffix == "csv":
        return _from_csv(content, shown, problems)
    if suffix == "json":
        return _from_json(content, shown, problems)
    node, found = read_yaml(content, shown)
    problems.extend(found)
    return plain(node) if node is not None else {}


def _from_json(content: str, shown: str, problems: list[Problem]) -> object:
    twice: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(name for name in members if names.count(name) > 1)
        return members

    try:
        value: object = json.loads(content, object_pairs_hook=unique, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "half a surrogate pair is no character; write the whole one"
        problems.append(Problem(Place(shown), "not-unicode", message))
        return {}
    except json.JSONDecodeError as error:
        problems.append(Problem(Place(shown, error.lineno, error.colno), "json-syntax", f"not JSON: {error.msg}"))
        return {}
    except (RecursionError, ValueError):
        problems.append(Problem(Place(shown), "json-syntax", "not a JSON text this service reads"))
        return {}
    problems.extend(
        Problem(Place(shown), "duplicate-key", f"{name} stands in one object twice; keep one") for name in twice
    )
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _from_csv(content: str, shown: str, problems: list[Problem]) -> dict[str, dict[str, str]]:
    header = content.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    table: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    try:
        for row in reader:
            if not columns:
                columns = row
            elif row:
                _add_row(row, columns, table, Place(shown, reader.line_num, 1), problems)
    except csv.Error as error:
        problems.append(Problem(Place(shown, reader.line_num, 1), "csv-syntax", f"not CSV: {error}"))
    if not columns:
        problems.append(Problem(Place(shown), "empty-file", "this table has no header row"))
    if len(set(columns)) != len(columns):
        problems.append(Problem(Place(shown, 1, 1), "duplicate-key", "two columns have one name"))
    return table


def _add_row(
    row: list[str], columns: list[str], table: dict[str, dict[str, str]], place: Place, problems: list[Problem]
) -> None:
    if len(row) != len(columns):
        problems.append(Problem(place, "csv-columns", f"{len(row)} values for {len(columns)} columns"))
    elif row[0] in table:
        problems.append(Problem(place, "duplicate-key", "the key in the first column stands in a row above"))
    else:
        table[row[0]] = dict(zip(columns, row, strict=True))
