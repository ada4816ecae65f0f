"""What is known about a setting besides its type and default: unit, reason, range.

Owns the metadata that the loader checks, `usher settings --explain` prints and docs/operations.md repeats.
Frozen values.
"""

from dataclasses import dataclass
from typing import Final

from typed_settings.constants import METADATA_KEY

ABOUT: Final = "about"


@dataclass(frozen=True, slots=True)
class About:
    """One setting's unit, why it has the default it has, and what it may be; a `pattern` must match the whole text."""

    unit: str
    reason: str
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""


def about(
    unit: str, reason: str, *, minimum: float | None = None, maximum: float | None = None, pattern: str = ""
) -> dict[str, object]:
    """Return the metadata of a dataclass field, where typed-settings finds it."""
    return {METADATA_KEY: {ABOUT: About(unit, reason, minimum, maximum, pattern)}}
