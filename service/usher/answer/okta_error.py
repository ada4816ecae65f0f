"""Okta's error body, used for every refusal and for every answer that carries no commands.

Source: Okta's user import inline hook reference, "error". Never holds a profile value.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

DOMAIN: Final = "usher"


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """One cause: `location` is a JSON path in the body, a header's name or the URL's path."""

    summary: str
    reason: str
    location_type: Literal["body", "header", "url", "query"]
    location: str

    def to_wire(self) -> dict[str, str]:
        """Return the cause as Okta reads it."""
        return {
            "errorSummary": self.summary,
            "reason": self.reason,
            "locationType": self.location_type,
            "location": self.location,
            "domain": DOMAIN,
        }


def error_object(summary: str, causes: Sequence[ErrorCause] = ()) -> dict[str, object]:
    """Return the value of `error`: a summary and, when there are any, its causes."""
    wire: dict[str, object] = {"errorSummary": summary}
    if causes:
        wire["errorCauses"] = [cause.to_wire() for cause in causes]
    return wire


def error_body(summary: str, causes: Sequence[ErrorCause] = ()) -> bytes:
    """Return a whole error body as bytes."""
    return json.dumps({"error": error_object(summary, causes)}, ensure_ascii=False).encode()
