"""The settings of the service log.

Owns their names, defaults, ranges and reasons, as `model` does for all others. What they mean is `adapters`'.
"""

from dataclasses import dataclass, field
from typing import Literal

from usher.settings.about import about

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """The service log on standard error."""

    level: Level = field(
        default="info",
        metadata=about(
            "choice", "`info` tells of decisions, starts and stops too, `warning` of what wants to be looked at."
        ),
    )
    format: Format = field(
        default="console",
        metadata=about("choice", "`console` is for a person at a terminal, `json` for a collector of logs."),
    )
    decisions: bool = field(
        default=True,
        metadata=about(
            "true or false",
            "An event of level info for each decision: ids, outcome, rules that fired, time, and nothing of a profile.",
        ),
    )
    access: bool = field(
        default=False,
        metadata=about(
            "true or false",
            "An event of level info for each HTTP request, refused ones included, with the caller's address; a proxy "
            "usually writes the same.",
        ),
    )
