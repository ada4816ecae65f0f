"""Places in files and the problems found there.

Owns how a place and a problem read (`file:line:column: code: message`) and in which order they stand. Frozen values.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file: path as the admin knows it, line and column counted from 1 in characters.

    0 means the whole file.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Severity(StrEnum):
    """Whether a problem keeps a policy set from being served."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in one place; the code is what the documentation explains, the message says what to do."""

    place: Place
    code: str
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.place}: {self.code}: {self.message}"

    def as_data(self) -> dict[str, object]:
        """Return the problem as JSON holds it; line and column count from 1, 0 is the whole file."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
        }
