"""From a fault of a schema to a problem at its place in a YAML file: for policies and for their tests.

Owns the codes of structure, how a path is followed through nodes, and which keys a schema knows where. Pure functions,
used while loading.
"""

from collections.abc import Mapping as AbstractMapping
from typing import Final

from usher.domain.place import Place, Problem
from usher.domain.suggestions import did_you_mean
from usher.engine.yaml_text import Listing, Mapping, Node
from usher.shapes import Fault, Shape

_CODES: Final = {
    "required": "missing-key",
    "additionalProperties": "unknown-key",
    "propertyNames": "bad-name",
    "type": "wrong-type",
}

Path = tuple[str | int, ...]


def structure_problem(root: Node, fault: Fault, shape: Shape, *, message: str = "") -> Problem:
    """Say a fault at its place in the file; `message` stands in for the schema's own words."""
    _, place = follow(root, fault.path)
    return Problem(place, _CODES.get(fault.code, "bad-value"), message or fault_message(fault, shape))


def fault_message(fault: Fault, shape: Shape) -> str:
    """Return where a fault is and what is wrong, with the known key that is closest to an unknown one."""
    if fault.code == "additionalProperties":
        return fault.message + did_you_mean(fault.key, _declared(shape.schema, fault.path[:-1]))
    where = path_text(fault.path)
    return f"{where}: {fault.message}" if where else fault.message


def path_text(path: Path) -> str:
    """Return the names along a path, as in `rules.set.user.login`."""
    return ".".join(str(part) for part in path if not isinstance(part, int))


def follow(root: Node, path: Path) -> tuple[Node, Place]:
    """Return the node at a path and the place to show: a key's own place where the value has none better."""
    node, place = root, root.place
    for part in path:
        if isinstance(node, Mapping):
            entry = next(((key, value) for key, value in node.entries if key.value == part), None)
            if entry is None:
                break
            place = entry[0].place
            node = entry[1]
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = node.place
    return node, place


def _declared(schema: AbstractMapping[str, object], path: Path) -> list[str]:
    """Return the keys a schema knows at a path."""
    here: object = _resolved(schema, schema)
    for part in path:
        here = _resolved(_member(here, part), schema)
    properties = here.get("properties") if isinstance(here, dict) else None
    return list(properties) if isinstance(properties, dict) else []


def _member(schema: object, part: str | int) -> object:
    if not isinstance(schema, dict):
        return None
    if isinstance(part, int):
        return schema.get("items")
    properties = schema.get("properties")
    named = properties.get(part) if isinstance(properties, dict) else None
    return named if named is not None else schema.get("additionalProperties")


def _resolved(schema: object, root: AbstractMapping[str, object]) -> object:
    """Follow references within the document."""
    while isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        schema = root
        for step in reference.removeprefix("#/").split("/"):
            schema = schema.get(step) if isinstance(schema, dict) else None
    return schema
