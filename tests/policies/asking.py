"""Asking the shipped policies as Okta does: golden points as data, a line with stores one can look at."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rehearsing import line_over
from usher.answer.line import AnswerLine
from usher.bootstrap.schemas import Schemas
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Namespace, PolicySet, Stores
from usher.engine.known_users import users_from_json
from usher.proof.rehearsal import Kept

POINTS = Path(__file__).parents[1] / "golden" / "points"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One of the fourteen: requests in a row on one ledger and what each is answered."""

    name: str
    requests: tuple[Json, ...]
    expected: tuple[Json, ...]
    directory: tuple[Mapping[str, object], ...]
    namespaces: Mapping[str, Namespace]

    @classmethod
    def read(cls, folder: Path) -> "Point":
        """Read `1.json`, `1.expected.json`, … and, if they are there, `directory.json` and `namespaces.json`."""
        count = len(list(folder.glob("*.expected.json")))
        users = folder / "directory.json"
        return cls(
            name=folder.name,
            requests=tuple(_json(folder / f"{number}.json") for number in range(1, count + 1)),
            expected=tuple(_json(folder / f"{number}.expected.json") for number in range(1, count + 1)),
            directory=users_from_json(users.read_text(encoding="utf-8")) if users.exists() else (),
            namespaces=_namespaces(folder / "namespaces.json"),
        )


@dataclass(slots=True)
class Desk:
    """A line over the given policies, with a ledger, a directory and the records of its own."""

    policies: PolicySet
    schemas: Schemas
    directory: tuple[Mapping[str, object], ...] = ()
    namespaces: Mapping[str, Namespace] = field(default_factory=lambda: DEFAULT_NAMESPACES)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    kept: Kept = field(default_factory=Kept)
    undecided: list[str] = field(default_factory=list)

    @classmethod
    def for_point(cls, point: Point, policies: PolicySet, schemas: Schemas) -> "Desk":
        """Set up what a point needs."""
        return cls(policies, schemas, point.directory, point.namespaces)

    def ask(self, request: Json) -> Json:
        """Return commands and error of the answer; `{}` when Okta's default stands."""
        reply = self._line().answer(json.dumps(request, ensure_ascii=False).encode(), time.monotonic())
        answer = json.loads(reply.body)
        return {name: answer[name] for name in ("commands", "error") if name in answer}

    def _line(self) -> AnswerLine:
        stores = Stores(self.ledger, MemoryDirectory(self.directory), self.namespaces)
        return line_over(self.policies, self.schemas, self.kept, self._note, stores=stores)

    def _note(self, decision_id: str, error: Exception) -> None:
        del decision_id
        self.undecided.append(f"{type(error).__name__}: {error}")


def with_event(request: Json, event_id: str) -> Json:
    """Return the row as it comes in another call."""
    return {**request, "eventId": event_id}


def login_given(request: Json, answer: Json) -> str:
    """Return the login a row ends with: the one sent, else the one Okta proposed."""
    for command in answer.get("commands", ()):
        if command["type"] == "com.okta.user.profile.update" and "login" in command["value"]:
            return str(command["value"]["login"])
    return str(request["data"]["user"]["profile"].get("login"))


def _namespaces(path: Path) -> Mapping[str, Namespace]:
    if not path.exists():
        return DEFAULT_NAMESPACES
    return {
        name: Namespace(name, ignoring=tuple(said.get("ignoring", ())), compare=said.get("compare", "whole"))
        for name, said in _json(path).items()
    }


def _json(path: Path) -> Json:
    value = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(value, dict), path
    return value
