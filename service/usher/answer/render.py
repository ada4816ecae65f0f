"""From a decision to Okta's commands: one of each type, in Okta's order, nothing that changes nothing.

Owns the last look at a value before it is sent: what the profile schema refuses becomes a fault and no command. Pure
functions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from usher.domain.command import Command, CommandType
from usher.domain.decision import Assignment, Decision, RuleFault
from usher.domain.request import ImportRequest
from usher.engine import Profiles
from usher.engine.decide import same_value
from usher.engine.profiles import Profile

BAD_VALUE: Final = "breaks-profile-schema"
_MAX_NAMES: Final = 50
_MAX_NAMES_A_LINE: Final = 10


@dataclass(frozen=True, slots=True)
class Rendered:
    """The commands to send and the values that were refused."""

    commands: tuple[Command, ...]
    faults: tuple[RuleFault, ...]


def render(decision: Decision, request: ImportRequest, profiles: Profiles) -> Rendered:
    """Turn what was assigned into commands."""
    if not decision.assignments:
        return Rendered((), ())
    user: dict[str, object] = {}
    app_user: dict[str, object] = {}
    faults: list[RuleFault] = []
    for target, assignment in decision.assignments.items():
        root, _, attribute = target.partition(".")
        of_user = root == "user"
        profile = profiles.user if of_user else profiles.app_user_of(request.application)
        if not _fits(profile, attribute, assignment):
            faults.extend(RuleFault(rule, BAD_VALUE, target) for rule in assignment.rules)
        elif not _already(request.user if of_user else request.app_user, attribute, assignment.value):
            (user if of_user else app_user)[attribute] = assignment.value
    commands = [Command(CommandType.APP_PROFILE, app_user)] if app_user else []
    if user:
        commands.append(Command(CommandType.USER_PROFILE, user))
    return Rendered(tuple(commands), tuple(faults))


def debug_context(decision: Decision, decision_id: str, faults: tuple[RuleFault, ...]) -> dict[str, object]:
    """Return what Okta's System Log may know: ids and names, never a profile value."""
    context: dict[str, object] = {
        "decisionId": decision_id,
        "policyRevision": decision.revision,
        "fired": _listed(decision.fired),
    }
    if decision.conflicts:
        context["conflicts"] = _listed(
            tuple(
                f"{conflict.target}: {', '.join(_listed(conflict.rules, limit=_MAX_NAMES_A_LINE))}"
                for conflict in decision.conflicts
            )
        )
    errors = (*decision.faults, *faults)
    if errors:
        context["errors"] = _listed(tuple(str(fault) for fault in errors))
    return context


def _fits(profile: Profile, attribute: str, assignment: Assignment) -> bool:
    shape = profile.attributes.get(attribute)
    return shape is not None and _is_sendable(assignment.value) and shape.accepts(assignment.value)


def _is_sendable(value: object) -> bool:
    """Say whether a CEL value has a form Okta can read: no time, no bytes, no infinite number."""
    if isinstance(value, list):
        return all(map(_is_sendable, value))
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _already(profile: Mapping[str, object], attribute: str, value: object) -> bool:
    return attribute in profile and same_value(profile[attribute], value)


def _listed(names: tuple[str, ...], *, limit: int = _MAX_NAMES) -> list[str]:
    if len(names) <= limit:
        return list(names)
    return [*names[:limit], f"and {len(names) - limit} more"]
