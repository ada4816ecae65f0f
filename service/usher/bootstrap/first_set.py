"""The set a service starts with: the folder's own where it passes the gate, else the last good one.

Owns that choice. Main thread.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from usher.adapters.last_good import LastGoodError, load
from usher.bootstrap.candidates import Memory, Verdict, judge, kept_candidate, read_candidate
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.looks import Folders
from usher.bootstrap.schemas import Schemas
from usher.bootstrap.setting_checks import check_attributes
from usher.domain.place import Problem
from usher.errors import UsherError
from usher.settings import LoadedSettings


class PoliciesRefusedError(UsherError):
    """The policy folder has errors, and there is no set to fall back to; the service does not start."""

    def __init__(self, problems: tuple[Problem, ...], *, kept: str = "") -> None:
        self.problems = problems
        lines = [*map(str, problems), *([kept] if kept else [])]
        lines.append("the policies have errors: mend them, `usher check` and `usher test` show them all")
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class FirstSet:
    """What answers from the start; `rejected` is the folder's own set where another had to stand in.

    `memory` is what the first reload need not read and compile again.
    """

    in_force: PoliciesInForce
    verdict: Verdict
    rejected: Verdict | None
    memory: Memory


def first_set(loaded: LoadedSettings, schemas: Schemas, folders: Folders) -> FirstSet:
    """Return the set to start with; raises `PoliciesRefusedError`, and `SettingsError` for unknown attributes."""
    memory = Memory()
    candidate = read_candidate(folders.policies, folders.schemas)
    own = judge(candidate, loaded, schemas, gate=loaded.settings.policies.gate, memory=memory)
    if own.policy_set is not None:
        return FirstSet(PoliciesInForce(own.policy_set, datetime.now(UTC)), own, None, memory)
    kept, why = _kept(loaded, schemas, folders)
    if kept is None or kept.policy_set is None:
        if schemas.profiles.profiles is not None:
            # Where there is nothing to fall back to, it is the settings that are told to be at fault.
            check_attributes(loaded, schemas.profiles.profiles)
        raise PoliciesRefusedError(own.errors, kept=why)
    return FirstSet(PoliciesInForce(kept.policy_set, datetime.now(UTC)), kept, own, memory)


def _kept(loaded: LoadedSettings, schemas: Schemas, folders: Folders) -> tuple[Verdict | None, str]:
    """Return the last good set, loaded again, or why there is none; it has passed its gate already."""
    try:
        kept = load(folders.state)
    except LastGoodError as error:
        return None, str(error)
    if kept is None:
        return None, ""
    candidate = kept_candidate(kept)
    if candidate.revision != kept.revision:
        return None, f"the last good set in {folders.state} is damaged: its files are not those of {kept.revision}"
    verdict = judge(candidate, loaded, schemas, gate="off")
    if verdict.policy_set is None:
        return None, f"the last good set, {kept.revision}, does not load with this version or these settings either"
    return verdict, ""
