"""The settings about policies: where they are, and how a changed set goes into force.

Owns their names, units, ranges and reasons, as `model` does for all others. What they mean is bootstrap's.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from usher.settings.about import about

Gate = Literal["tests", "check", "off"]
Watch = Literal["events", "polling"]


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Where the policies are, None means those shipped with Usher; and how a changed set goes into force."""

    folder: Path | None = field(
        default=None, metadata=about("folder", "`shipped` serves the policies that came with Usher.")
    )
    reload: bool = field(
        default=True,
        metadata=about("true or false", "Saving a file is the deployment; `false` waits for `usher reload`."),
    )
    gate: Gate = field(
        default="tests",
        metadata=about(
            "choice",
            "What a set must pass to go into force: `tests` its own policy tests, `check` what `usher check` finds, "
            "`off` no more than loading.",
        ),
    )
    gate_seconds: float = field(
        default=20.0,
        metadata=about(
            "seconds",
            "Policy tests that take longer reject the set: a new set must not wait for ever, nor take the machine from "
            "calls.",
            minimum=0.1,
            maximum=600,
        ),
    )
    watch: Watch = field(
        default="events",
        metadata=about(
            "choice",
            "`events` hears of saves at once and looks at the interval besides; `polling` only looks: for network "
            "drives, which tell nobody.",
        ),
    )
    rescan_seconds: float = field(
        default=1.0,
        metadata=about(
            "seconds",
            "The folder is read again this often, whatever was heard: watches can be lost, links can be swapped.",
            minimum=0.05,
            maximum=3600,
        ),
    )
    settle_seconds: float = field(
        default=0.2,
        metadata=about(
            "seconds",
            "A changed folder must stay as it is for this long before it is loaded: several saves become one set.",
            minimum=0,
            maximum=60,
        ),
    )
    unready_seconds: float = field(
        default=0.0,
        metadata=about(
            "seconds",
            "`/health/ready` fails when the newest set has been rejected for this long. 0 never: the set in force "
            "still answers, and a missing answer creates a duplicate person.",
            minimum=0,
            maximum=604_800,
        ),
    )
    ready_on_last_good: bool = field(
        default=True,
        metadata=about(
            "true or false",
            "Whether `/health/ready` succeeds after a start that had to fall back to the last good set.",
        ),
    )
