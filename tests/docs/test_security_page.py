"""SECURITY.md names modules, settings, tests and numbers; all of them are there."""

import re
from pathlib import Path

import pytest

from usher.answer import call, own_answer, wire
from usher.bootstrap import pulse
from usher.settings import ServerSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TICKED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
PATHS = [text for text in TICKED if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text) or text.endswith("/")]
SETTINGS = [
    text.partition(" ")[0]
    for text in TICKED
    if re.match(r"(server|auth|policies|ledger|cel|decisions|logging|schemas)\.\w", text)
]
METRICS = [text for text in TICKED if text.startswith("usher_")]
COMMANDS = [text.split()[1] for text in TICKED if re.match(r"usher [a-z]", text)]
LINKS = re.findall(r"\]\(([^)]+)\)", PAGE)


@pytest.mark.parametrize("path", PATHS)
def test_every_file_it_names_is_there(path: str) -> None:
    """From the root, or within the package."""
    assert (ROOT / path).exists() or (ROOT / "service" / "usher" / path).exists()


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_it_names_is_one(setting: str) -> None:
    """It stands in the table of settings."""
    assert f"\n| `{setting}` |" in OPERATIONS


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_it_names_is_one(metric: str) -> None:
    """It stands in the table of metrics."""
    assert f"\n| `{metric}` |" in OPERATIONS


@pytest.mark.parametrize("link", LINKS)
def test_every_link_leads_somewhere(link: str) -> None:
    """To a file, and to a heading in it."""
    name, _, heading = link.partition("#")
    text = (ROOT / name).read_text(encoding="utf-8") if name else PAGE
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    assert not heading or heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def test_every_command_it_names_is_one() -> None:
    """As the README has them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert COMMANDS
    assert all(f"`usher {command}" in readme for command in COMMANDS)


def test_the_numbers_are_those_of_the_code() -> None:
    """Numbers in prose go stale."""
    server = ServerSettings()
    assert f"1 MiB, {wire.MAX_VALUES:,} values, {wire.MAX_DEPTH} levels deep" in PAGE
    assert server.body_limit_bytes == 1024 * 1024
    at_worst = server.connection_limit * (server.body_limit_bytes + server.header_limit_bytes)
    assert f"some {at_worst / 1_000_000:.0f} MB" in PAGE
    assert f"{server.deadline_seconds:g} s from its arrival" in PAGE
    assert f"under {own_answer.MAX_ANSWER_BYTES:,} bytes" in PAGE
    assert f"{server.replay_limit_bytes // 2**20} MiB" in PAGE
    assert (pulse.UNREADY_SECONDS, "for ten seconds after the last of them" in PAGE) == (10, True)
    assert (call.MAX_RECORDED_BYTES, "over 128 KiB" in PAGE) == (128 * 1024, True)
