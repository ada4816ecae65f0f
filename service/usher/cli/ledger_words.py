"""How the commands of `usher ledger` tell of values, owners and moments.

Owns that nothing in a value or an id reaches the terminal but what can be read there. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from usher.adapters.sql.database_facts import rfc3339
from usher.adapters.sql.ledger_admin import Change, Holding
from usher.adapters.sql.ledger_export import COLUMNS, moment
from usher.adapters.sql.ledger_rekey import Collision
from usher.engine import Owner

_ACTION_CHARS: Final = len("remembered")
_HOW: Final[Mapping[str, str]] = {
    "claim": "claimed by a rule",
    "remembered": "remembered without a rule",
    "reserved": "reserved by a list",
    "leaver": "kept for a leaver by a list",
}


def table(holdings: Sequence[Holding]) -> Iterator[str]:
    """Yield holdings as lines of a table, times to the second."""
    rows = [COLUMNS, *map(_cells, holdings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def as_data(holding: Holding) -> dict[str, str | None]:
    """Return a holding as JSON has it, under the names that the export's columns have."""
    times = (moment(holding.since), None if holding.seen is None else moment(holding.seen))
    owner = holding.owner
    cells = (holding.namespace, holding.value, owner.application, owner.subject, holding.source, *times)
    return dict(zip(COLUMNS, cells, strict=True))


def told_holding(holding: Holding) -> Iterator[str]:
    """Yield who holds a value, since when and why, over several lines."""
    yield f"{holding.namespace}: {readable(holding.value)}"
    yield f"  owner    {told_owner(holding.owner)}"
    yield f"  since    {rfc3339(holding.since)}, {_HOW.get(holding.source, holding.source)}"
    yield f"  in Okta  {_told_seen(holding)}"


def told_changes(changes: Iterable[Change]) -> Iterator[str]:
    """Yield audit rows, one a line."""
    for change in changes:
        what = f"{change.namespace}: {readable(change.value)}"
        why = f": {readable(change.reason)}" if change.reason else ""
        yield f"  {rfc3339(change.at)}  {change.action:<{_ACTION_CHARS}}  {what}, {told_owner(change.owner)}{why}"


def told_release(holding: Holding) -> str:
    """Return who held a value, in one line."""
    how = _HOW.get(holding.source, holding.source)
    what = f"{holding.namespace}: {readable(holding.value)} is free"
    return f"{what}; {told_owner(holding.owner)} held it since {rfc3339(holding.since)}, {how}"


def told_collision(collision: Collision) -> str:
    """Return values that are the same now, with their owners, in one line."""
    holders = (f"{readable(value)} ({told_owner(owner)})" for value, owner in collision.holders)
    return f"{collision.namespace}: {' = '.join(holders)}"


def told_owner(owner: Owner) -> str:
    """Return an owner in words."""
    subject = readable(owner.subject)
    return f"{subject} of {readable(owner.application)}" if owner.application else subject


def readable(text: str) -> str:
    """Return a text with what moves the cursor, colours the screen or hides written as escapes."""
    # APPSEC: ids come from whoever writes the imported file, and a terminal obeys what they may contain.
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _cells(holding: Holding) -> tuple[str, ...]:
    owner = holding.owner
    texts = (holding.namespace, holding.value, owner.application, owner.subject, holding.source)
    times = (rfc3339(holding.since), "-" if holding.seen is None else rfc3339(holding.seen))
    return (*(readable(text) or "-" for text in texts), *times)


def _told_seen(holding: Holding) -> str:
    if holding.seen is None:
        return "no load of the directory has shown it"
    return f"first shown by the load of {rfc3339(holding.seen)}"
