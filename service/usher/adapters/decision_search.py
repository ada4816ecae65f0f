"""Finding one decision among the files the decision log has written.

Owns which files belong to a log, and that a torn line is passed over. Reads line by line: a log may be larger than
memory. Any thread.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from usher.errors import UsherError


class DecisionNotFoundError(UsherError):
    """No file of the decision log holds the decision."""


def log_files(stem: Path) -> tuple[Path, ...]:
    """Return the files of a log, those of the latest starts first; `decisions.jsonl` stands for `decisions.*.jsonl`."""
    if not stem.parent.is_dir():
        return ()
    return tuple(sorted(stem.parent.glob(f"{stem.stem}.*{stem.suffix}"), reverse=True))


def find_decision(stem: Path, decision_id: str) -> Mapping[str, object]:
    """Return the line of a decision; raises `DecisionNotFoundError`."""
    files = log_files(stem)
    if not files:
        raise DecisionNotFoundError(
            f"{stem}: there is no decision log yet; `usher settings` shows where it is written (decisions.file)"
        )
    for line in _lines(files, decision_id.encode()):
        if line.get("decision_id") == decision_id:
            return line
    raise DecisionNotFoundError(
        f"{stem.parent.as_posix()}: none of {len(files)} files of the decision log holds the decision {decision_id}"
    )


def _lines(files: tuple[Path, ...], wanted: bytes) -> Iterator[Mapping[str, object]]:
    for path in files:
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
