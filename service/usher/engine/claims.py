"""Step 5 of a decision: claims, all in one transaction, and what is remembered without one.

Owns which candidate is taken: the owner's earlier value while it is still a candidate, else the first that is fit,
not reserved, not reported by Okta and held by nobody else; and what becomes of the rules when the ledger fails. Belongs
to one decision and one thread; what is shared is the ledger.
"""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from usher.cel import EvaluationError
from usher.domain.decision import Assignment, ClaimTrace, Ending, Hold, Remembered, RuleFault, RuleTrace, Tried, Verdict
from usher.domain.request import ImportRequest
from usher.engine.firing import Fired, Firing
from usher.engine.lookups import Lookups, unavailable
from usher.engine.options import Asker, Attempt, Option
from usher.engine.policy import Claim, LocatedError
from usher.engine.profiles import Profiles
from usher.engine.settle import Settled
from usher.engine.stores import Claims, StoreError, is_claimable

LOGIN_TARGET: Final = "user.login"
MAX_TRIED: Final = 1_000
"""Refused candidates an account keeps; a longer counter goes on without one."""
REPLACED: Final = "replaced"
"""The reason on record for an earlier value that its owner gave up for a new one."""


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

    def rolled_back(self) -> "Claimed":
        """Return what is left to tell when nothing was kept."""
        traces = [ClaimTrace(trace.rule, trace.tried, None, trace.more) for trace in self.traces]
        return Claimed(traces=traces, holds=self.holds)


@dataclass(slots=True)
class _Refusals:
    """What one claim tried in vain, in order; `more` were tried and are not kept."""

    tried: list[Tried] = field(default_factory=list)
    more: int = 0

    def add(self, option: Option, reason: str) -> None:
        """Note a candidate that was refused."""
        if len(self.tried) < MAX_TRIED:
            self.tried.append(Tried(option.values, reason))
        else:
            self.more += 1

    def trace(self, rule: str, granted: Mapping[str, str] | None) -> ClaimTrace:
        """Return the account of the claim."""
        last = () if granted is None else (Tried(granted, ""),)
        return ClaimTrace(rule, (*self.tried, *last), granted, self.more)


