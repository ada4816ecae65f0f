r"""Regular expressions of JSON Schema, as Python reads them.

Owns one difference: to JSON Schema (ECMA-262) `$` is the end of the text, to Python also the place before a final line
break. `^[^@\s]+@[^@\s]+$` would accept a login that ends in one, and send it to Okta. Pure functions.
"""

import functools
import re
from collections.abc import Iterator, Mapping

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\$|[^\\\[$]+|.", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a schema's pattern; schemas are few and come from files, so those in force are kept."""
    return re.compile("".join(r"\Z" if token == "$" else token for token in _TOKEN.findall(pattern)))  # noqa: S105 - no secret


def check_pattern(
    validator: Validator, pattern: str, instance: object, schema: Mapping[str, object]
) -> Iterator[ValidationError]:
    """Stand in for jsonschema's own `pattern`."""
    del validator, schema
    if isinstance(instance, str) and not compiled(pattern).search(instance):
        yield ValidationError("the text does not match")
