"""Usher's own functions for the data of people: `ascii`, `slug`, `fold`, `title`, `e164`, `date`.

Texts longer than a name, a phone number or a date can be are refused as exceeding a bound. Pure but for that; any
thread.
"""

from __future__ import annotations

import functools
import re
from datetime import date

import phonenumbers

from usher.cel.countries import codes_by_name
from usher.cel.errors import EvaluationError
from usher.cel.limits import Budget
from usher.cel.names_of_people import LANGUAGES, has_many_marks, slugged, titled, transliterated
from usher.cel.signatures import STRING, TEXT_OR_NULL, Library
from usher.domain.fold import fold

library = Library()

_PHONE_CHARS = 250  # the library's own limit
_PHONE_WORK = 300  # what it takes for a number, in characters of slow work
_TWO, _ONE_OR_TWO = re.compile("[0-9]{2}"), re.compile("[0-9]{1,2}")
_TOKENS = {
    "YYYY": re.compile("[0-9]{4}"),
    "MMM": re.compile("[A-Za-z]{3}"),
    "MM": _TWO,
    "DD": _TWO,
    "M": _ONE_OR_TWO,
    "D": _ONE_OR_TWO,
}
_TOKEN = re.compile("YYYY|MMM|MM|DD|M|D|.", re.DOTALL)
_PARTS = ["D", "M", "Y"]
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FORMAT_CHARS = 40
_MARKS = 30  # Unicode's own bound for text in streams (UAX #15, stream-safe text)


def _name(budget: Budget, text: str) -> str:
    # Errors of the rule, not of the decision: whoever sends a name must not decide whether there is an answer.
    if len(text) > budget.limits.name_chars:
        raise EvaluationError(
            "too-long-text", f"the text is longer than the {budget.limits.name_chars} characters this function takes"
        )
    budget.toil(len(text))
    # APPSEC: normalization sorts the marks of one letter, in time quadratic in their number.
    if len(text) > _MARKS and not text.isascii() and has_many_marks(text, _MARKS):
        raise EvaluationError("too-long-text", f"a letter of the text has more than {_MARKS} combining marks")
    return budget.text(text)


def _language_problem(language: object) -> str | None:
    return None if language in LANGUAGES else f"expected one of the languages {', '.join(sorted(LANGUAGES))}"


def _known(language: str) -> str:
    if language not in LANGUAGES:
        raise EvaluationError("bad-language", f"expected one of the languages {', '.join(sorted(LANGUAGES))}")
    return language


@library.function("ascii", (STRING,), STRING, bounded=True)
def to_ascii(budget: Budget, text: str) -> str:
    """Any script in ASCII."""
    return budget.text(transliterated(_name(budget, text)))


@library.function("ascii", (STRING, STRING), STRING, bounded=True, checks={1: _language_problem})
def to_ascii_of(budget: Budget, text: str, language: str) -> str:
    """Any script in ASCII, the way of one language."""
    return budget.text(transliterated(_name(budget, text), _known(language)))


@library.function("slug", (STRING,), STRING, bounded=True)
def slug(budget: Budget, text: str) -> str:
    """Letters and digits in lower-case ASCII, words joined by `-`, apostrophes dropped."""
    return budget.text(slugged(_name(budget, text)))


@library.function("slug", (STRING, STRING), STRING, bounded=True, checks={1: _language_problem})
def slug_of(budget: Budget, text: str, language: str) -> str:
    """Return a slug, the way of one language."""
    return budget.text(slugged(_name(budget, text), _known(language)))


@library.function("fold", (STRING,), STRING, bounded=True)
def folded(budget: Budget, text: str) -> str:
    """Return the key under which Okta compares logins."""
    return budget.text(fold(_name(budget, text)))


@library.function("title", (STRING,), STRING, bounded=True)
def title(budget: Budget, text: str) -> str:
    """Return a name in the capitals it is usually written with."""
    return titled(_name(budget, text))


@functools.cache
def _codes() -> dict[str, str]:
    return codes_by_name()


@library.function("e164", (TEXT_OR_NULL, TEXT_OR_NULL), TEXT_OR_NULL, bounded=True)
def e164(budget: Budget, phone: str | None, country: str | None) -> str | None:
    """Return the number in E.164, dialled in a country (ISO code or English name); null if it is no valid number."""
    if phone is None or len(phone) > _PHONE_CHARS:
        return None
    budget.toil(_PHONE_WORK)
    country = country if country and len(country) <= _PHONE_CHARS else ""
    region = _codes().get(country.strip().casefold())
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _format_problem(layout: object) -> str | None:
    if isinstance(layout, str) and len(layout) <= _FORMAT_CHARS and _parts(layout) is not None:
        return None
    return "expected a format with one of YYYY, one of MM, M, MMM and one of DD, D"


def _parts(layout: str) -> list[str] | None:
    """Return the first letters of the tokens, in order, if the format names a whole date."""
    found = [token[0] for token in _TOKEN.findall(layout) if token in _TOKENS]
    return found if sorted(found) == _PARTS else None


def _read(text: str, layout: str) -> dict[str, str] | None:
    """Year, month and day as written, by Y, M and D. Patterns are never built from a format: `re` would keep them."""
    part: dict[str, str] = {}
    position = 0
    for token in _TOKEN.findall(layout):
        match = _TOKENS[token].match(text, position) if token in _TOKENS else None
        if match:
            part[token[0]] = match[0]
        elif token in _TOKENS or text[position : position + 1] != token:
            return None
        position = match.end() if match else position + 1
    return part if position == len(text) else None


@library.function("date", (TEXT_OR_NULL, STRING), TEXT_OR_NULL, bounded=True, checks={1: _format_problem})
def iso_date(budget: Budget, text: str | None, layout: str) -> str | None:
    """Return a date written in some format as YYYY-MM-DD; null if it is none in that format."""
    budget.toil(_FORMAT_CHARS)
    problem = _format_problem(layout)
    if problem:
        raise EvaluationError("bad-format", problem)
    if text is None or len(text) > 2 * _FORMAT_CHARS:
        return None
    part = _read(text.strip(), layout)
    if part is None:
        return None
    month = part["M"].lower()
    try:
        number = _MONTHS.index(month) + 1 if month.isalpha() else int(month)
        return date(int(part["Y"]), number, int(part["D"])).isoformat()
    except ValueError:
        return None


PEOPLE_FUNCTIONS = library.functions()
