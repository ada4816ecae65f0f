"""Step 5 of a decision: claims, all in one transaction, and what is remembered without one.

Owns which candidate is taken: the owner's earlier value while it is still a candidate, else the first that is fit,
not reserved, not reported by Okta and held by nobody else. Belongs to one decision and one thread; what is shared is
the ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from usher.cel import EvaluationError
from usher.domain.decision import Assignment, ClaimTrace, Ending, Hold, Remembered, RuleFault, RuleTrace, Tried, Verdict
from usher.domain.request import ImportRequest
from usher.engine.firing import Fired, Firing
from usher.engine.lookups import Lookups
from usher.engine.policy import Claim, LocatedError, PlacedExpression, Value
from usher.engine.profiles import Profiles
from usher.engine.scope import Scope
from usher.engine.settle import Settled
from usher.engine.stores import Claims, Namespace

LOGIN_TARGET: Final = "user.login"
MAX_TRIED: Final = 1_000
"""Refused candidates an account keeps; a longer counter goes on without one."""


class RolledBackError(Exception):
    """A claim's exhaustion holds the row: leaving the transaction this way gives everything back."""


@dataclass(slots=True)
class Claimed:
    """What the claims of one decision came to, and how long the ledger took."""

    traces: list[ClaimTrace] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    assignments: dict[str, Assignment] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Option:
    """One candidate with the values its targets would get."""

    values: Mapping[str, str]
    sets: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One rule's claim while it is made: keys it must not give out, reserved or reported by Okta, per namespace."""

    entry: Fired
    claim: Claim
    reserved: Mapping[str, frozenset[str]]
    reported: Mapping[str, frozenset[str]]


@lru_cache(maxsize=32)
def _keys_of(namespace: Namespace, values: tuple[str, ...]) -> frozenset[str]:
    """Return the keys of reserved values, which are the same for thousands of rows."""
    return frozenset(map(namespace.key, values))


