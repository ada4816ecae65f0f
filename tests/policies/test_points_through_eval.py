"""The fourteen points as a person sees them: `usher eval`, several calls in a row on one ledger."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.policies.asking import POINTS, Point

USHER = Path(sys.executable).with_name("usher")


def _settings(point: Point) -> str:
    """Write the point's namespaces as an admin would."""
    lines: list[str] = []
    for name, namespace in point.namespaces.items():
        lines += [f"[ledger.namespaces.{name}]", f'compare = "{namespace.compare}"']
        lines += [f"ignoring = {json.dumps(list(namespace.ignoring))}"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", sorted(path.name for path in POINTS.iterdir()))
def test_a_point_passes_through_usher_eval(name: str, tmp_path: Path, root: Path) -> None:
    """One call of the command with all requests of the point gives the golden answers, one a line."""
    folder = POINTS / name
    point = Point.read(folder)
    (tmp_path / "usher.toml").write_text(_settings(point), encoding="utf-8")
    requests = [folder / f"{number}.json" for number in range(1, len(point.requests) + 1)]
    directory = ["--directory", folder / "directory.json"] if point.directory else []
    done = subprocess.run(
        [str(part) for part in (USHER, "eval", *requests, "--policies", root / "policies", *directory)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    said = [{key: answer[key] for key in ("commands", "error") if key in answer} for answer in answers]
    assert said == list(point.expected), done.stderr
    assert done.returncode == 0