class Claimant:
    """Makes the claims of one decision."""

    def __init__(self, request: ImportRequest, profiles: Profiles, lookups: Lookups, firing: Firing) -> None:
        self._asker = Asker(request, profiles, lookups.stores.namespaces)
        self._lookups = lookups
        self._firing = firing

    def make(self, settled: Settled) -> Claimed:
        """Claim, remember, commit; on exhaustion that holds, roll back and return the holds."""
        claimed = Claimed()
        claiming = sorted((entry for entry in settled.standing if entry.claims), key=lambda entry: entry.rule.name)
        if settled.ending is Ending.LINK:
            return claimed
        lookups = self._lookups
        try:
            with lookups.stores.ledger.claims(lookups.owner, lookups.patience) as claims:
                for entry in claiming:
                    self._claim(entry, claims, claimed, settled)
                self._roll_back_if_held(claimed)
                self._remember(settled, claims, claimed)
        except RolledBackError:
            return claimed.rolled_back()
        except StoreError as error:
            # Whether the transaction was kept nobody knows; nothing of it is answered, so nothing is given twice.
            self._fail(claiming, settled, unavailable(error))
            return claimed.rolled_back()
        return claimed

    def _claim(self, entry: Fired, claims: Claims, claimed: Claimed, settled: Settled) -> None:
        claim = entry.rule.claim
        assert claim is not None  # noqa: S101 - only claiming rules come here
        refused = _Refusals()
        try:
            attempt = Attempt(entry, claim, self._asker)
            option = self._earlier(attempt, claims) or self._first_free(attempt, claims, refused)
        except EvaluationError as error:
            self._fail([entry], settled, error)
            return
        claimed.traces.append(refused.trace(entry.rule.name, None if option is None else option.values))
        if option is None:
            place = (claim.place.line, claim.place.column)
            self._withdraw(entry, settled, RuleTrace(entry.rule.name, Verdict.EXHAUSTED, *place))
            if claim.exhausted_holds:
                claimed.holds.append(Hold(entry.rule.name, f"{entry.rule.name}: no candidate is free"))
            return
        if not self._lookups.stores.keeps_earlier:
            self._give_up_others(claim, option, claims)
        for target, value in option.sets.items():
            if value is not None:
                claimed.assignments[target] = Assignment(target, value, (entry.rule.name,))

    @staticmethod
    def _roll_back_if_held(claimed: Claimed) -> None:
        if claimed.holds:
            raise RolledBackError

    def _fail(self, entries: Iterable[Fired], settled: Settled, error: EvaluationError) -> None:
        """Let rules fail, unless they were withdrawn before."""
        for entry in entries:
            claim = entry.rule.claim
            if claim is None or not any(entry is standing for standing in settled.standing):
                continue
            place = (claim.place.line, claim.place.column)
            if isinstance(error, LocatedError):
                place = (error.line, error.column)
            self._withdraw(entry, settled, RuleTrace(entry.rule.name, Verdict.ERROR, *place, error.code))
            self._firing.faults.append(RuleFault(entry.rule.name, error.code))

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

    def _earlier(self, attempt: Attempt, claims: Claims) -> Option | None:
        """Return the option the owner already holds, the newest first, unless something speaks against it."""
        names = attempt.claim.namespaces
        namespaces = self._asker.namespaces
        held = {name: [namespaces[name].key(value) for value in claims.earlier(namespaces[name])] for name in names}
        if not all(held.values()):
            return None
        best = self._newest_held(attempt, held)
        return best if best is not None and claims.take(self._asker.named(best), attempt.entry.rule.name) else None

    def _newest_held(self, attempt: Attempt, held: Mapping[str, list[str]]) -> Option | None:
        """Return the option whose value the owner took last; of several namespaces the first counts most."""
        best: tuple[tuple[int, ...], Option] | None = None
        met: set[tuple[int, ...]] = set()
        all_there_is = math.prod(map(len, held.values()))
        # A candidate that fails ends the search, not the rule: it fails the rule only where it is needed.
        with suppress(EvaluationError):
            for option in attempt.options():
                keys = {name: self._asker.key(name, value) for name, value in option.values.items()}
                if any(keys[name] not in values for name, values in held.items()):
                    continue
                rank = tuple(values.index(keys[name]) for name, values in held.items())
                refusal = attempt.unfit(option)
                if not refusal and (best is None or rank < best[0]):
                    best = (rank, option)
                if refusal != "unfit":  # another spelling of the same value may be fit
                    met.add(rank)
                # The counter need not run to its end when nothing newer can come.
                if len(met) == all_there_is or (best is not None and not any(best[0])):
                    break
        return best[1] if best else None

    def _first_free(self, attempt: Attempt, claims: Claims, refused: _Refusals) -> Option | None:
        for batch in attempt.batches():
            unfit = [attempt.unfit(option) for option in batch]
            asked = [option for option, refusal in zip(batch, unfit, strict=True) if not refusal]
            held = iter(self._held(asked, claims))
            for option, refusal in zip(batch, unfit, strict=True):
                speaks_against = refusal or next(held)
                if not speaks_against and claims.take(self._asker.named(option), attempt.entry.rule.name):
                    return option
                refused.add(option, speaks_against or "held")
        return None

    def _held(self, options: list[Option], claims: Claims) -> list[str]:
        """Return for each option whether the ledger or the directory knows it as somebody else's: one question each."""
        if not options:
            return []
        named = [self._asker.named(option) for option in options]
        owners = iter(claims.holders([value for values in named for value in values]))
        mine = {None, self._lookups.owner}
        held = [[next(owners) not in mine for _ in values] for values in named]
        # What is held settles its option: nobody need be known for what comes after it.
        free = [values[: [*flags, True].index(True)] for values, flags in zip(named, held, strict=True)]
        known = iter(self._lookups.known_to_others([value for values in free for value in values]))
        met = [[next(known) for _ in values] for values in free]
        return ["known" if any(found) else "held" if any(flags) else "" for found, flags in zip(met, held, strict=True)]

    def _give_up_others(self, claim: Claim, option: Option, claims: Claims) -> None:
        """Free what the owner held before, in the namespaces of a claim that was granted."""
        for name in claim.namespaces:
            namespace = self._asker.namespaces[name]
            kept = namespace.key(option.values[name])
            others = [value for value in claims.earlier(namespace) if namespace.key(value) != kept]
            if others:
                claims.give_up([(namespace, value) for value in others], REPLACED)

    def _remember(self, settled: Settled, claims: Claims, claimed: Claimed) -> None:
        """Keep the login a created row ends with as its owner's, unless a rule claimed one."""
        namespace = self._asker.namespaces.get("login")
        if namespace is None or any(trace.granted and "login" in trace.granted for trace in claimed.traces):
            return
        request = self._asker.request
        assigned = claimed.assignments.get(LOGIN_TARGET) or settled.assignments.get(LOGIN_TARGET)
        login = request.user.get("login")
        if assigned and self._asker.profiles.accepts(LOGIN_TARGET, assigned.value, request.application):
            login = assigned.value  # what the schema refuses is never sent, so the row keeps what Okta projected
        if not isinstance(login, str) or not is_claimable(login):
            return
        if namespace.key(login) not in self._asker.reported(namespace):
            known = [False]
            with suppress(EvaluationError):  # a directory that fails must not cost what the ledger can remember
                known = self._lookups.known_to_others([(namespace, login)])
            taken = claims.take([(namespace, login)], "")
            claimed.remembered.append(Remembered("login", login, collision=known[0] or not taken))
