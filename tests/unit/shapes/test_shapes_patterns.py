"""Patterns mean what JSON Schema says, not what Python's `re` makes of them."""

import pytest

from usher.bootstrap.schemas import Schemas
from usher.shapes import BadSchemaError, Shape


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("^a\\$", "a$", True),
        ("[$]", "$", True),
        ("[\\]$]x", "$x", True),
        ("a$|^$", "", True),
        ("a$|^$", "\n", False),
        ("a", "bab", True),
    ],
)
def test_the_end_of_a_pattern_is_the_end_of_the_text(pattern: str, text: str, *, fits: bool) -> None:
    """A `$` outside of a class and not escaped is the very end, for the quick yes and for jsonschema alike."""
    quick, slow = Shape({"pattern": pattern}), Shape({"pattern": pattern, "format": "regex"})
    assert (quick.accepts(text), slow.accepts(text)) == (fits, fits)
    assert bool(quick.faults(text)) is not fits


@pytest.mark.parametrize(
    ("target", "value"),
    [("user.login", "ann@example.com\n"), ("user.countryCode", "DE\n"), ("appuser.email", "ann@example.com\n")],
)
def test_no_shipped_attribute_takes_a_last_line_break(schemas: Schemas, target: str, value: str) -> None:
    """What Okta would store as another login than the one that was checked is refused."""
    profiles = schemas.profiles.profiles
    assert profiles is not None
    assert profiles.accepts(target, value.strip(), {})
    assert not profiles.accepts(target, value, {})


def test_a_pattern_that_is_none_is_refused_when_loaded() -> None:
    """Else the first value that comes to it would fail."""
    with pytest.raises(BadSchemaError, match="not a JSON Schema"):
        Shape({"properties": {"a": {"pattern": "("}}})
