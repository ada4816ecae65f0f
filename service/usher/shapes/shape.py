"""`Shape`: one JSON Schema, checked and compiled once.

Owns the division of labour: the predicate says yes quickly, jsonschema says no with reasons. Immutable; serves all
threads.
"""

import itertools
from collections.abc import Mapping
from typing import Final

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from usher.errors import UsherError
from usher.shapes.faults import Fault, faults_of
from usher.shapes.patterns import check_pattern
from usher.shapes.predicate import predicate

_VALIDATOR: Final = validators.extend(  # type: ignore[no-untyped-call]  # jsonschema leaves it untyped
    Draft202012Validator, {"pattern": check_pattern}
)
_MAX_FAULTS: Final = 100
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class BadSchemaError(UsherError):
    """A document is not a JSON Schema 2020-12; `path` leads to the member at fault."""

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"not a JSON Schema 2020-12: {reason}")


class Shape:
    """A compiled schema."""

    __slots__ = ("_accepts", "_validator", "schema")

    def __init__(self, schema: object) -> None:
        """Compile the schema; raises `BadSchemaError`. Only references within the document are followed."""
        if not isinstance(schema, dict):
            raise BadSchemaError((), "the document is no object")
        if (dialect := schema.get("$schema", _DIALECT)) != _DIALECT:
            raise BadSchemaError(("$schema",), f"write {_DIALECT}, or convert it from {dialect}")
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            keyword = str(error.validator)
            raise BadSchemaError(tuple(error.absolute_path), f"the value of this member breaks {keyword}") from None
        self.schema: Final[Mapping[str, object]] = schema
        # APPSEC: an empty registry: by default jsonschema fetches what a reference names over the network.
        self._validator: Final = _VALIDATOR(schema, registry=Registry())
        _check_references(schema)
        self._accepts: Final = predicate(schema, schema) or self._validator.is_valid

    def accepts(self, value: object) -> bool:
        """Say whether the value fits."""
        return self._accepts(value) or self._validator.is_valid(value)

    def faults(self, value: object, *, limit: int = _MAX_FAULTS) -> tuple[Fault, ...]:
        """Return what breaks the schema, at most `limit` faults, ordered by place; empty when the value fits."""
        if self._accepts(value):
            return ()
        found = itertools.islice(faults_of(self._validator.iter_errors(value)), limit)
        return tuple(sorted(found, key=lambda fault: ([str(part) for part in fault.path], fault.code, fault.key)))


def _check_references(schema: Mapping[str, object]) -> None:
    """Refuse a reference that leads nowhere; else the first value that comes to it would fail."""
    root = DRAFT202012.create_resource(schema)
    waiting = [(root, Registry().resolver_with_root(root))]
    while waiting:
        part, resolver = waiting.pop()
        for keyword in ("$ref", "$dynamicRef"):
            reference = part.contents.get(keyword) if isinstance(part.contents, Mapping) else None
            try:
                if isinstance(reference, str):
                    resolver.lookup(reference)
            except Unresolvable:
                raise BadSchemaError((), f"the reference {reference} leads nowhere in this document") from None
        waiting.extend((child, resolver.in_subresource(child)) for child in part.subresources())
