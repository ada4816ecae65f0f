"""What the operations listener tells: readiness, status, metrics.

Owns which facts make the service ready: a policy set in force, calls being decided, no stop under way. Called on the
operations threads; everything it reads is written in single assignments elsewhere.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from usher.bootstrap.keeper import Keeper
from usher.bootstrap.pulse import Pulse
from usher.domain.place import Problem
from usher.settings import PolicySettings
from usher.web.operations import Readiness

MAX_PROBLEMS: Final = 100
_PATIENCE_SECONDS: Final = 10.0
"""Beyond the gate's own time: reading, compiling and settling."""


class Watch(Protocol):
    """Something that calls depend on: a store, the issuer's keys. Asked on the operations threads."""

    def facts(self) -> Mapping[str, object]:
        """Return what `/status` tells of it, as JSON values."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether calls can rely on it."""
        ...


@dataclass(slots=True, kw_only=True)
class OperationsView:
    """Answers the operations listener. `draining` is set once, when a stop begins."""

    version: str
    keeper: Keeper
    settings: PolicySettings
    pulse: Pulse
    decision_log: Callable[[], str]
    losses: Callable[[], int]
    metrics: Callable[[], tuple[bytes, str]]
    watches: Mapping[str, Watch]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    draining: bool = False
    asking: threading.Lock = field(default_factory=threading.Lock)

    def drain(self) -> None:
        """Say from now on that no more calls should be sent here."""
        self.draining = True

    def readiness(self) -> Readiness:
        """Say whether calls can be decided, and what speaks against it."""
        checks = {
            "policies": self._policies_are_fine(),
            "deciding": self.pulse.is_healthy,
            "accepting": not self.draining,
            **{name: watch.is_ready for name, watch in self.watches.items()},
        }
        return Readiness(all(checks.values()), checks)

    def status(self) -> Mapping[str, object]:
        """Say what is in force."""
        return {
            "version": self.version,
            "started": _rfc3339(self.started),
            "policies": self._policies(),
            "decisionLog": {"file": self.decision_log(), "losses": self.losses()},
            **{name: dict(watch.facts()) for name, watch in self.watches.items()},
            "readiness": dict(self.readiness().checks),
        }

    def reload(self) -> Mapping[str, object] | None:
        """Look at the folder now and say what came of it; None while somebody else has asked for that.

        A look that a save has set off is waited for. Only one caller may wait: another thread answers probes meanwhile.
        """
        if not self.asking.acquire(blocking=False):
            return None
        try:
            look = self.keeper.look(again=True, wait_seconds=self.settings.gate_seconds + _PATIENCE_SECONDS)
        finally:
            self.asking.release()
        if look is None:
            return None
        return {
            "result": look.result.value,
            "revision": look.revision,
            "found": look.found_revision,
            "seconds": round(look.seconds, 3),
            "changes": [
                {"kind": change.kind.value, "what": change.what, "name": change.name} for change in look.changes
            ],
            "problems": problems_data(look.problems),
        }

    def _policies(self) -> dict[str, object]:
        in_force, rejected = self.keeper.in_force(), self.keeper.rejected
        return {
            "revision": in_force.revision,
            "since": _rfc3339(self.keeper.in_force.since),
            "folder": str(self.keeper.folders.policies),
            "source": "last good" if self.keeper.fell_back else "folder",
            "names": [policy.name for policy in in_force.policies],
            "rules": len(in_force.rules),
            "rejected": None
            if rejected is None
            else {
                "revision": rejected.revision,
                "since": _rfc3339(rejected.since),
                "problems": problems_data(rejected.problems),
            },
        }

    def _policies_are_fine(self) -> bool:
        rejected, allowed = self.keeper.rejected, self.settings.unready_seconds
        if rejected is not None and allowed and time.monotonic() - rejected.since_monotonic > allowed:
            return False
        if self.keeper.fell_back and not self.settings.ready_on_last_good:
            return False
        return bool(self.keeper.in_force().policies)

    def exposition(self) -> tuple[bytes, str]:
        """Return the metrics and their content type."""
        return self.metrics()


def problems_data(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """Return problems as JSON values, the first hundred of them."""
    return [problem.as_data() for problem in itertools.islice(problems, MAX_PROBLEMS)]


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
