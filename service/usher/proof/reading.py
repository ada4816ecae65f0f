"""One file of policy tests: from YAML to a `CaseFile`, with every problem found on the way.

Owns the structure of a test file, its fixtures and what every case starts from. Collects, never raises: the author
sees all problems at once. Used while loading, by one thread.
"""

from collections.abc import Collection, Mapping
from typing import Final

from usher.domain.place import Place, Problem
from usher.engine import Owner, PolicySet
from usher.engine.folder import SourceFile
from usher.engine.nodes import items, text
from usher.engine.structure import structure_problem
from usher.engine.trees import Trees
from usher.engine.yaml_text import Mapping as MappingNode
from usher.engine.yaml_text import Node, plain
from usher.proof.cases import Case, CaseFile, Held
from usher.proof.fixtures import APPLICATION
from usher.proof.moments import nanoseconds
from usher.proof.noting import Notes, named
from usher.proof.reading_cases import CaseReader
from usher.proof.reading_fixtures import read_fixtures
from usher.proof.subject import Subject
from usher.proof.world import World
from usher.shapes import Fault, Shape

_NOW: Final = "2026-03-02T09:00:00Z"
_NEEDS: Final = "a test needs `given` with `expect` or `cases`, or `steps`"


def read_cases(
    file: SourceFile,
    policy_set: PolicySet,
    world: World,
    payloads: Mapping[str, SourceFile],
    problems: list[Problem],
    trees: Trees,
) -> CaseFile | None:
    """Read a test file; None when it has an error, which is appended. `payloads` are the files in testdata/ by path."""
    content = file.text()
    if isinstance(content, Problem):
        problems.append(content)
        return None
    root, found = trees.read(content, file.shown)
    notes = Notes(policy_set.profiles)
    notes.problems.extend(found)
    if not isinstance(root, MappingNode):
        if not found:
            notes.add(Place(file.shown), "no-tests", "this file holds no tests; write some or remove it")
        problems.extend(notes.problems)
        return None
    notes.problems.extend(_structure(root, fault, world.tests) for fault in world.tests.faults(plain(root)))
    made = _case_file(file, root, policy_set, world, payloads, notes)
    problems.extend(notes.problems)
    return None if notes.has_errors else made


def _structure(root: Node, fault: Fault, shape: Shape) -> Problem:
    return structure_problem(root, fault, shape, message=_NEEDS if fault.code == "anyOf" else "")


def _case_file(
    file: SourceFile,
    root: MappingNode,
    policy_set: PolicySet,
    world: World,
    payloads: Mapping[str, SourceFile],
    notes: Notes,
) -> CaseFile | None:
    subject = _subject(root, policy_set, notes)
    now = _moment(root.get("now"), notes)
    fixtures = read_fixtures(root.get("fixtures"), file, payloads, world, notes)
    directory = _directory(root.get("directory"), notes)
    held = _held(root.get("ledger"), world, notes)
    reader = CaseReader(subject, fixtures, world, notes)
    cases: tuple[Case, ...] = reader.cases(root.get("tests"))
    if subject is None:
        return None
    constants = _replacements(root.get("constants"), subject.constants, "constant", notes)
    tables = _replacements(root.get("tables"), policy_set.tables.keys(), "table", notes)
    return CaseFile(
        file=file.shown,
        subject=subject.name,
        policy_set=subject.policy_set(policy_set, constants=constants, tables=tables),
        now=now,
        directory=directory,
        held=held,
        cases=cases,
    )


def _subject(root: MappingNode, policy_set: PolicySet, notes: Notes) -> Subject | None:
    node = root.get("tests_for")
    name = text(node)
    subject = Subject.of(policy_set, name) if name else None
    if subject is None and node is not None and name:
        known = [policy.name for policy in policy_set.policies]
        notes.known(name, known, node.place, "unknown-policy", "this folder")
    return subject


def _moment(node: Node | None, notes: Notes) -> int:
    """Return nanoseconds since 1970; a time without an offset would differ from machine to machine."""
    moment = nanoseconds(text(node) or _NOW)
    if moment is None and node is not None:
        notes.add(node.place, "bad-time", 'write the moment as RFC 3339 with its offset, as in "2026-03-01T09:00:00Z"')
    return moment or 0


def _replacements(node: Node | None, among: Collection[str], what: str, notes: Notes) -> dict[str, object]:
    """Return the constants or tables that stand in for those of the same name."""
    return {
        name: plain(value)
        for name, place, value in named(node)
        if notes.known(name, among, place, f"unknown-{what}", f"the {what}s of what is tested")
    }


def _directory(node: Node | None, notes: Notes) -> tuple[Mapping[str, object], ...]:
    users: list[Mapping[str, object]] = []
    ids: set[str] = set()
    for item in items(node):
        for name, place, value in named(item):
            if name not in {"id", "status"}:
                notes.attribute(f"user.{name}", place)
                notes.known_value(name, place, value)
            elif name == "id" and (user_id := text(value)):
                if user_id in ids:
                    notes.add(item.place, "duplicate-key", "a user above has the same id; keep one")
                ids.add(user_id)
        user = plain(item)
        if isinstance(user, dict):
            users.append(user)
    return tuple(users)


def _held(node: Node | None, world: World, notes: Notes) -> Held:
    held: dict[tuple[str, str], tuple[Owner, str]] = {}
    for item in items(node):
        if not isinstance(item, MappingNode):
            continue
        name, value, subject = (text(item.get(key)) for key in ("namespace", "value", "subject"))
        place = (item.get("namespace") or item).place
        if not name or not value or not notes.known(name, world.namespaces, place, "unknown-namespace", "the settings"):
            continue
        key = (name, world.namespaces[name].key(value))
        if key in held:
            notes.add(item.place, "duplicate-key", "an entry above holds the same value; keep one")
        held[key] = (Owner(text(item.get("application")) or APPLICATION["id"], subject), value)
    return held
