"""What the operations listener tells: readiness, status, metrics.

Owns which facts make the service ready: a policy set in force, calls being decided, no stop under way. Called on the
operations threads; everything it reads is written in single assignments elsewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.pulse import Pulse
from usher.web.operations import Readiness


@dataclass(slots=True, kw_only=True)
class OperationsView:
    """Answers the operations listener. `draining` is set once, when a stop begins."""

    version: str
    policies: PoliciesInForce
    folder: str
    pulse: Pulse
    decision_log: str
    losses: Callable[[], int]
    metrics: Callable[[], tuple[bytes, str]]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    draining: bool = False

    def drain(self) -> None:
        """Say from now on that no more calls should be sent here."""
        self.draining = True

    def readiness(self) -> Readiness:
        """Say whether calls can be decided, and what speaks against it."""
        checks = {
            "policies": bool(self.policies().policies),
            "deciding": self.pulse.is_healthy,
            "accepting": not self.draining,
        }
        return Readiness(all(checks.values()), checks)

    def status(self) -> Mapping[str, object]:
        """Say what is in force."""
        in_force = self.policies()
        return {
            "version": self.version,
            "started": _rfc3339(self.started),
            "policies": {
                "revision": in_force.revision,
                "since": _rfc3339(self.policies.since),
                "folder": self.folder,
                "names": [policy.name for policy in in_force.policies],
                "rules": len(in_force.rules),
            },
            "decisionLog": {"file": self.decision_log, "losses": self.losses()},
            "readiness": dict(self.readiness().checks),
        }

    def exposition(self) -> tuple[bytes, str]:
        """Return the metrics and their content type."""
        return self.metrics()


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
