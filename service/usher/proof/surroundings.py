"""What a test's directory and ledger must hold so that a decision on record comes out once more.

Owns whom values are given to: users that look-ups found, and somebody else for every candidate that was passed over.
One thread.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from usher.answer.record import DecisionRecord
from usher.domain.decision import ClaimTrace, Lookup, Tried
from usher.engine import Ledger, MemoryDirectory, MemoryLedger, Namespace, Owner, Patience, PolicySet, Stores
from usher.engine.stores import Claims, Named
from usher.proof.likeness import refused_count, tried_count
from usher.proof.moments import nanoseconds
from usher.proof.person import Person
from usher.proof.pseudonyms import digest_of, is_hash
from usher.proof.rehearsal import Rehearsed, rehearse
from usher.proof.world import World

_ROUNDS: Final = 10
"""What is given away may lead to other questions: some rounds, for a claim tells all its candidates in one."""
_SOMEBODY: Final = "somebody-else"
_GIVEN_AWAY: Final = frozenset({"", "held"})
_BY_MEMBER: Final = frozenset({"id", "status"})


@dataclass(slots=True)
class Surroundings:
    """What directory and ledger hold so far: users by id, values somebody else has by namespace."""

    users: dict[str, dict[str, object]] = field(default_factory=dict)
    held: dict[tuple[str, str], None] = field(default_factory=dict)

    def stores(self, world: World) -> Stores:
        """Return stores that hold this, and no more."""
        held = {(name, world.namespaces[name].key(value)): (Owner("", _SOMEBODY), value) for name, value in self.held}
        return world.declared.over(MemoryLedger(held), MemoryDirectory(self.users.values()))

    def user(self, user_id: str) -> dict[str, object]:
        """Return a user, known from now on."""
        return self.users.setdefault(user_id, {"id": user_id})

    def known(self, attribute: str, value: str) -> None:
        """Let some user of the directory have a value."""
        if not any(user.get(attribute) == value for user in self.users.values()):
            self.user(f"00uKnown{len(self.users) + 1}")[attribute] = value

    def copied(self) -> "Surroundings":
        """Return the same as it is now."""
        return Surroundings({user_id: dict(user) for user_id, user in self.users.items()}, dict(self.held))

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


def decided_alike(
    record: DecisionRecord, person: Person, policy_set: PolicySet, world: World
) -> tuple[Surroundings, Rehearsed]:
    """Decide about a person until look-ups and claims meet the answers on record; return what that took."""
    surroundings = _recorded(record, person, world)
    attempt = _Attempt(record, person, surroundings, policy_set, world)
    made = attempt.decided(surroundings.stores(world))
    for _ in range(_ROUNDS):
        before = surroundings.copied()
        attempt.adjust(made.record)
        if before == surroundings:
            break
        made = attempt.decided(surroundings.stores(world))
    return surroundings, made


def _recorded(record: DecisionRecord, person: Person, world: World) -> Surroundings:
    """Return what the recorded look-ups say of directory and ledger."""
    surroundings = Surroundings()
    for lookup in record.lookups:
        if lookup.found is True and lookup.name in world.namespaces:
            surroundings.held[lookup.name, str(person.pseudonyms.of(digest_of(lookup.value)))] = None
        for user_id in lookup.found if isinstance(lookup.found, tuple) else ():
            user = surroundings.user(person.user_id(user_id))
            if lookup.name not in _BY_MEMBER and not is_hash(lookup.name):
                user[lookup.name] = person.pseudonyms.of(digest_of(lookup.value))
    return surroundings


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One person decided about again and again, while the surroundings grow."""

    record: DecisionRecord
    person: Person
    surroundings: Surroundings
    policy_set: PolicySet
    world: World

    def decided(self, stores: Stores) -> Rehearsed:
        now = nanoseconds(self.record.timestamp) or 0
        return rehearse(self.policy_set, self.person.wire, self.world, now=now, stores=stores)

    def adjust(self, made: DecisionRecord) -> None:
        """Let somebody else have what somebody had on record."""
        self._refuse_as_recorded(made)
        for lookup in self.record.lookups:
            asked = _like(lookup, made.lookups)
            if len(asked) == len(_like(lookup, self.record.lookups)) == 1:
                self._answer_alike(lookup, asked[0])
        if made.remembered and any(kept.collision for kept in self.record.remembered):
            self.surroundings.held.update({(kept.namespace, kept.value): None for kept in made.remembered})

    def _refuse_as_recorded(self, made: DecisionRecord) -> None:
        """Give away the first candidates of each claim, as many as were refused on record, kept there or not."""
        came = {claim.rule: claim for claim in made.claims if _is_free(claim)}
        short = [
            claim
            for claim in self.record.claims
            if claim.rule in came and tried_count(came[claim.rule]) <= refused_count(self.record, claim)
        ]
        if not short:
            return
        stores = self.surroundings.stores(self.world)
        everything = self.decided(replace(stores, ledger=_NothingFree(stores.ledger))).record
        all_tried = {claim.rule: claim.tried for claim in everything.claims}
        for claim in short:
            self._give_away(claim, all_tried.get(claim.rule, came[claim.rule].tried))

    def _give_away(self, claim: ClaimTrace, candidates: tuple[Tried, ...]) -> None:
        for position, candidate in enumerate(candidates[: refused_count(self.record, claim)]):
            if candidate.refused not in _GIVEN_AWAY:
                continue
            before = claim.tried[position].refused if position < len(claim.tried) else ""
            for namespace, value in candidate.values.items():
                attributes = self.world.namespaces[namespace].directory
                if before == "known" and attributes:
                    self.surroundings.known(attributes[0], value)
                else:  # whatever spoke against it on record, a pseudonym may be spelled too differently for that
                    self.surroundings.held[namespace, value] = None

    def _answer_alike(self, recorded: Lookup, made: Lookup) -> None:
        """Let a question whose value is computed find what it found on record."""
        if recorded.found is True and made.found is False:
            self.surroundings.held[made.name, made.value] = None
        for user_id in recorded.found if isinstance(recorded.found, tuple) and not made.found else ():
            if made.name not in _BY_MEMBER:
                self.surroundings.user(self.person.user_id(user_id))[made.name] = made.value


