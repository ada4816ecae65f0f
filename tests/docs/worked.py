"""Runs the worked examples of the documentation: a policy folder and a test file, in the format of policy tests.

Owns as much of the format as the page uses (`schemas/policy-test.schema.json` describes all of it): inline fixtures,
`with`, `without`, `cases`, `steps`, `expect`. The issue on policy tests replaces it. One ledger per test, nothing kept.
"""

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from usher.answer.render import render
from usher.cel import Budget
from usher.domain.decision import ACTION, Decision
from usher.domain.request import ImportRequest
from usher.engine import Circumstances, MemoryDirectory, MemoryLedger, Namespace, Owner, PolicySet, Stores, decide
from usher.engine.yaml_text import plain, read_yaml

APPLICATION: Final = {"name": "test_app", "id": "0oa1", "label": "Test app", "status": "ACTIVE"}
_NOW: Final = 1_772_442_000_000_000_000  # 2026-03-02T09:00:00Z in nanoseconds
_EVENTS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    """What a test file runs against."""

    policies: PolicySet
    namespaces: Mapping[str, Namespace]


def read(text: str) -> Any:
    """Return a YAML text as policies read it."""
    node, problems = read_yaml(text, "example_test.yaml")
    assert node is not None
    assert problems == ()
    return plain(node)


def failures(test_file: Mapping[str, Any], world: World) -> Iterator[str]:
    """Run every test; yield what came out otherwise than expected."""
    for test in test_file["tests"]:
        for name, steps in _cases(test):
            stores = _stores(test_file, world)
            for step in steps:
                request = _request(test_file, step)
                decision = decide(world.policies, request, Circumstances(_NOW, Budget(), stores))
                yield from (f"{name}: {problem}" for problem in _differences(step["expect"], decision, request, world))


def _cases(test: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if "steps" in test:
        yield test["name"], [{"expect": {}, **step} for step in test["steps"]]
    elif "cases" in test:
        for name, case in test["cases"].items():
            merged = {**case, "given": test["given"], "with": {**test.get("with", {}), **case.get("with", {})}}
            yield f"{test['name']}, {name}", [{**merged, "expect": {**test.get("expect", {}), **case["expect"]}}]
    else:
        yield test["name"], [dict(test)]


def _stores(test_file: Mapping[str, Any], world: World) -> Stores:
    held = {}
    for entry in test_file.get("ledger", ()):
        key = world.namespaces[entry["namespace"]].key(entry["value"])
        owner = Owner(entry.get("application", APPLICATION["id"]), entry["subject"])
        held[entry["namespace"], key] = (owner, entry["value"])
    return Stores(MemoryLedger(held), MemoryDirectory(test_file.get("directory", ())), world.namespaces)


def _request(test_file: Mapping[str, Any], step: Mapping[str, Any]) -> ImportRequest:
    fixture = copy.deepcopy(test_file["fixtures"][step["given"]])
    whole = {"user": {}, "appuser": {}, "context": {}, "action": "CREATE_USER", "matched_user_id": "", **fixture}
    whole["context"] = {"conflicts": [], "matches": [], "application": dict(APPLICATION), **whole["context"]}
    for path, value in step.get("with", {}).items():
        *above, last = path.split(".")
        place = whole
        for part in above:
            place = place[part]
        place[last] = value
    for path in step.get("without", ()):
        root, last = path.split(".")
        del whole[root][last]
    return ImportRequest.from_wire(
        {
            "eventId": f"event-{next(_EVENTS)}",
            "eventType": "com.okta.import.transform",
            "data": {
                "context": whole["context"],
                "action": {"result": whole["action"]},
                "appUser": {"profile": whole["appuser"]},
                "user": {"profile": whole["user"], "id": whole["matched_user_id"]},
            },
        }
    )


def _differences(expect: Mapping[str, Any], decision: Decision, request: ImportRequest, world: World) -> Iterator[str]:
    """Compare what is given exactly; errors and conflicts that are not expected are differences, too."""
    found = _found(decision, request, world)
    for key, wanted in ({"errors": [], "conflicts": []} | dict(expect)).items():
        came = found[key]
        if key in {"fired", "errors"}:
            wanted, came = sorted(_full(name, world) for name in wanted), sorted(came)  # noqa: PLW2901
        elif key == "hold" and wanted is True:
            came = bool(came)
        elif key == "hold":
            came = came[0] if came else ""
        if wanted != came:
            yield f"{key}: expected {wanted}, came {came}"


def _full(name: str, world: World) -> str:
    """Return a rule's whole name: the policy may be left out where there is one."""
    policies = world.policies.policies
    whole = {rule.name for rule in world.policies.rules} | {policy.name for policy in policies}
    return name if name in whole else f"{policies[0].name}/{name}"


def _found(decision: Decision, request: ImportRequest, world: World) -> dict[str, Any]:
    rendered = render(decision, request, world.policies.profiles)
    sent = {} if decision.holds else {command.type.value: command.value for command in rendered.commands}
    faults = (*decision.faults, *rendered.faults)
    granted = [dict(claim.granted) for claim in decision.claims if claim.granted]
    return {
        "fired": list(decision.fired),
        "set": {
            f"{root}.{name}": value
            for root, kind in (("appuser", "appUser"), ("user", "user"))
            for name, value in sent.get(f"com.okta.{kind}.profile.update", {}).items()
        },
        ACTION: "create" if decision.ending == "create" else {"link": decision.link_id},
        "hold": [hold.text for hold in decision.holds],
        "vetoed": list(decision.vetoed),
        "conflicts": [conflict.target for conflict in decision.conflicts],
        "errors": [fault.rule for fault in faults],
        "claims": {name: value for values in granted for name, value in values.items()},
        "remembered": {entry.namespace: entry.value for entry in decision.remembered},
        "debug": dict(decision.debug),
    }
