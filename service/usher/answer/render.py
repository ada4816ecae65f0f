"""From a decision to Okta's commands: one of each type, in Okta's order, nothing that changes nothing.

Owns the last look at a value before it is sent: what the profile schema refuses becomes a fault and no command. Pure
functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from usher.domain.command import Command, CommandType
from usher.domain.decision import Assignment, Decision, Ending, RuleFault
from usher.domain.request import CREATE_USER, LINK_USER, ImportRequest
from usher.engine import Profiles
from usher.engine.values import same_value

BAD_VALUE: Final = "breaks-profile-schema"
_RESULTS: Final = {Ending.CREATE: CREATE_USER, Ending.LINK: LINK_USER}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The commands to send and the values that were refused."""

    commands: tuple[Command, ...]
    faults: tuple[RuleFault, ...]


def render(decision: Decision, request: ImportRequest, profiles: Profiles) -> Rendered:
    """Turn a decision without holds into commands."""
    commands = _action_commands(decision, request)
    profiles_by_root: dict[str, dict[str, object]] = {"appuser": {}, "user": {}}
    faults: list[RuleFault] = []
    for target, assignment in decision.assignments.items():
        root, _, attribute = target.partition(".")
        if _already(request.user if root == "user" else request.app_user, attribute, assignment):
            continue  # what stands already changes nothing, whatever its schema says
        if profiles.accepts(target, assignment.value, request.application):
            profiles_by_root[root][attribute] = assignment.value
        else:
            faults.extend(RuleFault(rule, BAD_VALUE, target) for rule in assignment.rules)
    if profiles_by_root["appuser"]:
        commands.append(Command(CommandType.APP_PROFILE, profiles_by_root["appuser"]))
    if profiles_by_root["user"]:
        commands.append(Command(CommandType.USER_PROFILE, profiles_by_root["user"]))
    return Rendered(tuple(commands), tuple(faults))


def quarantine(values: Mapping[str, object], request: ImportRequest) -> tuple[Command, ...]:
    """Return the commands for a held row where `error` stops nothing: create it with the settings' attributes."""
    commands = [Command(CommandType.ACTION, {"result": CREATE_USER})] if request.action != CREATE_USER else []
    if values:
        commands.append(Command(CommandType.USER_PROFILE, dict(values)))
    return tuple(commands)


def _action_commands(decision: Decision, request: ImportRequest) -> list[Command]:
    """Return what changes Okta's proposal.

    A link takes both commands, or neither where Okta links to that user already.
    """
    result = _RESULTS[decision.ending]
    if decision.ending is Ending.LINK:
        if request.action == LINK_USER and decision.link_id == request.matched_user_id:
            return []
        return [Command(CommandType.ACTION, {"result": result}), Command(CommandType.LINK, {"id": decision.link_id})]
    return [] if request.action == result else [Command(CommandType.ACTION, {"result": result})]


def _already(profile: Mapping[str, object], attribute: str, assignment: Assignment) -> bool:
    return attribute in profile and same_value(profile[attribute], assignment.value)
