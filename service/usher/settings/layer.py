"""What one source of settings says: checked values by path, where each came from, and what was refused.

Owns how a value is taken in. Filled while its source is read, on one thread, and not changed after.
"""

from dataclasses import dataclass, field
from pathlib import Path

from usher.domain.place import Place, Problem
from usher.settings.options import Option
from usher.settings.values import RefusedValueError, accept

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
            self.refuse(place, "bad-value", f"{option.path} {refusal}")
            return
        self.note(option.path, place)

    def note(self, path: str, place: Place) -> None:
        """Remember where a setting was set."""
        self.origins[path] = f"{place.file}:{place.line}" if place.line else place.file

    def refuse(self, place: Place, code: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(place, code, message))
