"""Names and numbers that stand in for a person's, made from nothing but the hash of a value.

Owns what a pseudonym looks like: an address where the profile schemas want one, a phone number, digits, a name. Pure
but for the memory of one test that is written; one thread.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from usher.engine import Profiles

HASH: Final = re.compile(r"h:([0-9a-f]{32})")
_CONSONANTS: Final = "bdfgklmnprstvz"
_VOWELS: Final = "aeiou"
_ADDRESS: Final = re.compile(r"mail|login|userName", re.IGNORECASE)
_PHONE: Final = re.compile(r"phone|fax", re.IGNORECASE)
_NUMBER: Final = re.compile(r"number|id$|zip|code$", re.IGNORECASE)

Attribute = tuple[str, str]
"""`user` or `appuser`, and the attribute's name."""


_ACCENTS: Final = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")
_AS_USUAL: Final[Mapping[str, int]] = {}
SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    lambda usual: usual.translate(_ACCENTS),
    str.upper,
    lambda usual: f" {usual} ",
    lambda usual: "0" + usual.removeprefix("+49") if usual.startswith("+49") else usual.lower(),
    lambda _: "N/A",
)
"""How a value may be written: as usual, with accents, in capitals, between blanks, small or as dialled, not at all."""


def is_hash(value: object) -> bool:
    """Say whether a value is a hash of the decision log."""
    return isinstance(value, str) and HASH.fullmatch(value) is not None


def digest_of(value: object) -> str:
    """Return the digest a value is known by: its hash where it is one already."""
    found = HASH.fullmatch(value) if isinstance(value, str) else None
    if found:
        return found[1]
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


class Pseudonyms:
    """The pseudonyms of one test. Where a value stands in several attributes, its pseudonym suits all of them.

    `spellings` says for some digests in which of `SPELLINGS` their pseudonym is written: a hash does not tell whether a
    name had accents, and rules may ask.
    """

    def __init__(self, profiles: Profiles, spellings: Mapping[str, int] = _AS_USUAL) -> None:
        self._profiles = profiles
        self._spellings = spellings
        self._attributes: dict[str, list[Attribute]] = {}

    @property
    def digests(self) -> tuple[str, ...]:
        """Return the digests of all values, in the order they were met."""
        return tuple(self._attributes)

    def met(self, digest: str, attribute: Attribute) -> None:
        """Note that a value stands in an attribute; all are noted before the first pseudonym is made."""
        self._attributes.setdefault(digest, []).append(attribute)

    def of(self, digest: str) -> object:
        """Return the pseudonym of a value."""
        attributes = self._attributes.get(digest, [])
        options = list(_options(digest, [name for _, name in attributes]))
        usual = next((option for option in options if self._suits(option, attributes)), options[0])
        if not (spelling := self._spellings.get(digest, 0)) or not isinstance(usual, str):
            return usual
        return SPELLINGS[spelling](usual)

    def _suits(self, option: object, attributes: Iterable[Attribute]) -> bool:
        for root, name in attributes:
            profile = self._profiles.user if root == "user" else self._profiles.app_user
            shape = profile.attributes.get(name)
            if shape is not None and not shape.accepts(option):
                return False
        return True


def _options(digest: str, names: list[str]) -> Iterator[object]:
    """Yield what a value may be replaced by, the likeliest kind first."""
    number = int(digest[:12], 16)
    name = _name(number)
    kinds: list[tuple[re.Pattern[str], object]] = [
        (_ADDRESS, f"{name.lower()}.{digest[:4]}@example.com"),
        (_PHONE, f"+4930{number % 10_000_000:07d}"),
        (_NUMBER, f"{number % 1_000_000:06d}"),
    ]
    yield from (value for pattern, value in kinds if any(pattern.search(found) for found in names))
    yield name
    yield from (value for _, value in kinds)
    yield from (number % 1_000_000, (number % 1_000_000) / 8, number % 2 == 0, "DE", "en_US", "")


def _name(number: int) -> str:
    """Return a word that can be read aloud, with a capital."""
    word = ""
    for _ in range(4):
        number, consonant = divmod(number, len(_CONSONANTS))
        number, vowel = divmod(number, len(_VOWELS))
        word += _CONSONANTS[consonant] + _VOWELS[vowel]
    return word.capitalize()
