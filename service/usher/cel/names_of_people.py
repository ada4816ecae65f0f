"""How the names of people are written.

Capitals (`title`), Latin letters (`transliterated`) and parts of logins (`slugged`).

Owns the word lists behind `title` and the language rules behind `ascii`. Pure; any thread.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from anyascii import anyascii

# Lower case unless they are the last word. Words that are often given names (Al, Ben, El) are left out.
PARTICLES = frozenset(
    [
        "af",
        "av",
        "bin",
        "da",
        "das",
        "de",
        "degli",
        "dei",
        "del",
        "della",
        "den",
        "der",
        "des",
        "di",
        "do",
        "dos",
        "du",
        "e",
        "het",
        "ibn",
        "la",
        "las",
        "le",
        "los",
        "op",
        "'t",
        "'s",
        "ten",
        "ter",
        "und",
        "van",
        "vom",
        "von",
        "y",
        "zu",
        "zum",
        "zur",
    ]
)
# `Mac` names with a capital inside; others (Macron, Machado, Macaulay) have none. `Mc` always takes one.
MAC_NAMES = frozenset(
    [
        "macalister",
        "macallister",
        "macarthur",
        "macaskill",
        "macbeth",
        "macbride",
        "maccallum",
        "maccarthy",
        "macdonald",
        "macdonnell",
        "macdougall",
        "macduff",
        "macfarlane",
        "macgregor",
        "macinnes",
        "macintosh",
        "macintyre",
        "maciver",
        "mackenzie",
        "mackinnon",
        "maclachlan",
        "maclaren",
        "maclean",
        "macleod",
        "macmahon",
        "macmanus",
        "macmillan",
        "macnab",
        "macnamara",
        "macneil",
        "macneill",
        "macpherson",
        "macqueen",
        "macrae",
        "macswain",
        "mactavish",
    ]
)
NUMERALS = frozenset({"ii", "iii", "iv"})
APOSTROPHES = "'’ʼ`´‘"  # noqa: RUF001  they differ, and all are typed
_WORD = re.compile(rf"[^\s\-.{APOSTROPHES}]+|[\-.{APOSTROPHES}]")
_SEPARATORS = frozenset("-.")
_SHORTEST_AFTER_APOSTROPHE = 2
_MC = 2

LANGUAGES: dict[str, dict[str, str]] = {
    "de": {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"},
    "sv": {"å": "a", "ä": "a", "ö": "o", "é": "e", "ü": "u"},
    "fi": {"å": "a", "ä": "a", "ö": "o", "š": "sh", "ž": "zh"},
    "da": {"æ": "ae", "ø": "oe", "å": "aa"},
    "nb": {"æ": "ae", "ø": "oe", "å": "aa"},
}
_MARKS_IN_DISGUISE = "\uff9e\uff9f"  # letters by their category that decompose into marks: half-width Kana's voicing
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_QUOTES_OUT = str.maketrans("", "", APOSTROPHES)


def has_many_marks(text: str, bound: int) -> bool:
    """Whether more combining marks than that follow each other, as they are or as compatible forms."""
    run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character)[0] == "M" or character in _MARKS_IN_DISGUISE else 0
        if run > bound:
            return True
    return False


def transliterated(text: str, language: str = "") -> str:
    """Any script in ASCII.

    `language` has its own way with some letters; capitals stay capitals (`Ä` is `Ae`, in a word of capitals `AE`).
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    rules = LANGUAGES.get(language)
    if rules:
        text = "".join(_by_rule(rules, text, position) for position in range(len(text)))
    return anyascii(text)


def _by_rule(rules: dict[str, str], text: str, position: int) -> str:
    character = text[position]
    latin = rules.get(character.lower())
    if latin is None or character.islower():
        return latin or character
    neighbours = text[max(0, position - 1) : position] + text[position + 1 : position + 2]
    letters = [letter for letter in neighbours if letter.isalpha()]
    return latin.upper() if letters and all(letter.isupper() for letter in letters) else latin.capitalize()


def slugged(text: str, language: str = "") -> str:
    """Letters and digits in lower-case ASCII; apostrophes go, everything else separates words, which `-` joins."""
    latin = transliterated(text.translate(_QUOTES_OUT), language).translate(_QUOTES_OUT).lower()
    return _NOT_SLUG.sub("-", latin).strip("-")


def titled(text: str) -> str:
    """Return a name in the capitals it is usually written with; blanks are trimmed and joined."""
    words = text.split()
    return " ".join(
        _word(word, last=position == len(words) - 1, first=position == 0) for position, word in enumerate(words)
    )


def _word(word: str, *, first: bool, last: bool) -> str:
    lower = word.lower()
    if not last and lower in PARTICLES:
        return lower
    if last and not first and lower in NUMERALS:
        return word.upper()
    parts = _WORD.findall(word)
    return "".join(_part(parts, position) for position in range(len(parts)))


def _part(parts: list[str], position: int) -> str:
    part, before = parts[position], parts[position - 1] if position else "-"
    lower = part.lower()
    inner = position not in {0, len(parts) - 1}
    if inner and before == "-" and parts[position + 1] == "-" and lower in PARTICLES:
        return lower
    if before not in _SEPARATORS and len(part) < _SHORTEST_AFTER_APOSTROPHE:
        return lower
    if _mixed(part):
        return part
    if lower.startswith("mc") and len(lower) > _MC + 1:
        return "Mc" + _capitalized(part[_MC:])
    return "Mac" + _capitalized(part[_MC + 1 :]) if lower in MAC_NAMES else _capitalized(part)


def _capitalized(part: str) -> str:
    return part[:1].title() + part[1:].lower()


def _mixed(part: str) -> bool:
    """Whether somebody has already chosen the capitals, as in `LeBron`: a capital inside, and never two in a row."""
    inside = any(character.isupper() for character in part[1:])
    in_a_row = any(one.isupper() and other.isupper() for one, other in pairwise(part))
    return inside and not in_a_row and part[:1].isupper()