class Claimant:
    """Makes the claims of one decision."""

    def __init__(self, request: ImportRequest, profiles: Profiles, lookups: Lookups, firing: Firing) -> None:
        self._request = request
        self._profiles = profiles
        self._lookups = lookups
        self._namespaces = lookups.stores.namespaces
        self._firing = firing

    def make(self, settled: Settled) -> Claimed:
        """Claim, remember, commit; on exhaustion that holds, roll back and return the holds."""
        claimed = Claimed()
        claiming = sorted((entry for entry in settled.standing if entry.claims), key=lambda entry: entry.rule.name)
        if settled.ending is Ending.LINK:
            return claimed
        try:
            with self._lookups.stores.ledger.claims(self._lookups.owner) as claims:
                for entry in claiming:
                    self._claim(entry, claims, claimed, settled)
                self._roll_back_if_held(claimed)
                self._remember(settled, claims, claimed)
        except RolledBackError:
            traces = [ClaimTrace(trace.rule, trace.tried, None) for trace in claimed.traces]
            return Claimed(traces=traces, holds=claimed.holds)
        return claimed

    def _claim(self, entry: Fired, claims: Claims, claimed: Claimed, settled: Settled) -> None:
        claim = entry.rule.claim
        assert claim is not None  # noqa: S101 - only claiming rules come here
        place = (claim.place.line, claim.place.column)
        tried: list[Tried] = []
        try:
            attempt = self._attempt(entry, claim)
            option = self._earlier(attempt, claims) or self._first_free(attempt, claims, tried)
        except EvaluationError as error:
            if isinstance(error, LocatedError):
                place = (error.line, error.column)
            self._withdraw(entry, settled, RuleTrace(entry.rule.name, Verdict.ERROR, *place, error.code))
            self._firing.faults.append(RuleFault(entry.rule.name, error.code))
            return
        if option is None:
            claimed.traces.append(ClaimTrace(entry.rule.name, tuple(tried), None))
            self._withdraw(entry, settled, RuleTrace(entry.rule.name, Verdict.EXHAUSTED, *place))
            if claim.exhausted_holds:
                claimed.holds.append(Hold(entry.rule.name, f"{entry.rule.name}: no candidate is free"))
            return
        tried.append(Tried(option.values, ""))
        claimed.traces.append(ClaimTrace(entry.rule.name, tuple(tried), option.values))
        for target, value in option.sets.items():
            if value is not None:
                claimed.assignments[target] = Assignment(target, value, (entry.rule.name,))

    @staticmethod
    def _roll_back_if_held(claimed: Claimed) -> None:
        if claimed.holds:
            raise RolledBackError

    def _attempt(self, entry: Fired, claim: Claim) -> _Attempt:
        reserved = {name: self._keys(name, value, entry.scope) for name, value in claim.reserved}
        return _Attempt(
            entry, claim, reserved, {name: self._reported(self._namespaces[name]) for name in claim.namespaces}
        )

    def _withdraw(self, entry: Fired, settled: Settled, trace: RuleTrace) -> None:
        """Take back what a rule set that after all does not fire."""
        self._firing.trace[self._firing.trace.index(entry.rule.fired)] = trace
        settled.standing = [other for other in settled.standing if other is not entry]
        for target in entry.values:
            assignment = settled.assignments.get(target)
            if assignment is not None:
                rules = tuple(rule for rule in assignment.rules if rule != entry.rule.name)
                if rules:
                    settled.assignments[target] = Assignment(target, assignment.value, rules)
                else:
                    del settled.assignments[target]

    def _earlier(self, attempt: _Attempt, claims: Claims) -> _Option | None:
        """Return the option the owner already holds, the newest first, unless something speaks against it."""
        names = attempt.claim.namespaces
        held = {name: [self._key(name, value) for value in claims.earlier(self._namespaces[name])] for name in names}
        if not all(held.values()):
            return None
        best = self._newest_held(attempt, held)
        return best if best is not None and claims.take(self._named(best.values)) else None

    def _newest_held(self, attempt: _Attempt, held: Mapping[str, list[str]]) -> _Option | None:
        """Return the option whose value in the first namespace the owner took last."""
        first = attempt.claim.namespaces[0]
        best: tuple[int, _Option] | None = None
        met: set[int] = set()
        # A candidate that fails ends the search, not the rule: it fails the rule only where it is needed.
        with suppress(EvaluationError):
            for option in self._options(attempt):
                keys = {name: self._key(name, value) for name, value in option.values.items()}
                if any(keys[name] not in values for name, values in held.items()):
                    continue
                rank = held[first].index(keys[first])
                refusal = self._unfit(attempt, option)
                if not refusal and (best is None or rank < best[0]):
                    best = (rank, option)
                if refusal != "unfit":  # another spelling of the same value may be fit
                    met.add(rank)
                if len(met) == len(held[first]):
                    break  # every value the owner holds has been met: the counter need not run to its end
        return best[1] if best else None

    def _first_free(self, attempt: _Attempt, claims: Claims, tried: list[Tried]) -> _Option | None:
        for option in self._options(attempt):
            refusal = self._unfit(attempt, option) or self._held(option, claims)
            if not refusal and claims.take(self._named(option.values)):
                return option
            if len(tried) < MAX_TRIED:
                tried.append(Tried(option.values, refusal or "held"))
        return None

    def _options(self, attempt: _Attempt) -> Iterator[_Option]:
        """Yield every candidate that has a value in all namespaces; one that uses `n` for all its numbers."""
        for candidate in attempt.claim.candidates:
            for number in attempt.claim.counter if candidate.uses_n else (None,):
                attempt.entry.scope.budget.check()  # a long counter must not outlast the decision's time
                scope = attempt.entry.scope if number is None else attempt.entry.scope.with_names(n=number)
                values = {name: _candidate(scope, value) for name, value in candidate.values}
                texts = {name: value for name, value in values.items() if isinstance(value, str) and value.strip()}
                if len(texts) == len(values):
                    yield _Option(texts, self._fed(attempt.entry, texts))

    def _fed(self, entry: Fired, values: Mapping[str, str]) -> Mapping[str, object]:
        scope = entry.scope.with_names(claimed=dict(values))
        return {target: _value(scope, value) for target, value in entry.rule.claimed_sets}

    def _unfit(self, attempt: _Attempt, option: _Option) -> str:
        """Return why a candidate may not be given out, whoever holds it, or ''."""
        application = self._request.application
        if not all(
            value is None or self._profiles.accepts(target, value, application) for target, value in option.sets.items()
        ):
            return "unfit"
        for name, value in option.values.items():
            key = self._key(name, value)
            if key in attempt.reported[name]:
                return "conflict"
            # A reserved name without a domain is reserved in every domain: `admin` stands for admin@ everywhere.
            if {key, key.rpartition("@")[0]} & attempt.reserved.get(name, frozenset()):
                return "reserved"
        return ""

    def _held(self, option: _Option, claims: Claims) -> str:
        for name, value in option.values.items():
            namespace = self._namespaces[name]
            if claims.holder(namespace, value) not in {None, self._lookups.owner}:
                return "held"
            if self._lookups.known_to_others(namespace, value):
                return "known"
        return ""

    def _reported(self, namespace: Namespace) -> frozenset[str]:
        """Return the keys Okta says are taken: projected attributes named in `context.conflicts`."""
        shared = {*namespace.directory, namespace.name}
        projected = (self._request.user.get(name) for name in self._request.conflicts if name in shared)
        return frozenset(namespace.key(value) for value in projected if isinstance(value, str))

    def _keys(self, name: str, value: Value, scope: Scope) -> frozenset[str]:
        reserved = _value(scope, value)
        if not isinstance(reserved, (list, dict)):
            message = "`except` must be a list of texts, or a table keyed by them"
            raise _located(value, EvaluationError("except-not-a-list", message))
        listed: Sequence[object] = list(reserved)
        return _keys_of(self._namespaces[name], tuple(item for item in listed if isinstance(item, str) and item))

    def _remember(self, settled: Settled, claims: Claims, claimed: Claimed) -> None:
        """Keep the login a created row ends with as its owner's, unless a rule claimed one."""
        namespace = self._namespaces.get("login")
        if namespace is None or any(trace.granted and "login" in trace.granted for trace in claimed.traces):
            return
        assigned = claimed.assignments.get(LOGIN_TARGET) or settled.assignments.get(LOGIN_TARGET)
        login = self._request.user.get("login")
        if assigned and self._profiles.accepts(LOGIN_TARGET, assigned.value, self._request.application):
            login = assigned.value  # what the schema refuses is never sent, so the row keeps what Okta projected
        if isinstance(login, str) and login.strip() and namespace.key(login) not in self._reported(namespace):
            known = self._lookups.known_to_others(namespace, login)
            taken = claims.take([(namespace, login)])
            claimed.remembered.append(Remembered("login", login, collision=known or not taken))

    def _named(self, values: Mapping[str, str]) -> list[tuple[Namespace, str]]:
        return [(self._namespaces[name], value) for name, value in values.items()]

    def _key(self, name: str, value: str) -> str:
        return self._namespaces[name].key(value)


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
