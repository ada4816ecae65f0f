"""From jsonschema's errors to faults: a path, a code and a message without values.

Owns the wording. jsonschema's own messages quote the instance, which here is a person: they are never used. Pure
functions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jsonschema.exceptions import ValidationError

from usher.shapes.patterns import compiled

_MAX_NAME_CHARS: Final = 80
_JSON_WORDS: Final = {"None": "null", "True": "true", "False": "false"}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_KEYWORDS_WITH_A_STEP: Final = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "allOf", "anyOf", "oneOf", "prefixItems"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a value breaks its schema.

    `path` leads from the root to the place; `code` is the schema keyword; `key` names the missing or unknown member.
    """

    path: tuple[str | int, ...]
    code: str
    message: str
    key: str = ""

    @property
    def json_path(self) -> str:
        """Return the path as `$.data.context.matches[0]`; a name that is no identifier stands as `['two words']`."""
        return "$" + "".join(map(_step, self.path))


def faults_of(errors: Iterable[ValidationError]) -> Iterator[Fault]:
    """Turn jsonschema's errors into faults; of `anyOf` and `oneOf` it says only that no branch fits."""
    for error in errors:
        path = tuple(error.absolute_path)
        keyword = str(error.validator or "false")
        if _is_about_a_name(error):
            name = str(error.instance)
            yield Fault(
                (*path, name),
                "propertyNames",
                f"{_clip(name)}: a name {_message(keyword, error.validator_value)}",
                name,
            )
        elif keyword == "required":
            yield from _missing(error, path)
        elif keyword == "additionalProperties" and error.validator_value is False:
            yield from _unknown(error, path)
        else:
            yield Fault(path, keyword, _message(keyword, error.validator_value))


def _is_about_a_name(error: ValidationError) -> bool:
    """Say whether a member's name is at fault. A member that is itself called `propertyNames` is not meant."""
    steps = iter(error.absolute_schema_path)
    for keyword in steps:
        if keyword == "propertyNames":
            return True
        if keyword in _KEYWORDS_WITH_A_STEP:
            next(steps, None)
    return False


def _missing(error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    # jsonschema reports one error per missing member but names it only inside its message, which begins with its repr.
    for name in _names(error.validator_value):
        if isinstance(error.instance, Mapping) and name not in error.instance and error.message.startswith(repr(name)):
            yield Fault(path, "required", f"{name} is missing", name)


def _unknown(error: ValidationError, path: tuple[str | int, ...]) -> Iterator[Fault]:
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name in error.instance if isinstance(error.instance, Mapping) else ():
        if name not in declared and not any(compiled(pattern).search(name) for pattern in patterns):
            yield Fault((*path, name), "additionalProperties", f"{_clip(str(name))} is not known here", str(name))


def _message(keyword: str, expected: object) -> str:  # noqa: C901  one line per keyword
    match keyword, expected:
        case "type", str():
            return f"must be {_article(expected)}"
        case "type", [*kinds]:
            return "must be " + " or ".join(_article(str(kind)) for kind in kinds)
        case "const", _:
            return f"must be {expected}"
        case "enum", [*allowed]:
            return "must be one of " + ", ".join(_JSON_WORDS.get(str(value), str(value)) for value in allowed)
        case (("minLength" | "maxLength"), _):
            return f"must have at {'least' if keyword == 'minLength' else 'most'} {expected} characters"
        case (("minItems" | "maxItems"), _):
            return f"must have at {'least' if keyword == 'minItems' else 'most'} {expected} items"
        case (("minProperties" | "maxProperties"), _):
            return f"must have at {'least' if keyword == 'minProperties' else 'most'} {expected} members"
        case "false", _:
            return "holds what the schema allows nowhere"  # jsonschema leaves out where
        case "uniqueItems", _:
            return "must not hold an item twice"
        case "pattern", _:
            return f"must match {expected}"
    return f"breaks the schema's {keyword}"


def _article(kind: str) -> str:
    return {"array": "a list", "object": "an object", "integer": "a whole number", "null": "null"}.get(
        kind, f"a {kind}"
    )


def _names(value: object) -> Sequence[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{_clip(part)}" if _IDENTIFIER.fullmatch(part) else f"['{_clip(part)}']"


def _clip(name: str) -> str:
    """Shorten a name to one line of bounded length: it comes from whoever wrote the document."""
    shown = name if name.isprintable() else repr(name)[1:-1]
    return shown if len(shown) <= _MAX_NAME_CHARS else shown[:_MAX_NAME_CHARS] + "…"
