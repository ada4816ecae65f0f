"""Finding one decision among the files the decision log has written.

Owns that a decision's two lines may stand in two files. Reads line by line: a log may be larger than memory. Any
thread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from usher.adapters.decision_files import files_of
from usher.adapters.decision_reading import UnreadableLogError, decoded
from usher.errors import UsherError


class DecisionNotFoundError(UsherError):
    """No file of the decision log holds the decision, or there is no log."""


@dataclass(frozen=True, slots=True)
class Found:
    """The line of a decision, and that of what the shadow policies would have done, where there is one."""

    line: Mapping[str, object]
    shadow: Mapping[str, object] | None


def no_log(stem: Path) -> DecisionNotFoundError:
    """Return what there is to say where no file of a log is."""
    return DecisionNotFoundError(
        f"{stem}: there is no decision log yet; `usher settings` shows where it is written (decisions.file)"
    )


def find_decision(stem: Path, decision_id: str) -> Found:
    """Return what is on record of a decision; raises `DecisionNotFoundError` and `UnreadableLogError`."""
    files = files_of(stem)
    if not files:
        raise no_log(stem)
    shadow: Mapping[str, object] | None = None
    wanted = decision_id.encode("utf-8", "surrogatepass")
    # Who asks, asks mostly about today. The shadow's line is written later: it stands in the same file or a newer one.
    for file in reversed(files):
        lines = [line for line in _lines(file.path, wanted) if line.get("decision_id") == decision_id]
        shadow = next((line for line in lines if line.get("shadow") is True), shadow)
        if decided := [line for line in lines if line.get("shadow") is not True]:
            return Found(decided[0], shadow)
    raise DecisionNotFoundError(
        f"{stem.parent.as_posix()}: none of {len(files)} files of the decision log holds the decision {decision_id}"
    )


def _lines(path: Path, wanted: bytes) -> Iterator[Mapping[str, object]]:
    try:
        with path.open("rb") as file:
            for content in file:
                if wanted in content and (line := decoded(content)) is not None:
                    yield line
    except FileNotFoundError:
        return  # it was deleted for its age just now
    except OSError as error:
        raise UnreadableLogError(path, error) from None
