"""The fixtures of a test file: each a whole request, from a payload file or from the parts that matter.

Owns where a payload is looked for and that a fixture is what Okta could send. Collects, never raises; one thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from usher.answer import wire
from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.engine.folder import SourceFile
from usher.engine.nodes import text
from usher.engine.yaml_text import Mapping as MappingNode
from usher.engine.yaml_text import Node, Scalar, plain
from usher.proof.fixtures import BadPathError, Wire, inline_request, overlaid
from usher.proof.noting import Notes, named
from usher.proof.world import World

_DATA = "testdata"
_PROFILES = ("user", "appuser")


@dataclass(frozen=True, slots=True)
class Fixture:
    """A request by name; `inline` when the test file alone says what it holds."""

    request: Wire
    inline: bool


def read_fixtures(
    node: Node | None, file: SourceFile, payloads: Mapping[str, SourceFile], world: World, notes: Notes
) -> dict[str, Fixture | None]:
    """Return the fixtures by name; None for one that has a fault, so that its use is no second one."""
    fixtures: dict[str, Fixture | None] = {}
    for name, place, member in named(node):
        fixtures[name] = None
        if isinstance(member, MappingNode):
            made = _fixture(member, file, payloads, notes)
            if made is not None and _is_request(made.request, name, place, world, notes):
                fixtures[name] = made
    return fixtures


def _fixture(node: MappingNode, file: SourceFile, payloads: Mapping[str, SourceFile], notes: Notes) -> Fixture | None:
    for root in _PROFILES:
        for attribute, place, _ in named(node.get(root)):
            notes.attribute(f"{root}.{attribute}", place, warning=True)
    said = plain(node)
    parts = said if isinstance(said, dict) else {}
    named_file = node.get("request")
    try:
        if named_file is None:
            return Fixture(inline_request(parts), inline=True)
        payload = _payload(named_file, file, payloads, notes)
        return None if payload is None else Fixture(overlaid(payload, parts), inline=False)
    except BadPathError:
        notes.add(node.place, "bad-path", "the payload has no profiles or context that this could be put into")
        return None


def _payload(node: Node, file: SourceFile, payloads: Mapping[str, SourceFile], notes: Notes) -> Wire | None:
    """Return a payload file's content: from testdata/ beside the test file, else at the top of the folder."""
    name = text(node)
    above = file.name.rpartition("/")[0]
    paths = [f"{folder}/{name}" if folder else name for folder in (f"{above}/{_DATA}" if above else _DATA, _DATA)]
    found = next((payloads[path] for path in paths if path in payloads), None)
    if found is None:
        if isinstance(node, Scalar) and name:
            known = [path.rpartition(f"{_DATA}/")[2] for path in payloads]
            notes.add(node.place, "no-such-file", f"there is no {paths[0]}{did_you_mean(name, known)}")
        return None
    return _content(found, notes)


def _content(file: SourceFile, notes: Notes) -> Wire | None:
    content = file.text()
    if isinstance(content, Problem):
        notes.problems.append(content)
        return None
    try:
        payload = wire.parse(content.encode())
    except wire.NotParsableError as error:
        place = Place(file.shown, error.line or 0, error.column or 0)
        notes.add(place, "json-syntax", f"not a request Okta could send: {error}")
        return None
    if not isinstance(payload, dict):
        notes.add(Place(file.shown), "json-syntax", "a payload is a JSON object")
        return None
    return payload


def _is_request(request: Wire, name: str, place: Place, world: World, notes: Notes) -> bool:
    """Check a fixture against the request schema."""
    faults = world.request.faults(request)
    for fault in faults:
        notes.add(place, "bad-fixture", f"{name} is no import request: {fault.json_path} {fault.message}")
    return not faults
