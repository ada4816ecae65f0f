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
from usher.proof.fixtures import BadPathError, Wire, body_of, inline_request, overlaid
from usher.proof.noting import Notes, named
from usher.proof.world import World

_DATA = "testdata"
_PROFILES = ("user", "appuser")


@dataclass(frozen=True, slots=True)
class Fixture:
    """A request by name, and as it arrives; `inline` when the test file alone says what it holds."""

    request: Wire
    body: bytes
    inline: bool


def read_fixtures(
    node: Node | None, file: SourceFile, payloads: Mapping[str, SourceFile], world: World, notes: Notes
) -> dict[str, Fixture | None]:
    """Return the fixtures by name; None for one that has a fault, so that its use is no second one."""
    fixtures: dict[str, Fixture | None] = {}
    for name, place, member in named(node):
        fixtures[name] = None
        if isinstance(member, MappingNode):
            request = _request(member, file, payloads, notes)
            body = None if request is None else checked_body(request, f"{name} is", place, world, notes)
            if request is not None and body is not None:
                fixtures[name] = Fixture(request, body, inline=member.get("request") is None)
    return fixtures


def checked_body(request: Wire, what: str, place: Place, world: World, notes: Notes) -> bytes | None:
    """Return a request as it arrives; None for one that Okta could not send, which is noted as what `what` says."""
    body = body_of(request)
    told = [f"{fault.json_path} {fault.message}" for fault in world.request.faults(request)]
    try:
        wire.parse(body)
    except wire.NotParsableError as error:
        if error.code == "not-unicode":  # half a character: no payload is read with one, and YAML has told of its own
            return None
        told.append(str(error))
    for message in told:
        notes.add(place, "bad-fixture", f"{what} no import request: {message}")
    return None if told else body


def _request(node: MappingNode, file: SourceFile, payloads: Mapping[str, SourceFile], notes: Notes) -> Wire | None:
    for root in _PROFILES:
        for attribute, place, value in named(node.get(root)):
            notes.attribute(f"{root}.{attribute}", place, warning=True)
            notes.sent_value(f"{root}.{attribute}", place, value)
    said = plain(node)
    parts = said if isinstance(said, dict) else {}
    named_file = node.get("request")
    try:
        if named_file is None:
            return inline_request(parts)
        payload = _payload(named_file, file, payloads, notes)
        return None if payload is None else overlaid(payload, parts)
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
