"""Problems for a program: one JSON list of objects; line and column count from 1, 0 is the whole file."""

import json
from collections.abc import Iterable, Iterator

from usher.domain.place import Problem


def lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield the list, one problem a line; `[]` when there is none."""
    # A path may hold half a surrogate pair: escaped, it can be written to any stream.
    entries = [json.dumps(as_data(problem), ensure_ascii=True) for problem in problems]
    yield "[" + ",\n ".join(entries) + "]"


def as_data(problem: Problem) -> dict[str, object]:
    """Return a problem as an object."""
    return {
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
    }
