"""A desk at which policies are asked: stores one can look at, policies as data, answers as Okta would read them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from usher.answer.render import render
from usher.cel import Budget
from usher.domain.decision import Decision, Ending
from usher.domain.request import ImportRequest
from usher.engine import (
    DEFAULT_NAMESPACES,
    Circumstances,
    Directory,
    MemoryDirectory,
    MemoryLedger,
    Namespace,
    Owner,
    PolicySet,
    Stores,
    decide,
)

APPLICATION = "0oa1"
NOW = 1_772_442_000_000_000_000
Rule = Mapping[str, object]


def written(*rules: Rule, name: str = "p", **members: object) -> dict[str, str]:
    """Return a folder of one policy. JSON is YAML; a text is an expression, as in any policy."""
    return {f"{name}.yaml": json.dumps({"policy": name, **members, "rules": list(rules)}, ensure_ascii=False)}


def literal(value: object) -> dict[str, object]:
    """Return a value as it stands."""
    return {"value": value}


def claim(*candidates: object, to: int = 0, **members: object) -> dict[str, object]:
    """Return what is claimed in one namespace; with a counter from 2 if `to` says how far."""
    counter = {"counter": {"from": 2, "to": to}} if to else {}
    return {"candidates": list(candidates), **counter, **members}


def values(decision: Decision) -> dict[str, object]:
    """Return what each target receives."""
    return {target: assignment.value for target, assignment in decision.assignments.items()}


def claimed(decision: Decision) -> dict[str, str]:
    """Return what was granted, by namespace."""
    return {name: value for trace in decision.claims for name, value in (trace.granted or {}).items()}


def refused(decision: Decision) -> list[str]:
    """Return why candidates were passed over, in order."""
    return [tried.refused for trace in decision.claims for tried in trace.tried if tried.refused]


def verdicts(decision: Decision) -> dict[str, str]:
    """Return what became of each rule: a verdict, or an error's code."""
    return {trace.rule: trace.code or trace.verdict.value for trace in decision.trace}


def ending(decision: Decision) -> str:
    """Return `hold`, `create` or `link <id>`."""
    if decision.holds:
        return "hold"
    return "create" if decision.ending is Ending.CREATE else f"link {decision.link_id}"


@dataclass
class Desk:
    """Asks policies one request after another; every request sees what the ones before it left in the ledger.

    `declared` is what else the settings say to the stores, such as `subject_attribute`.
    """

    policy_set: Callable[..., PolicySet]
    payload: Callable[..., dict[str, Any]]
    users: Sequence[Mapping[str, object]] = ()
    namespaces: Mapping[str, Namespace] = field(default_factory=lambda: DEFAULT_NAMESPACES)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    loaded: list[tuple[Mapping[str, str], PolicySet]] = field(default_factory=list)
    directory: Directory | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)

    def policies(self, files: Mapping[str, str]) -> PolicySet:
        """Return the set of a folder; asked again for the same one, it is not loaded again."""
        known = next((policies for texts, policies in self.loaded if texts == files), None)
        if known is None:
            known = self.policy_set(files, namespaces=self.namespaces)
            self.loaded.append((files, known))
        return known

    def ask(
        self,
        files: Mapping[str, str],
        *,
        matched: str = "",
        subject: str = "1042",
        shadow: bool = False,
        budget: Budget | None = None,
        **parts: Any,
    ) -> Decision:
        """Return the decision about one row; `matched` is the user Okta proposes to link to."""
        request = ImportRequest.from_wire(self._body(matched, subject, parts))
        directory = self.directory or MemoryDirectory(self.users)
        stores = Stores(self.ledger, directory, self.namespaces, **self.declared)
        return decide(self.policies(files), request, Circumstances(NOW, budget or Budget(), stores), shadow=shadow)

    def commands(
        self, files: Mapping[str, str], *, matched: str = "", subject: str = "1042", **parts: Any
    ) -> dict[str, dict[str, Any]]:
        """Return the commands by the last part of their type that tells them apart."""
        decision = self.ask(files, matched=matched, subject=subject, **parts)
        assert not decision.holds
        profiles = self.policies(files).profiles
        request = ImportRequest.from_wire(self._body(matched, subject, parts))
        sent = [command.to_wire() for command in render(decision, request, profiles).commands]
        return {str(command["type"]).removeprefix("com.okta."): command["value"] for command in sent}  # type: ignore[misc]  # a map, by to_wire

    def hold_for(self, subject: str, value: str, namespace: str = "login") -> None:
        """Let another row's owner hold a value."""
        key = (namespace, self.namespaces[namespace].key(value))
        self.ledger._add({key: (Owner(APPLICATION, subject), value)})

    def held(self) -> dict[str, str]:
        """Return who holds what, by value."""
        return {value: owner.subject for owner, value in self.ledger.held.values()}

    def _body(self, matched: str, subject: str, parts: Mapping[str, Any]) -> dict[str, Any]:
        context = {"conflicts": parts.get("conflicts", []), **parts.get("context", {})}
        body = self.payload(
            user=parts.get("user"),
            appuser={"externalId": subject, **parts.get("appuser", {})},
            context=context,
            action="LINK_USER" if matched else "CREATE_USER",
            event_id=parts.get("event_id", "event-1"),
        )
        if matched:
            body["data"]["user"]["id"] = matched
        return body
