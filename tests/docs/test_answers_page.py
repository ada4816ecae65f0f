"""Every code a caller can be refused with is explained in docs/operations.md, and no other."""

import re
from pathlib import Path

from usher.answer import call, line, wire

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("\n## What a caller gets\n")[1]


def test_every_refusal_of_a_body_is_explained_and_no_other() -> None:
    """What is on the page is what `wire` says."""
    source = Path(wire.__file__).read_text(encoding="utf-8")
    codes = set(re.findall(r'NotParsableError\(\s*"([a-z0-9-]+)"', source))
    assert len(codes) > 5
    assert set(re.findall(r"^- `([a-z0-9-]+)`:", SECTION, re.MULTILINE)) == codes


def test_the_causes_of_an_undecided_answer_are_named() -> None:
    """A person in Okta's System Log looks them up."""
    source = Path(line.__file__).read_text(encoding="utf-8")
    causes = set(re.findall(r'ErrorCause\("[^"]*", "([a-z-]+)"', source))
    assert {"deadline", "internal-fault"} <= causes
    assert {cause for cause in causes if f"`{cause}`" not in SECTION} == set()


def test_the_bounds_on_the_page_are_the_bounds() -> None:
    """Numbers in prose go stale."""
    assert f"{wire.MAX_DEPTH} levels" in SECTION
    assert f"{wire.MAX_VALUES:,} members" in SECTION
    assert f"{call.MAX_RECORDED_BYTES // 1024} KiB" in SECTION
