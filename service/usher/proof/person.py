"""The person of a decision on record, under a pseudonym: an inline fixture, and the request it stands for.

Owns which parts of a recorded request go into a test. Public attributes stay, personal values are replaced, users' ids
are numbered. One thread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from usher.answer.record import DecisionRecord
from usher.domain.request import CREATE_USER, ImportRequest
from usher.engine import Profiles
from usher.proof.fixtures import Wire, inline_request
from usher.proof.pseudonyms import HASH, Pseudonyms, digest_of


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


def person_of(record: DecisionRecord, profiles: Profiles, spellings: Mapping[str, int]) -> Person:
    """Return the person a decision was about; `spellings` as `Pseudonyms` takes them."""
    request = ImportRequest.from_wire(record.input if isinstance(record.input, dict) else {})
    pseudonyms = Pseudonyms(profiles, spellings)
    for root, profile, public in _profiles(request, profiles):
        for name, value in profile.items():
            for element in value if isinstance(value, list) else [value]:
                if _is_personal(name, element, public):
                    pseudonyms.met(digest_of(element), (root, name))
    for lookup in record.lookups:
        if lookup.function == "directory":
            pseudonyms.met(digest_of(lookup.value), ("user", lookup.name))
    person = Person({}, pseudonyms)
    for root, profile, public in _profiles(request, profiles):
        person.fixture[root] = dict(_replaced(profile, public, pseudonyms))
    person.fixture |= _circumstances(request, person)
    return person


def _profiles(request: ImportRequest, profiles: Profiles) -> Iterator[tuple[str, Mapping[str, object], frozenset[str]]]:
    yield "user", request.user, profiles.user.public
    yield "appuser", request.app_user, profiles.app_user.public


def _is_personal(name: str, value: object, public: frozenset[str]) -> bool:
    return value not in (None, "") and name not in public


def _replaced(
    profile: Mapping[str, object], public: frozenset[str], pseudonyms: Pseudonyms
) -> Iterator[tuple[str, object]]:
    for name, value in profile.items():
        if HASH.fullmatch(name) or isinstance(value, dict):
            continue  # an attribute whose name is a value, or one no policy can read
        if isinstance(value, list):
            yield name, [pseudonyms.of(digest_of(part)) if _is_personal(name, part, public) else part for part in value]
        else:
            yield name, pseudonyms.of(digest_of(value)) if _is_personal(name, value, public) else value


def _circumstances(request: ImportRequest, person: Person) -> dict[str, object]:
    """Return context, proposed action and match, as a fixture says them."""
    matches = request.context["matches"]
    listed = matches if isinstance(matches, list) else []
    context: dict[str, object] = {
        "conflicts": [name for name in request.conflicts if not HASH.fullmatch(name)],
        "application": {name: value for name, value in request.application.items() if value},
    }
    if policy := request.context["policy"]:
        context["policy"] = policy
    if listed:
        context["matches"] = [person.user_id(user_id) for user_id in listed]
    circumstances: dict[str, object] = {"context": context}
    if request.action != CREATE_USER:
        circumstances["action"] = request.action
    if request.matched_user_id:
        circumstances["matched_user_id"] = person.user_id(request.matched_user_id)
    return circumstances
