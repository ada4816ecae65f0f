"""The schemas that editors read explain every key, and their examples are good ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from usher.shapes import Shape

FOLDER = Path(__file__).parents[2] / "schemas"
NAMES = ("policy.schema.json", "policy-test.schema.json")


def schema(name: str) -> dict[str, Any]:
    """Return a schema of the checkout."""
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def subschemas(node: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema within a schema, with its path; what only holds values (examples, enum) is passed over."""
    if isinstance(node, dict):
        yield path, node
        for key in ("properties", "$defs"):
            for name, member in node.get(key, {}).items():
                yield from subschemas(member, f"{path}/{key}/{name}")
        for key in ("items", "additionalProperties", "propertyNames"):
            yield from subschemas(node.get(key), f"{path}/{key}")


CASES = [(name, path, node) for name in NAMES for path, node in subschemas(schema(name))]


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_explained(name: str) -> None:
    """An editor shows a sentence at every key an admin can write, and the schema says what it is for."""
    silent = [
        path
        for path, node in subschemas(schema(name))
        if path.rpartition("/")[0].endswith(("properties", "$defs"))
        and not str(node.get("description", "")).endswith(".")
    ]
    assert silent == []
    assert schema(name)["description"]


@pytest.mark.parametrize(("name", "path", "node"), [case for case in CASES if "examples" in case[2]], ids=str)
def test_an_example_is_valid(name: str, path: str, node: dict[str, Any]) -> None:
    """What the editor offers can be used as it is."""
    del path
    shape = Shape({"$defs": schema(name)["$defs"], **node})
    assert node["examples"]
    for example in node["examples"]:
        assert shape.faults(example) == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_key_shows_how_it_is_written(name: str) -> None:
    """Words alone leave the spelling open: where a key's own schema does not show it, an example does."""
    bare = [
        path
        for path, node in subschemas(schema(name))
        if path.rpartition("/")[0].endswith("properties")
        and not {"examples", "enum", "$ref"} & node.keys()
        and path.rpartition("/")[2] not in {"description", "tests"}
    ]
    assert bare == ["/$defs/branch/properties/first"] * (name == "policy.schema.json")
