"""Finding one decision among the files the decision log has written.

Owns which files belong to a log, and that a torn line is passed over. Reads line by line: a log may be larger than
memory. Any thread.
"""

import glob
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from usher.errors import UsherError


class DecisionNotFoundError(UsherError):
    """No file of the decision log holds the decision."""


def log_files(stem: Path) -> tuple[Path, ...]:
    """Return the files of a log, those of the latest starts first; `decisions.jsonl` stands for `decisions.*.jsonl`."""
    if not stem.parent.is_dir():
        return ()
    return tuple(sorted(stem.parent.glob(f"{glob.escape(stem.stem)}.*{glob.escape(stem.suffix)}"), reverse=True))


@dataclass(frozen=True, slots=True)
class Found:
    """The line of a decision, and that of what the shadow policies would have done, where there is one."""

    line: Mapping[str, object]
    shadow: Mapping[str, object] | None


def find_decision(stem: Path, decision_id: str) -> Found:
    """Return what is on record of a decision; raises `DecisionNotFoundError`."""
    files = log_files(stem)
    if not files:
        raise DecisionNotFoundError(
            f"{stem}: there is no decision log yet; `usher settings` shows where it is written (decisions.file)"
        )
    for path in files:
        # Both lines are of one process, and so in one file.
        lines = [line for line in _lines(path, decision_id.encode()) if line.get("decision_id") == decision_id]
        if decided := [line for line in lines if line.get("shadow") is not True]:
            shadows = [line for line in lines if line.get("shadow") is True]
            return Found(decided[0], shadows[0] if shadows else None)
    raise DecisionNotFoundError(
        f"{stem.parent.as_posix()}: none of {len(files)} files of the decision log holds the decision {decision_id}"
    )


def _lines(path: Path, wanted: bytes) -> Iterator[Mapping[str, object]]:
    try:
        with path.open("rb") as file:
            for content in file:
                if wanted in content and (line := _parsed(content)) is not None:
                    yield line
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DecisionNotFoundError(f"{path}: the decision log cannot be read: {reason}") from None


def _parsed(content: bytes) -> Mapping[str, object] | None:
    try:
        line = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None
