"""The person of a decision on record, under a pseudonym: an inline fixture, and the request it stands for.

Owns which parts of a recorded request go into a test. Public attributes stay, personal values are replaced, users' ids
are numbered. One thread.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.request import LINK_USER, ImportRequest
from usher.engine import Profiles
from usher.proof.fixtures import Wire, inline_request
from usher.proof.pseudonyms import Pseudonyms, digest_of, is_hash

_APPLICATION: Final = ("name", "id", "label", "status")


@dataclass(slots=True)
class Person:
    """A fixture under a pseudonym; `ids` maps users' ids on record to those of the test."""

    fixture: dict[str, object]
    pseudonyms: Pseudonyms
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def wire(self) -> Wire:
        """Return the request the fixture stands for."""
        return inline_request(self.fixture)

    def user_id(self, recorded: object) -> str:
        """Return the test's id of a user."""
        return self.ids.setdefault(str(recorded), f"00u{len(self.ids) + 1}")


def person_of(
    record: DecisionRecord, profiles: Profiles, words: frozenset[str], spellings: Mapping[str, int]
) -> Person:
    """Return the person a decision was about; only `words` stay as names, `spellings` as `Pseudonyms` takes them."""
    request = ImportRequest.from_wire(record.input if isinstance(record.input, dict) else {})
    pseudonyms = Pseudonyms(profiles, spellings)
    read = [(root, _readable(profile, words), public) for root, profile, public in _profiles(request, profiles)]
    for root, profile, public in read:
        for name, value in profile.items():
            for element in value if isinstance(value, list) else [value]:
                if _is_personal(name, element, public):
                    pseudonyms.met(digest_of(element), (root, name))
    for lookup in record.lookups:
        if lookup.function == "directory":
            pseudonyms.met(digest_of(lookup.value), ("user", lookup.name))
    person = Person({}, pseudonyms)
    for root, profile, public in read:
        person.fixture[root] = dict(_replaced(profile, public, pseudonyms))
    person.fixture |= _circumstances(request, person, words)
    return person


def _profiles(request: ImportRequest, profiles: Profiles) -> Iterator[tuple[str, Mapping[str, object], frozenset[str]]]:
    yield "user", request.user, profiles.user.public
    yield "appuser", request.app_user, profiles.app_user.public


def _readable(profile: Mapping[str, object], words: frozenset[str]) -> Mapping[str, object]:
    """Return a profile without what no policy can read, and without names that may be values in the wrong place."""
    return {name: value for name, value in profile.items() if name in words and not isinstance(value, dict)}


def _is_personal(name: str, value: object, public: frozenset[str]) -> bool:
    """Say whether a value needs a pseudonym: any but a plain one of a public attribute."""
    plain = not isinstance(value, (dict, list)) and not is_hash(value)
    return value not in (None, "") and not (name in public and plain)


def _replaced(
    profile: Mapping[str, object], public: frozenset[str], pseudonyms: Pseudonyms
) -> Iterator[tuple[str, object]]:
    for name, value in profile.items():
        if isinstance(value, list):
            yield name, [pseudonyms.of(digest_of(part)) if _is_personal(name, part, public) else part for part in value]
        else:
            yield name, pseudonyms.of(digest_of(value)) if _is_personal(name, value, public) else value


def _circumstances(request: ImportRequest, person: Person, words: frozenset[str]) -> dict[str, object]:
    """Return context, proposed action and match, as a fixture says them."""
    matches = request.context["matches"]
    listed = matches if isinstance(matches, list) else []
    context: dict[str, object] = {
        "conflicts": _named("attribute", request.conflicts, words),
        "application": {name: value for name in _APPLICATION if _is_plain(value := request.application.get(name))},
    }
    if policy := request.context["policy"]:
        context["policy"] = _named("policy", policy if isinstance(policy, list) else (), words)
    if listed:
        context["matches"] = [person.user_id(user_id) for user_id in listed]
    circumstances: dict[str, object] = {"context": context}
    if request.action == LINK_USER:
        circumstances["action"] = request.action
    if request.matched_user_id:
        circumstances["matched_user_id"] = person.user_id(request.matched_user_id)
    return circumstances


def _named(kind: str, names: Iterable[str], words: frozenset[str]) -> list[str]:
    """Return names with numbers in place of those that no policy knows."""
    strange = list(dict.fromkeys(name for name in names if name not in words))
    return [f"{kind}-{strange.index(name) + 1}" if name in strange else name for name in names]


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not is_hash(value)
