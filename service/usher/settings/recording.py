"""The settings of the decision log.

Owns their names, defaults, ranges and reasons, as `model` does for all others. What they mean is `adapters`'.
"""

from dataclasses import dataclass, field
from pathlib import Path

from usher.settings.about import about


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """The decision log."""

    file: Path = field(
        default=Path("decisions.jsonl"),
        metadata=about(
            "file",
            "The stem: each process writes a file of its own, with its start and process id before the extension.",
        ),
    )
    redaction: bool = field(
        default=True,
        metadata=about("true or false", "A log of people is readable by nobody; `false` writes their values in clear."),
    )
    rotate_bytes: int = field(
        default=268_435_456,
        metadata=about(
            "bytes",
            "A file that would grow beyond this is left, and the next one begun: small enough to copy and to search. "
            "0 never.",
            minimum=0,
            maximum=2**40,
        ),
    )
    rotate_hours: int = field(
        default=24,
        metadata=about(
            "hours",
            "A file this old is left with the next decision, so that a day's files can be put away. 0 never.",
            minimum=0,
            maximum=8_760,
        ),
    )
    keep_days: int = field(
        default=0,
        metadata=about(
            "days",
            "Files last written longer ago are deleted, at a start and when a file is begun. 0 never: only you know "
            "how long you must.",
            minimum=0,
            maximum=36_500,
        ),
    )
