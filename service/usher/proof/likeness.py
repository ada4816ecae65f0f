"""What makes two decisions the same, in names of rules: how it ended, what fired, failed, held, was vetoed or claimed.

Owns what counts as different. Values do not: one side may hold hashes and the other pseudonyms. Pure functions.
"""

from collections.abc import Iterator

from usher.answer.record import DecisionRecord
from usher.domain.decision import ClaimTrace, Verdict
from usher.engine.claims import MAX_TRIED


def traits(record: DecisionRecord) -> frozenset[str]:
    """Return everything that two decisions have in common when they are the same, in words."""
    return frozenset(_traits(record))


def _traits(record: DecisionRecord) -> Iterator[str]:
    yield f"outcome {record.outcome.value}"
    if record.ending is not None:
        yield f"ending {record.ending.value}"
    for entry in record.trace:
        if entry.verdict in {Verdict.FIRED, Verdict.EXHAUSTED}:
            yield f"{entry.rule} {entry.verdict.value}"
    for fault in record.errors:
        yield f"{fault.rule} failed with {fault.code}" + (f" for {fault.target}" if fault.target else "")
    for hold in record.holds:
        yield f"held by {hold.rule}"
    for target in record.vetoed:
        yield f"{target} vetoed"
    for conflict in record.conflicts:
        yield f"{conflict.target} in conflict"
    for claim in record.claims:
        yield f"{claim.rule} tried {tried_count(claim)}, {'granted' if claim.granted else 'granted none'}"


def tried_count(claim: ClaimTrace) -> int:
    """Return how many candidates a claim tried, as far as they are kept one by one when it is made again."""
    return min(len(claim.tried) + claim.more, MAX_TRIED + (claim.granted is not None))


def refused_count(record: DecisionRecord, claim: ClaimTrace) -> int:
    """Return how many candidates of a claim were refused: all, unless one was granted or given back."""
    exhausted = any(entry.rule == claim.rule and entry.verdict is Verdict.EXHAUSTED for entry in record.trace)
    return tried_count(claim) - (0 if exhausted else 1)


def told_difference(on_record: frozenset[str], now: frozenset[str]) -> str:
    """Return what is on one side only, in words."""
    told = [f"only on record: {', '.join(sorted(on_record - now))}"] if on_record - now else []
    told += [f"only now: {', '.join(sorted(now - on_record))}"] if now - on_record else []
    return "; ".join(told)
