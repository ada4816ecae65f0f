"""How the commands of `usher decisions` tell of a decision in one line, and of lines that are none.

Owns that nothing of a line reaches the terminal but what can be read there. Pure.
"""

from collections.abc import Iterator
from pathlib import Path

from usher.adapters.decision_filter import application, fired, held
from usher.adapters.decision_reading import Line
from usher.cli.ledger_words import counted, readable


def told_decision(line: Line) -> str:
    """Return a decision in one line: when, id, outcome, application, rules, milliseconds."""
    data, told = line.data, application(line.data)
    label = next((str(told[name]) for name in ("label", "name", "id") if told.get(name)), "-")
    time = data.get("milliseconds")
    spent = f"{time:.1f} ms" if isinstance(time, (int, float)) else "-"
    parts = (
        line.timestamp,
        str(data["decision_id"]),
        f"shadow {data.get('outcome')}" if data.get("shadow") is True else str(data.get("outcome")),
        label,
        *_rules(line),
        spent,
    )
    return "  ".join(map(readable, parts))


def told_broken(path: Path, number: int, count: int) -> str:
    """Return that lines were passed over, with the place of the first and nothing of what stands there."""
    more = f", and {counted(count - 1, 'more line')} of this file" if count > 1 else ""
    return f"{path}:{number}: torn or damaged, skipped{more}"


def _rules(line: Line) -> Iterator[str]:
    holders, doers = held(line.data), fired(line.data)
    if holders:
        yield f"held by {', '.join(holders)}"
    if others := [rule for rule in doers if rule not in holders]:
        yield f"fired {', '.join(others)}"
    if not holders and not doers:
        yield "no rule fired"
