"""The look at our own answer before it leaves.

Owns the promise to Okta: the response schema, the order and number of commands, the size. Immutable; any thread.
Source: Okta's user import inline hook reference; the answer must be under 256 KB.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Final

from usher.domain.command import CommandType
from usher.errors import UsherError
from usher.shapes import Shape

MAX_ANSWER_BYTES: Final = 256_000
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ORDER: Final = {kind.value: position for position, kind in enumerate(CommandType)}


class OwnAnswerError(UsherError):
    """The answer would break the contract with Okta: a fault of this service, answered as undecided."""


def checked_bytes(answer: Mapping[str, object], shape: Shape) -> bytes:
    """Return the answer as bytes, or raise `OwnAnswerError`."""
    if not shape.accepts(answer):
        fault = shape.faults(answer)[0]
        raise OwnAnswerError(f"the answer breaks the response schema at {fault.json_path}: {fault.code}")
    _check_order(answer.get("commands"))
    try:
        body = _ENCODER.encode(answer).encode("utf-8")
    except ValueError:  # whose text quotes what it cannot write
        raise OwnAnswerError("the answer holds what JSON in UTF-8 cannot say") from None
    if len(body) >= MAX_ANSWER_BYTES:
        raise OwnAnswerError(f"the answer has {len(body)} bytes, Okta accepts fewer than {MAX_ANSWER_BYTES}")
    return body


def _check_order(commands: object) -> None:
    positions = [_ORDER[command["type"]] for command in commands] if isinstance(commands, list) else []
    if any(later <= earlier for earlier, later in itertools.pairwise(positions)):
        raise OwnAnswerError("the commands repeat a type or leave Okta's order")
    if (_ORDER[CommandType.LINK] in positions) is not _links(commands):
        raise OwnAnswerError("a link takes both LINK_USER and the user's id")


def _links(commands: object) -> bool:
    return isinstance(commands, list) and any(
        command["value"].get("result") == "LINK_USER" for command in commands if command["type"] == CommandType.ACTION
    )
