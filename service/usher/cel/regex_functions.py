r"""`regex.replace` and `regex.extract`, by RE2.

Replacements name groups as `\1`; a backslash is `\\`. Pure but for the budget; any thread.
"""

from __future__ import annotations

import re

from usher.cel.errors import EvaluationError
from usher.cel.limits import Budget
from usher.cel.patterns import Pattern
from usher.cel.signatures import INT, STRING, TEXT_OR_NULL, Library

library = Library()

_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)


@library.function("regex.replace", (STRING, STRING, STRING, INT), STRING, optional=1, bounded=True, pattern=1)
def regex_replace(budget: Budget, text: str, pattern: Pattern, replacement: str, limit: int = -1) -> str:
    """Every match, or the first `limit`, replaced."""
    pattern.admitted(text, budget)
    parts = _template(replacement, pattern.compiled.groups)
    pieces: list[str] = []
    end = 0
    for count, match in enumerate(pattern.compiled.finditer(text)):
        if count == limit:
            break
        budget.step()
        new = "".join(part if isinstance(part, str) else match.group(part) or "" for part in parts)
        pieces += (text[end : match.start()], new)
        budget.produce(len(pieces[-2]) + len(new) + 2)
        end = match.end()
    pieces.append(text[end:])
    budget.produce(len(pieces[-1]))
    return "".join(pieces)


def _template(replacement: str, groups: int) -> list[str | int]:
    """Text and group numbers in turn."""
    parts: list[str | int] = []
    end = 0
    for match in _REFERENCE.finditer(replacement):
        parts.append(replacement[end : match.start()])
        end = match.end()
        escaped = match[1]
        if escaped == "\\":
            parts.append("\\")
        elif "0" <= escaped <= "9" and int(escaped) <= groups:
            parts.append(int(escaped))
        else:
            raise EvaluationError("bad-replacement", "the replacement names a group that the regular expression lacks")
    parts.append(replacement[end:])
    return parts


@library.function("regex.extract", (STRING, STRING), TEXT_OR_NULL, bounded=True, pattern=1)
def regex_extract(budget: Budget, text: str, pattern: Pattern) -> str | None:
    """Return the first match, or what its only group matched; null if there is none."""
    pattern.admitted(text, budget)
    if pattern.compiled.groups > 1:
        raise EvaluationError("bad-pattern", "regex.extract() takes at most one group")
    match = pattern.compiled.search(text)
    if match is None:
        return None
    found = match.group(pattern.compiled.groups)
    return None if found is None else budget.text(found)


REGEX_FUNCTIONS = library.functions()
