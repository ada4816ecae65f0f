"""The quick yes and jsonschema's word, held together over generated schemas and instances."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, validators

from usher.shapes import Shape
from usher.shapes.patterns import check_pattern
from usher.shapes.predicate import predicate

# The one word of ours: `$` is the end of the text, as JSON Schema says, and not the place before a last line break.
EcmaValidator = validators.extend(Draft202012Validator, {"pattern": check_pattern})  # type: ignore[no-untyped-call]

NAMES = st.sampled_from(["a", "b", "propertyNames", "properties", "x y", "$ref", "é"])
TEXTS = st.sampled_from(["", "a", "b", "aa", "aaa", "é", "\U0001f642", "1", "null", "a\n"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.0, 1.0, -0.0, 0.5, 1e300, 2.0, 10**20]) | TEXTS
)
INSTANCES = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["object", "array", "string", "boolean", "null", "number", "integer"])
REFERENCES = st.sampled_from(["#/$defs/a", "#/$defs/b", "#/$defs/tree"])
SIZES = st.integers(0, 3)


def keywords(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return schemas over the supported keywords."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "const": TEXTS,
            "enum": st.lists(TEXTS, min_size=1, max_size=3, unique=True),
            "items": children,
            "anyOf": st.lists(children, min_size=1, max_size=3),
            "allOf": st.lists(children, min_size=1, max_size=2),
            "properties": st.dictionaries(NAMES, children, max_size=3),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": children,
            "minLength": SIZES,
            "maxLength": SIZES,
            "minItems": SIZES,
            "maxItems": SIZES,
            "minProperties": SIZES,
            "maxProperties": SIZES,
            "pattern": st.sampled_from(["^a", "a$", "^$|^a+$", "[^b]"]),
            "$ref": REFERENCES,
            "title": TEXTS,
            "x-sensitivity": st.just("none"),
        },
    )


SCHEMAS = st.recursive(st.booleans() | keywords(st.booleans()), keywords, max_leaves=6)
TREE = {
    "type": ["object", "array", "null"],
    "additionalProperties": {"$ref": "#/$defs/tree"},
    "items": {"$ref": "#/$defs/tree"},
}


def document(schema: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a whole schema document; definitions hold no references but `tree`, so every walk ends."""
    body = schema if isinstance(schema, dict) else {"allOf": [schema]}
    return {**body, "$defs": {**definitions, "tree": TREE}}


PLAIN = st.recursive(st.booleans(), keywords, max_leaves=3).map(
    lambda schema: json.loads(
        json.dumps(schema).replace("#/$defs/a", "#/$defs/tree").replace("#/$defs/b", "#/$defs/tree")
    )
)
DOCUMENTS = st.builds(document, SCHEMAS, st.fixed_dictionaries({"a": PLAIN, "b": PLAIN}))


@given(DOCUMENTS, INSTANCES)
@example({"type": "integer", "$defs": {}}, 1.0)
@example({"items": {"type": "integer"}, "$defs": {}}, [True])
@example({"items": {"type": "number"}, "$defs": {}}, [False])
@example({"type": "boolean", "$defs": {}}, 1)
@example({"enum": ["1"], "$defs": {}}, 1)
def test_a_shape_accepts_exactly_what_jsonschema_accepts(schema: dict[str, Any], instance: object) -> None:
    """Law: quick or slow, the word is jsonschema's; and faults are there exactly when the value does not fit."""
    valid = EcmaValidator(schema).is_valid(instance)
    shape = Shape(schema)
    assert shape.accepts(instance) is valid
    assert (shape.faults(instance) == ()) is valid


@given(DOCUMENTS, INSTANCES)
def test_the_quick_yes_is_never_wrong(schema: dict[str, Any], instance: object) -> None:
    """Law: the predicate exists for every supported schema and says yes only where jsonschema does."""
    accepts = predicate(schema, schema)
    assert accepts is not None
    if accepts(instance):
        assert EcmaValidator(schema).is_valid(instance)


@given(DOCUMENTS, INSTANCES)
def test_faults_lead_to_a_place_in_the_instance(schema: dict[str, Any], instance: object) -> None:
    """Law: every path of a fault can be followed, and the faults stand in the order of their places."""
    faults = Shape(schema).faults(instance)
    for fault in faults:
        place: Any = instance
        for step in fault.path:
            place = place[step]
        assert fault.code
        assert fault.json_path.startswith("$")
    assert list(faults) == sorted(faults, key=lambda fault: ([str(part) for part in fault.path], fault.code, fault.key))


def marked(value: object) -> object:
    """Return the instance with every text replaced by one that stands nowhere else."""
    if isinstance(value, str):
        return "Geheimnis-" + value
    if isinstance(value, list):
        return [marked(item) for item in value]
    if isinstance(value, dict):
        return {name: marked(member) for name, member in value.items()}
    return 987_654_321 if isinstance(value, int) and not isinstance(value, bool) else value


@given(DOCUMENTS, INSTANCES)
@example(
    {"properties": {"propertyNames": {"type": "string", "pattern": "^x"}}, "$defs": {}}, {"propertyNames": "Person"}
)
@example({"patternProperties": {"^a": {"const": "x"}}, "additionalProperties": False, "$defs": {}}, {"a": "Person"})
def test_a_fault_never_holds_a_value_of_the_instance(schema: dict[str, Any], instance: object) -> None:
    """Law: a fault goes into logs and into Okta's System Log; what it was about does not."""
    for fault in Shape(schema).faults(marked(instance)):
        told = f"{fault.json_path} {fault.code} {fault.message} {fault.key}"
        assert "Geheimnis" not in told
        assert "987654321" not in told
