"""A policy test from a decision on record: its person a pseudonym, its look-ups the test's directory and ledger.

Owns the way from hashes to a request that makes the same rules fire, and the refusal where none does. The policies in
force decide again; what they decide is the expectation. One thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.decision import ClaimTrace, Lookup, Verdict
from usher.engine import MemoryDirectory, MemoryLedger, Owner, PolicySet, Stores
from usher.errors import UsherError
from usher.proof.cases import WHOLE_FOLDER
from usher.proof.found import DECIDED, expectation_of
from usher.proof.moments import nanoseconds
from usher.proof.person import Person, person_of
from usher.proof.pseudonyms import SPELLINGS, digest_of
from usher.proof.rehearsal import Rehearsed, rehearse
from usher.proof.world import World
from usher.proof.writing import yaml_text

_ROUNDS: Final = 100
"""More than the log keeps of a claim's candidates, each of which may take one."""
_TRIES: Final = 200
"""Spellings tried at most, each some decisions: half a second in all."""
_SOMEBODY: Final = "somebody-else"


class NotReproducibleError(UsherError):
    """A decision cannot be made into a test; the text says why, in names of rules."""


@dataclass(slots=True)
class _Surroundings:
    """What the test's directory and ledger hold so far: users by id, values somebody else has by namespace."""

    users: dict[str, dict[str, object]] = field(default_factory=dict)
    held: dict[tuple[str, str], None] = field(default_factory=dict)

    def stores(self, world: World) -> Stores:
        """Return stores that hold this, and no more."""
        held = {(name, world.namespaces[name].key(value)): (Owner("", _SOMEBODY), value) for name, value in self.held}
        return Stores(MemoryLedger(held), MemoryDirectory(self.users.values()), world.namespaces)

    @property
    def document(self) -> dict[str, object]:
        """Return the part of a test file that says this."""
        document: dict[str, object] = {}
        if self.users:
            document["directory"] = list(self.users.values())
        if self.held:
            document["ledger"] = [
                {"namespace": name, "value": value, "subject": _SOMEBODY} for name, value in self.held
            ]
        return document


