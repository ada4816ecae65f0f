"""Every problem `usher check` can print has its paragraph, and no paragraph is about one that does not exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "service" / "usher" / "engine"
PAGE = (ROOT / "docs" / "policy-language.md").read_text(encoding="utf-8")
# What these modules quote in kebab-case without meaning a problem.
NO_CODES = {"utf-8", "utf-8-sig", "x-sensitivity"}


def _codes(folder: Path) -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))]
    return {code for source in sources for code in re.findall(r'"([a-z]+(?:-[a-z0-9]+)+)"', source)} - NO_CODES


def _documented() -> set[str]:
    section = PAGE.split("\n## Problems\n")[1].split("\n## ")[0]
    heads = re.findall(r"^- ((?:`[a-z0-9-]+`(?:, )?)+):", section, re.MULTILINE)
    return {code for head in heads for code in re.findall(r"`([a-z0-9-]+)`", head)}


def test_every_code_of_the_engine_has_a_paragraph() -> None:
    """An admin looks the code up."""
    assert _codes(ENGINE) - _documented() == set()


def test_every_paragraph_is_about_a_code() -> None:
    """A paragraph about nothing misleads."""
    rooms = [ROOT / "service" / "usher" / room for room in ("engine", "cel", "bootstrap")]
    sources = "".join(path.read_text(encoding="utf-8") for room in rooms for path in sorted(room.glob("*.py")))
    assert [code for code in sorted(_documented()) if f'"{code}"' not in sources] == []
