"""What a check of `usher doctor` says: one line, and whether it is a fault.

Owns the words before the colon and how texts of others are shown. Pure.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

_SHOWN_CHARS: Final = 160


class State(Enum):
    """What a check came to. Only a fault makes the command exit with 1."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found and, where there is something to do, what."""

    state: State
    name: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.state.value:<8} {self.name}: {self.found}" + (f"; {self.todo}" if self.todo else "")


def ok(name: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(State.OK, name, found)


def warning(name: str, found: str, todo: str) -> Finding:
    """Return what will be a fault, or may be one."""
    return Finding(State.WARNING, name, found, todo)


def fault(name: str, found: str, todo: str) -> Finding:
    """Return what has to be mended."""
    return Finding(State.FAULT, name, found, todo)


def skipped(name: str, why: str) -> Finding:
    """Return that there was nothing to look at."""
    return Finding(State.SKIPPED, name, why)


def shown(text: object) -> str:
    """Return a text that somebody else chose, fit for one line of a terminal."""
    # APPSEC: a server that is not ours must not steer the terminal.
    plain = "".join(char if char.isprintable() else "?" for char in str(text)[: _SHOWN_CHARS + 1])
    return plain if len(plain) <= _SHOWN_CHARS else f"{plain[:_SHOWN_CHARS]}…"
