"""What one claim may give out: its candidates with the values their targets would get, in order, in batches.

Owns the order of candidates, the counter, and what makes a candidate unfit whoever holds it. Belongs to one decision
and one thread.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from usher.cel import BudgetExceeded, EvaluationError
from usher.domain.request import ImportRequest
from usher.engine.firing import Fired
from usher.engine.policy import Candidate, Claim, LocatedError, PlacedExpression, Value
from usher.engine.profiles import Profiles
from usher.engine.scope import Scope
from usher.engine.stores import Named, Namespace, is_claimable

_BATCHES: Final = (1, 4, 16, 64)
"""Most claims are granted what they try first; a popular name asks a store once for many numbers."""


@dataclass(frozen=True, slots=True)
class Option:
    """One candidate with the values its targets would get."""

    values: Mapping[str, str]
    sets: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Asker:
    """What all claims of one decision have in common."""

    request: ImportRequest
    profiles: Profiles
    namespaces: Mapping[str, Namespace]

    def key(self, name: str, value: str) -> str:
        """Return what a value is compared by."""
        return self.namespaces[name].key(value)

    def named(self, option: Option) -> list[Named]:
        """Return the values of an option with their namespaces."""
        return [(self.namespaces[name], value) for name, value in option.values.items()]

    def reported(self, namespace: Namespace) -> frozenset[str]:
        """Return the keys Okta says are taken: projected attributes named in `context.conflicts`."""
        shared = {*namespace.directory, namespace.name}
        projected = (self.request.user.get(name) for name in self.request.conflicts if name in shared)
        return frozenset(namespace.key(value) for value in projected if isinstance(value, str))


class Attempt:
    """One rule's claim while it is made, with the keys it must not give out, reserved or reported by Okta."""

    def __init__(self, entry: Fired, claim: Claim, asker: Asker) -> None:
        self.entry = entry
        self.claim = claim
        self._asker = asker
        self._reserved = {name: self._keys(name, value) for name, value in claim.reserved}
        self._reported = {name: asker.reported(asker.namespaces[name]) for name in claim.namespaces}

    def options(self) -> Iterator[Option]:
        """Yield every candidate that has a value in all namespaces; one that uses `n` for all its numbers."""
        for candidate in self.claim.candidates:
            for number in self.claim.counter if candidate.uses_n else (None,):
                self.entry.scope.budget.check()  # a long counter must not outlast the decision's time
                option = self._option(candidate, number)
                if option is not None:
                    yield option

    def batches(self) -> Iterator[list[Option]]:
        """Yield the options some at a time; what fails is raised after what came before it."""
        options = self.options()
        for size in itertools.chain(_BATCHES, itertools.repeat(_BATCHES[-1])):
            batch: list[Option] = []
            failed: EvaluationError | BudgetExceeded | None = None
            try:
                for option in itertools.islice(options, size):
                    batch.append(option)  # noqa: PERF402 - what came before a failure must be kept
            except (EvaluationError, BudgetExceeded) as error:
                failed = error
            if batch:
                yield batch
            if failed is not None:
                raise failed
            if not batch:
                return

    def unfit(self, option: Option) -> str:
        """Return why a candidate may not be given out, whoever holds it, or ''."""
        asker = self._asker
        application = asker.request.application
        if not all(map(is_claimable, option.values.values())) or not all(
            value is None or asker.profiles.accepts(target, value, application) for target, value in option.sets.items()
        ):
            return "unfit"
        for name, value in option.values.items():
            key = asker.key(name, value)
            if key in self._reported[name]:
                return "conflict"
            if self._is_reserved(name, key):
                return "reserved"
        return ""

    def _is_reserved(self, name: str, key: str) -> bool:
        """Say whether a key is never given out; `admin` stands for admin@ in every domain."""
        return bool({key, key.rpartition("@")[0]} & self._reserved.get(name, frozenset()))

    def _option(self, candidate: Candidate, number: int | None) -> Option | None:
        scope = self.entry.scope if number is None else self.entry.scope.with_names(n=number)
        values = {name: _candidate(scope, value) for name, value in candidate.values}
        texts = {name: value for name, value in values.items() if isinstance(value, str) and value.strip()}
        if len(texts) != len(values):
            return None
        fed = self.entry.scope.with_names(claimed=dict(texts))
        return Option(texts, {target: _value(fed, value) for target, value in self.entry.rule.claimed_sets})

    def _keys(self, name: str, value: Value) -> frozenset[str]:
        reserved = _value(self.entry.scope, value)
        if not isinstance(reserved, (list, dict)):
            message = "`except` must be a list of texts, or a table keyed by them"
            raise _located(value, EvaluationError("except-not-a-list", message))
        listed: Sequence[object] = list(reserved)
        texts = tuple(item for item in listed if isinstance(item, str) and item)
        return _keys_of(self._asker.namespaces[name], texts)


@lru_cache(maxsize=32)
def _keys_of(namespace: Namespace, values: tuple[str, ...]) -> frozenset[str]:
    """Return the keys of reserved values, which are the same for thousands of rows."""
    return frozenset(map(namespace.key, values))


def _candidate(scope: Scope, value: Value) -> str | None:
    candidate = _value(scope, value)
    if candidate is None or isinstance(candidate, str):
        return candidate
    raise _located(value, EvaluationError("candidate-not-text", "a candidate must be a text, '' or null"))


def _value(scope: Scope, value: Value) -> object:
    """Return a value of a claim; an error knows its place in the file."""
    try:
        return scope.value(value)
    except EvaluationError as error:
        raise _located(value, error) from None


def _located(value: Value, error: EvaluationError) -> EvaluationError:
    if not isinstance(value, PlacedExpression):
        return error
    line, column = value.located(error)
    return LocatedError(error.kind, error.message, line=line, column=column)
