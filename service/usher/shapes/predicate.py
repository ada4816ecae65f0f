"""The quick yes: a schema as nested closures that answer only "it fits".

Owns speed, not judgement. Whatever a predicate does not accept is handed to jsonschema, whose word is final, and a
Hypothesis law holds the two together (tests/unit/shapes). A schema with a keyword not listed here gets no predicate.
jsonschema spends some 200 µs on Okta's sample, more than the whole of a hard-coded service; this spends under 10.
Closures hold no state: all threads share them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from usher.shapes.patterns import compiled

Predicate = Callable[[object], bool]

_ANNOTATIONS: Final = frozenset(
    {
        "$defs",
        "$comment",
        "title",
        "description",
        "examples",
        "default",
        "deprecated",
        "x-sensitivity",
    }
)


_OF_THE_DOCUMENT: Final = frozenset({"$schema", "$id"})
_PLAIN_POINTER: Final = re.compile(r"[^~%]*")  # `~` and `%` escape other characters in a reference


class _Unsupported(Exception):  # noqa: N818 - a signal between two functions of this module, not an error
    """The schema says something that only jsonschema understands."""


def predicate(schema: object, root: Mapping[str, object]) -> Predicate | None:
    """Return a function that is true only for values the schema accepts, or None where that cannot be said quickly."""
    try:
        return _Compiler(root).compile(schema)
    except _Unsupported:
        return None


class _Compiler:
    """Turns one schema document into closures; lives only while it compiles."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self._referred: dict[str, list[Predicate]] = {}

    def compile(self, schema: object) -> Predicate:
        if schema is True:
            return lambda _: True
        if schema is False:
            return lambda _: False
        if not isinstance(schema, dict):
            raise _Unsupported
        tests = self._tests(schema)
        if not tests:
            return lambda _: True
        if len(tests) == 1:
            return tests[0]
        return _all_of(tests)

    def _tests(self, schema: Mapping[str, object]) -> list[Predicate]:
        tests: list[Predicate] = []
        if "type" in schema:
            tests.append(_of_type(schema["type"]))
        members = {"properties", "required", "additionalProperties"} & schema.keys()
        if members:
            tests.append(self._members(schema))
        for keyword, value in schema.items():
            if keyword in _OF_THE_DOCUMENT and schema is self._root:
                continue  # deeper down they would give references another root, or keywords another meaning
            if keyword not in _ANNOTATIONS and keyword != "type" and keyword not in members:
                tests.append(self._keyword(keyword, value))
        return tests

    def _keyword(self, keyword: str, value: object) -> Predicate:
        match keyword, value:
            case "$ref", str():
                return self._reference(value)
            case "const", str():
                return lambda instance: instance == value
            case "enum", [*allowed] if all(item is None or isinstance(item, str) for item in allowed):
                members = frozenset(allowed)
                return lambda instance: (instance is None or isinstance(instance, str)) and instance in members
            case "items", _:
                item = self.compile(value)
                return lambda instance: not isinstance(instance, list) or all(map(item, instance))
            case (("anyOf" | "allOf"), [*branches]):
                tests = [self.compile(branch) for branch in branches]
                quantifier = any if keyword == "anyOf" else all
                return lambda instance: quantifier(test(instance) for test in tests)
        return _bound(keyword, value)

    def _reference(self, reference: str) -> Predicate:
        if not reference.startswith("#/") or not _PLAIN_POINTER.fullmatch(reference):
            raise _Unsupported
        if reference not in self._referred:
            # The cell is filled after compilation, so that a schema may refer to itself.
            cell = self._referred[reference] = []
            cell.append(self.compile(_pointed(self._root, reference)))
        target = self._referred[reference]
        return lambda value: target[0](value)  # noqa: PLW0108 - the cell may still be empty

    def _members(self, schema: Mapping[str, object]) -> Predicate:
        declared = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(declared, dict) or not isinstance(required, list):
            raise _Unsupported
        known = {str(name): self.compile(member) for name, member in declared.items()}
        extra = schema.get("additionalProperties", True)
        other = None if extra is False else self.compile(extra)
        names = [str(name) for name in required]

        def fits(instance: object) -> bool:
            if not isinstance(instance, dict):
                return True
            for name in names:
                if name not in instance:
                    return False
            for name, value in instance.items():
                test = known.get(name, other)
                if test is None or not test(value):
                    return False
            return True

        return fits


def _all_of(tests: list[Predicate]) -> Predicate:
    def fits(value: object) -> bool:
        for test in tests:  # noqa: SIM110 - all() over a generator takes twice as long
            if not test(value):
                return False
        return True

    return fits


def _pointed(root: Mapping[str, object], reference: str) -> object:
    value: object = root
    for part in reference[2:].split("/"):
        if not isinstance(value, dict) or part not in value:
            raise _Unsupported
        value = value[part]
    return value


def _of_type(kinds: object) -> Predicate:
    names = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
    python: dict[str, tuple[type, ...]] = {
        "object": (dict,),
        "array": (list,),
        "string": (str,),
        "boolean": (bool,),
        "null": (type(None),),
        "number": (int, float),
        "integer": (int,),
    }
    if not names <= python.keys():
        raise _Unsupported
    # Exact types keep true apart from 1. A whole float is an integer to jsonschema only: it gets its word later.
    allowed = frozenset(kind for name in names for kind in python[name])
    return lambda value: type(value) in allowed


def _bound(keyword: str, value: object) -> Predicate:
    if keyword == "pattern" and isinstance(value, str):
        search = compiled(value).search
        return lambda instance: not isinstance(instance, str) or search(instance) is not None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unsupported
    match keyword:
        case "minLength":
            return lambda instance: not isinstance(instance, str) or len(instance) >= value
        case "maxLength":
            return lambda instance: not isinstance(instance, str) or len(instance) <= value
        case "minItems":
            return lambda instance: not isinstance(instance, list) or len(instance) >= value
        case "maxItems":
            return lambda instance: not isinstance(instance, list) or len(instance) <= value
        case "minProperties":
            return lambda instance: not isinstance(instance, dict) or len(instance) >= value
        case "maxProperties":
            return lambda instance: not isinstance(instance, dict) or len(instance) <= value
    raise _Unsupported