def decision_as_test(record: DecisionRecord, policy_set: PolicySet, world: World) -> str:
    """Return a test file; raises `NotReproducibleError`."""
    if record.outcome not in DECIDED or not isinstance(record.input, dict):
        said = f"decision {record.decision_id} ended {record.outcome.value}, or its input is not on record"
        raise NotReproducibleError(f"{said}: there is nothing to decide again")
    attempt = _likest(record, policy_set, world)
    if attempt.different:
        raise NotReproducibleError(_told(record, attempt.different))
    document = {
        "tests_for": WHOLE_FOLDER,
        "now": record.timestamp,
        "fixtures": {"person": attempt.person.fixture},
        **attempt.surroundings.document,
        "tests": [
            {
                "name": f"as in decision {record.decision_id}",
                "given": "person",
                "expect": expectation_of(attempt.made.found),
            }
        ],
    }
    comment = (
        f"Written by `usher test --from-decision {record.decision_id}`.\n"
        "Names, addresses and numbers are pseudonyms: the decision log holds hashes in their place."
    )
    return yaml_text(document, comment=comment)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A person under pseudonyms, decided about; `different` are the rules that fired on one side only."""

    person: Person
    surroundings: _Surroundings
    made: Rehearsed
    different: frozenset[str]


def _likest(record: DecisionRecord, policy_set: PolicySet, world: World) -> _Attempt:
    """Return the attempt that comes closest, trying one value after the other in other spellings while rules differ."""
    spellings: dict[str, int] = {}
    best = _attempt(record, policy_set, world, spellings)
    tries = _TRIES
    for digest in best.person.pseudonyms.digests:
        for spelling in range(1, len(SPELLINGS)):
            if not best.different or not tries:
                return best
            tries -= 1
            other = _attempt(record, policy_set, world, {**spellings, digest: spelling})
            if len(other.different) < len(best.different):
                best, spellings = other, {**spellings, digest: spelling}
    return best


def _attempt(record: DecisionRecord, policy_set: PolicySet, world: World, spellings: Mapping[str, int]) -> _Attempt:
    person = person_of(record, policy_set.profiles, spellings)
    surroundings = _recorded(record, person, world)
    made = _decided_alike(record, person, surroundings, policy_set, world)
    return _Attempt(person, surroundings, made, _fired(record) ^ _fired(made.record))


def _recorded(record: DecisionRecord, person: Person, world: World) -> _Surroundings:
    """Return what the recorded look-ups say of directory and ledger."""
    surroundings = _Surroundings()
    for lookup in record.lookups:
        if lookup.found is True and lookup.name in world.namespaces:
            surroundings.held[lookup.name, str(person.pseudonyms.of(digest_of(lookup.value)))] = None
        for user_id in lookup.found if isinstance(lookup.found, tuple) else ():
            user = _user(surroundings, person.user_id(user_id))
            if lookup.name not in {"id", "status"}:
                user[lookup.name] = person.pseudonyms.of(digest_of(lookup.value))
    return surroundings


def _decided_alike(
    record: DecisionRecord, person: Person, surroundings: _Surroundings, policy_set: PolicySet, world: World
) -> Rehearsed:
    """Decide until claims meet the refusals on record: their candidates are known only once they are tried."""
    now = nanoseconds(record.timestamp) or 0
    made = rehearse(policy_set, person.wire, world, now=now, stores=surroundings.stores(world))
    for _ in range(_ROUNDS):
        if not _adjusted(record, made.record, surroundings, person):
            break
        made = rehearse(policy_set, person.wire, world, now=now, stores=surroundings.stores(world))
    return made


def _adjusted(record: DecisionRecord, made: DecisionRecord, surroundings: _Surroundings, person: Person) -> bool:
    """Let somebody else have what somebody had on record; say whether anything changed."""
    before = len(surroundings.held), [dict(user) for user in surroundings.users.values()]
    on_record = {claim.rule: claim for claim in record.claims}
    for claim in made.claims:
        if claim.rule in on_record:
            _refuse(on_record[claim.rule], claim, surroundings)
    for lookup in record.lookups:
        asked = [other for other in made.lookups if (other.function, other.name) == (lookup.function, lookup.name)]
        alone = sum((other.function, other.name) == (lookup.function, lookup.name) for other in record.lookups) == 1
        if alone and len(asked) == 1:
            _answer_alike(lookup, asked[0], surroundings, person)
    if made.remembered and any(kept.collision for kept in record.remembered):
        surroundings.held.update({(kept.namespace, kept.value): None for kept in made.remembered})
    return before != (len(surroundings.held), list(surroundings.users.values()))


def _refuse(recorded: ClaimTrace, made: ClaimTrace, surroundings: _Surroundings) -> None:
    """Give away the first candidate that was refused on record and is free now."""
    for before, now in zip(recorded.tried, made.tried, strict=False):
        if not before.refused or now.refused:
            continue
        for namespace, value in now.values.items():
            if before.refused == "known":
                _user(surroundings, f"00uKnown{len(surroundings.users) + 1}")["login"] = value
            else:  # whatever spoke against the candidate on record, a pseudonym may be spelled too differently for it
                surroundings.held[namespace, value] = None
        return


def _answer_alike(recorded: Lookup, made: Lookup, surroundings: _Surroundings, person: Person) -> None:
    """Let a question whose value is computed find what it found on record."""
    if recorded.found is True and made.found is False:
        surroundings.held[made.name, made.value] = None
    for user_id in recorded.found if isinstance(recorded.found, tuple) and not made.found else ():
        if made.name not in {"id", "status"}:
            _user(surroundings, person.user_id(user_id))[made.name] = made.value


def _user(surroundings: _Surroundings, user_id: str) -> dict[str, object]:
    return surroundings.users.setdefault(user_id, {"id": user_id})


def _told(record: DecisionRecord, different: frozenset[str]) -> str:
    on_record = different & _fired(record)
    told = [f"only on record: {_names(on_record)}"] if on_record else []
    told += [f"only now: {_names(different - on_record)}"] if different - on_record else []
    return (
        f"decision {record.decision_id} cannot be made into a test: under pseudonyms, or with the policies in force, "
        f"other rules fire ({'; '.join(told)}); write the test by hand, from what `usher why` tells"
    )


def _fired(record: DecisionRecord) -> frozenset[str]:
    return frozenset(entry.rule for entry in record.trace if entry.verdict is Verdict.FIRED)


def _names(rules: frozenset[str]) -> str:
    return ", ".join(sorted(rules))
