"""Problems for a program: one JSON list of objects; line and column count from 1, 0 is the whole file."""

import json
from collections.abc import Iterable, Iterator

from usher.domain.place import Problem


def lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield the list, one problem a line; `[]` when there is none."""
    # A path may hold half a surrogate pair: escaped, it can be written to any stream.
    entries = [json.dumps(problem.as_data(), ensure_ascii=True) for problem in problems]
    yield "[" + ",\n ".join(entries) + "]"
