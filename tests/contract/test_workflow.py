"""The workflows for GitHub: they are YAML of the form GitHub reads, and what they run exists in this checkout.

That they pass, on Windows above all, only GitHub can show.
"""

import re
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from usher.cli.group import usher

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
PROGRAMS = {"python", "ruff", "mypy", "lint-imports", "usher"}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """Return the jobs of a change."""
    found: dict[str, Any] = read("ci.yml")["jobs"]
    return found


def read(name: str) -> dict[str, Any]:
    """Return a workflow."""
    workflow: dict[str, Any] = YAML(typ="safe", pure=True).load((FOLDER / name).read_text(encoding="utf-8"))
    assert set(workflow) == {"name", "on", "permissions", "concurrency", "jobs"}
    assert isinstance(workflow["jobs"], dict)
    return workflow


def runs(job: dict[str, Any]) -> list[str]:
    """Return what a job runs."""
    return [step["run"] for step in job["steps"] if "run" in step]


def test_both_platforms_are_tried_and_bounded(jobs: dict[str, Any]) -> None:
    """Linux does all that `.ci/run` does; no job may hang for hours."""
    assert {name: job["runs-on"].split("-")[0] for name, job in jobs.items()} == {
        "linux": "ubuntu",
        "windows": "windows",
    }
    assert all(job["timeout-minutes"] <= 40 for job in jobs.values())
    assert ".ci/run" in "".join(runs(jobs["linux"]))


def test_what_windows_runs_exists(jobs: dict[str, Any]) -> None:
    """Programs, commands of Usher, and files; a path that is gone would fail there and nowhere else."""
    text = "\n".join(runs(jobs["windows"]))
    assert set(re.findall(r"\.venv\\Scripts\\([\w-]+)", text)) == PROGRAMS
    assert set(re.findall(r"\\usher (\w+)", text)) <= set(usher.list_commands(click.Context(usher)))
    paths = re.findall(r"(?<![\w/])((?:tests|policies)(?:/[\w./]+)?)", text)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_extras_that_are_installed_exist(jobs: dict[str, Any]) -> None:
    """Pip only warns about an extra that is none."""
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    (extras,) = re.findall(r"\.\[([\w,]+)\]", "\n".join(runs(jobs["windows"])))
    assert [extra for extra in extras.split(",") if f"\n{extra} =\n" not in setup] == []


def test_known_faults_of_what_is_used_are_asked_for_and_hold_nothing_up() -> None:
    """Once a week and when somebody asks, never with a change; by the command that a person would use."""
    workflow = read("audit.yml")
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}
    [when] = workflow["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["cron"])
    assert workflow["permissions"] == {"contents": "read"}
    [job] = workflow["jobs"].values()
    assert job["timeout-minutes"] <= 40
    [command] = runs(job)
    assert command.startswith("make audit")
    assert "\naudit: " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_other_workflow_is_there() -> None:
    """One that nobody looks through here might run anything."""
    assert sorted(path.name for path in FOLDER.iterdir()) == ["audit.yml", "ci.yml"]
