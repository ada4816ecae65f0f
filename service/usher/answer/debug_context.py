"""What Okta's System Log may know about a decision: ids and names, and what rules publish on purpose.

Owns its size: an answer must stay under Okta's limit, so long lists and large `debug` values are cut and marked.
Pure functions.
"""

import json
from collections.abc import Mapping
from typing import Final

from usher.domain.decision import Decision

MAX_DEBUG_BYTES: Final = 64_000
MAX_NAMES_BYTES: Final = 64_000
MAX_TEXT_CHARS: Final = 500
CUT: Final = "cut: too large"
_MAX_NAMES: Final = 50
_MAX_NAMES_A_LINE: Final = 10


def debug_context(decision: Decision, decision_id: str) -> dict[str, object]:
    """Return the object under `debugContext`; never a profile value unless a rule's `debug` puts one there."""
    context: dict[str, object] = {
        "decisionId": decision_id,
        "policyRevision": decision.revision,
        "fired": _listed(decision.fired),
    }
    if decision.conflicts:
        context["conflicts"] = _listed(
            tuple(
                f"{conflict.target}: {', '.join(_listed(conflict.rules, limit=_MAX_NAMES_A_LINE))}"
                for conflict in decision.conflicts
            )
        )
    if decision.vetoed:
        context["vetoed"] = _listed(decision.vetoed)
    if decision.holds:
        context["holds"] = _listed(tuple(hold.rule for hold in decision.holds))
    if decision.faults:
        context["errors"] = _listed(tuple(str(fault) for fault in decision.faults))
    if len(json.dumps(context)) > MAX_NAMES_BYTES:
        context = {"decisionId": decision_id, "policyRevision": decision.revision, "names": CUT}
    if decision.debug:
        context["debug"] = published(decision.debug)
    return context


def published(debug: Mapping[str, object]) -> object:
    """Return what rules publish on purpose, by rule, as JSON can say it; a mark in place of what is too large."""
    values = {rule: _bounded(value) for rule, value in debug.items()}
    return values if len(json.dumps(values)) <= MAX_DEBUG_BYTES else CUT


def cut_text(text: str) -> str:
    """Return a hold's text, cut and marked when it is no sentence any more: fifty of them go into one answer."""
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}… ({CUT})"


def _bounded(value: object) -> object:
    try:
        return value if len(json.dumps(value, allow_nan=False)) <= MAX_DEBUG_BYTES else CUT
    except (TypeError, ValueError):
        return str(type(value).__name__)


def _listed(names: tuple[str, ...], *, limit: int = _MAX_NAMES) -> list[str]:
    if len(names) <= limit:
        return list(names)
    return [*names[:limit], f"and {len(names) - limit} more"]
