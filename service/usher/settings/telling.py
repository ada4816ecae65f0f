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
        metadata=about("choice", "Starts, stops, warnings and failures; single requests stand in the decision log."),
    )
    format: Format = field(
        default="console",
        metadata=about("choice", "`console` is for a person at a terminal, `json` for a collector of logs."),
    )
