"""Which schemas become shapes, and how faults read."""

from typing import Any

import pytest

from usher.errors import UsherError
from usher.shapes import BadSchemaError, Shape
from usher.shapes.predicate import predicate


@pytest.mark.parametrize(
    ("schema", "accepted", "refused"),
    [
        ({"minimum": 3}, 3, 2),
        ({"const": 1}, 1, 2),
        ({"enum": ["a", 1]}, 1, 2),
        ({"oneOf": [{"type": "string"}, {"const": "a"}]}, "b", "a"),
        ({"not": {"type": "string"}}, 1, "a"),
        ({"patternProperties": {"^a": False}}, {"b": 1}, {"a": 1}),
        ({"propertyNames": {"pattern": "^a"}}, {"a": 1}, {"b": 1}),
        ({"uniqueItems": True}, [1, 2], [1, 1]),
        ({"prefixItems": [{"type": "null"}], "items": False}, [None], [None, None]),
        ({"minLength": 2.0}, "aa", "a"),
        ({"if": {"type": "string"}, "then": {"minLength": 1}}, 1, ""),
        ({"properties": {"a": {"minimum": 3}}}, {"a": 3}, {"a": 2}),
        ({"items": {"multipleOf": 2}}, [2], [3]),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}, "a~1b": True}}, None, 1),
        ({"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "null"}}}, None, 1),
        (
            {
                "$defs": {"x": True, "own": {"$id": "urn:own", "$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}},
                "$ref": "#/$defs/own",
            },
            None,
            1,
        ),
    ],
)
def test_what_the_predicate_does_not_speak_is_left_to_jsonschema(
    schema: dict[str, Any], accepted: object, refused: object
) -> None:
    """No quick yes for an unsupported keyword; the shape judges all the same."""
    assert predicate(schema, schema) is None
    assert Shape(schema).accepts(accepted)
    assert not Shape(schema).accepts(refused)
    assert Shape(schema).faults(accepted) == ()
    assert Shape(schema).faults(refused)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "text"}, ("type",)),
        ({"properties": {"a": {"minLength": "3"}}}, ("properties", "a", "minLength")),
        ({"pattern": "("}, ("pattern",)),
        ({"required": "a"}, ("required",)),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",)),
        ({"$ref": "#/$defs/nowhere"}, ()),
        ({"items": {"properties": {"a": {"$ref": "#/$defs/nowhere"}}}}, ()),
        ({"$ref": "https://example.com/elsewhere.json"}, ()),
        ({"$ref": "elsewhere.json"}, ()),
    ],
)
def test_what_is_no_schema_is_refused_when_it_is_compiled(schema: dict[str, Any], path: tuple[str, ...]) -> None:
    """A schema is wrong on the admin's desk, not on the day somebody is imported; nothing is fetched from afar."""
    with pytest.raises(BadSchemaError) as caught:
        Shape(schema)
    assert caught.value.path == path
    assert isinstance(caught.value, UsherError)
    assert "\n" not in str(caught.value)


def test_a_member_may_be_called_ref() -> None:
    """`$ref` is a reference only where a schema may stand."""
    shape = Shape({"properties": {"$ref": {"type": "string"}}, "required": ["$ref"]})
    assert shape.accepts({"$ref": "nowhere"})
    assert not shape.accepts({"$ref": 1})


@pytest.mark.parametrize(
    ("schema", "instance", "told"),
    [
        ({"type": "string"}, 1, "$ type: must be a string"),
        ({"type": "object"}, 1, "$ type: must be an object"),
        ({"type": ["array", "null"]}, 1, "$ type: must be a list or null"),
        ({"type": "integer"}, "x", "$ type: must be a whole number"),
        ({"const": "v1"}, "x", "$ const: must be v1"),
        ({"enum": ["A", "B"]}, "x", "$ enum: must be one of A, B"),
        ({"minLength": 2}, "x", "$ minLength: must have at least 2 characters"),
        ({"maxLength": 1}, "xx", "$ maxLength: must have at most 1 characters"),
        ({"minItems": 1}, [], "$ minItems: must have at least 1 items"),
        ({"maxItems": 1}, [1, 2], "$ maxItems: must have at most 1 items"),
        ({"minProperties": 1}, {}, "$ minProperties: must have at least 1 members"),
        ({"maxProperties": 0}, {"a": 1}, "$ maxProperties: must have at most 0 members"),
        ({"pattern": "^a"}, "x", "$ pattern: must match ^a"),
        ({"required": ["a"]}, {}, "$ required: a is missing"),
        ({"additionalProperties": False}, {"b": 1}, "$.b additionalProperties: b is not known here"),
        ({"properties": {"a": False}}, {"a": 1}, "$ false: holds what the schema allows nowhere"),
        ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, "$.b propertyNames: b: a name must match ^a"),
        ({"minimum": 3}, 1, "$ minimum: breaks the schema's minimum"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, 1, "$ anyOf: breaks the schema's anyOf"),
        ({"properties": {"a": {"items": {"type": "null"}}}}, {"a": [None, 1]}, "$.a[1] type: must be null"),
        (
            {"additionalProperties": False},
            {"two words": 1},
            "$['two words'] additionalProperties: two words is not known here",
        ),
        ({"additionalProperties": False}, {"a\nb": 1}, "$['a\\nb'] additionalProperties: a\\nb is not known here"),
    ],
)
def test_a_fault_says_where_and_what(schema: dict[str, Any], instance: object, told: str) -> None:
    """JSON path, code and one line of message."""
    [fault] = Shape(schema).faults(instance)
    assert f"{fault.json_path} {fault.code}: {fault.message}" == told


def test_every_missing_and_every_unknown_member_is_named_once() -> None:
    """All faults at once, each with the member's name in `key`."""
    shape = Shape(
        {
            "required": ["b", "a", "it's"],
            "properties": {"a": {}, "b": {}, "it's": {}},
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
        }
    )
    faults = shape.faults({"d": 1, "c": 2, "x-note": 3})
    assert [(fault.code, fault.key) for fault in faults] == [
        ("required", "a"),
        ("required", "b"),
        ("required", "it's"),
        ("additionalProperties", "c"),
        ("additionalProperties", "d"),
    ]


def test_a_long_name_is_shortened() -> None:
    """A name in the message comes from the sender: it may not flood a log."""
    [fault] = Shape({"additionalProperties": False}).faults({"n" * 10_000: 1})
    assert len(fault.message) < 200
    assert len(fault.json_path) < 200


def test_faults_are_bounded() -> None:
    """A hundred thousand faults are as good as a hundred."""
    shape = Shape({"items": {"type": "string"}})
    assert len(shape.faults([1] * 1000)) == 100
    assert len(shape.faults([1] * 1000, limit=3)) == 3


def test_a_schema_may_speak_of_itself() -> None:
    """A reference within the document may be recursive."""
    shape = Shape(
        {
            "$ref": "#/$defs/node",
            "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        }
    )
    assert shape.accepts({"next": {"next": {}}})
    [fault] = shape.faults({"next": {"next": 1}})
    assert fault.path == ("next", "next")
