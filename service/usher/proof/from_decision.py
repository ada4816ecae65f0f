"""A policy test from a decision on record: its person a pseudonym, its look-ups the test's directory and ledger.

Owns the way from hashes to a request about which the same is decided, and the refusal where none is found. The policies
in force decide again; what they decide is the expectation. One thread.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from usher.answer.record import DecisionRecord
from usher.engine import PolicySet
from usher.errors import UsherError
from usher.proof.cases import WHOLE_FOLDER
from usher.proof.found import DECIDED, expectation_of
from usher.proof.likeness import told_difference, traits
from usher.proof.person import Person, person_of
from usher.proof.pseudonyms import SPELLINGS
from usher.proof.rehearsal import NoDecisionError, Rehearsed
from usher.proof.surroundings import Surroundings, decided_alike
from usher.proof.vocabulary import words_of
from usher.proof.world import World
from usher.proof.writing import yaml_text

_TRIES: Final = 200
"""Spellings tried at most, each some decisions."""
_SECONDS: Final = 0.6
"""No further spelling is tried after that: a long claim makes each of them slow."""


class NotReproducibleError(UsherError):
    """A decision cannot be made into a test; the text says why, in names of rules."""


def decision_as_test(record: DecisionRecord, policy_set: PolicySet, world: World) -> str:
    """Return a test file; raises `NotReproducibleError`."""
    if record.outcome not in DECIDED or not isinstance(record.input, dict):
        said = f"decision {record.decision_id} ended {record.outcome.value}, or its input is not on record"
        raise NotReproducibleError(f"{said}: there is nothing to decide again")
    try:
        attempt = _Search(record, policy_set, world, words_of(policy_set) | world.namespaces.keys()).likest()
    except NoDecisionError as error:
        raise NotReproducibleError(f"decision {record.decision_id} cannot be made into a test: {error}") from None
    if attempt.different:
        raise NotReproducibleError(_told(record, attempt))
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
    """A person under pseudonyms, decided about; `different` are the traits of one decision only."""

    person: Person
    surroundings: Surroundings
    made: Rehearsed
    different: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Search:
    """The way to the attempt that comes closest; `words` may stand readable in a test."""

    record: DecisionRecord
    policy_set: PolicySet
    world: World
    words: frozenset[str]

    def likest(self) -> _Attempt:
        """Try one value after the other in other spellings, while the decisions differ and there is time.

        What is found does not depend on the time: it is the same in all that counts, or nothing.
        """
        give_up_at = time.monotonic() + _SECONDS
        spellings: dict[str, int] = {}
        best = self._attempt(spellings)
        tries = _TRIES
        for digest in best.person.pseudonyms.digests:
            for spelling in range(1, len(SPELLINGS)):
                if not best.different or not tries or time.monotonic() > give_up_at:
                    return best
                tries -= 1
                other = self._attempt({**spellings, digest: spelling})
                if len(other.different) < len(best.different):
                    best, spellings = other, {**spellings, digest: spelling}
        return best

    def _attempt(self, spellings: Mapping[str, int]) -> _Attempt:
        person = person_of(self.record, self.policy_set.profiles, self.words, spellings)
        surroundings, made = decided_alike(self.record, person, self.policy_set, self.world)
        return _Attempt(person, surroundings, made, traits(self.record) ^ traits(made.record))


def _told(record: DecisionRecord, attempt: _Attempt) -> str:
    difference = told_difference(traits(record), traits(attempt.made.record))
    return (
        f"decision {record.decision_id} cannot be made into a test: under pseudonyms, or with the policies in force, "
        f"it comes out otherwise ({difference}); write the test by hand, from what `usher why` tells"
    )
