"""A service log that remembers, for whoever tells events of single calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class EventLog:
    """Remembers what it was told, or fails."""

    told: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    fault: Exception | None = None

    def event(self, name: str, values: Mapping[str, object]) -> None:
        """Remember."""
        if self.fault is not None:
            raise self.fault
        self.told.append((name, values))
