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