def _like(lookup: Lookup, lookups: Iterable[Lookup]) -> list[Lookup]:
    return [other for other in lookups if (other.function, other.name) == (lookup.function, lookup.name)]


def _is_free(claim: ClaimTrace) -> bool:
    """Say whether a claim ended with a candidate that nothing spoke against."""
    return bool(claim.tried) and not claim.tried[-1].refused


class _NothingFree:
    """A ledger whose claims find everything held, so that a claim tells all its candidates; else like another."""

    def __init__(self, below: Ledger) -> None:
        self._below = below

    def holder(self, namespace: Namespace, value: str, patience: Patience) -> Owner | None:
        """Return who holds a value."""
        return self._below.holder(namespace, value, patience)

    @contextmanager
    def claims(self, owner: Owner, patience: Patience) -> Iterator[Claims]:
        """Open a transaction in which nothing can be taken."""
        with self._below.claims(owner, patience):
            yield _NoClaims()


class _NoClaims:
    def earlier(self, namespace: Namespace) -> tuple[str, ...]:
        """Return nothing: the row of a test holds nothing yet."""
        del namespace
        return ()

    def holders(self, values: Sequence[Named]) -> Sequence[Owner]:
        """Return somebody else, whoever asks."""
        return [Owner("", _SOMEBODY)] * len(values)

    def take(self, values: Sequence[Named], reason: str) -> bool:
        """Take nothing."""
        del values, reason
        return False

    def give_up(self, values: Sequence[Named], reason: str) -> None:
        """Keep everything."""
