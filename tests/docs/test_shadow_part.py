"""What the page says about shadow policies on live traffic is so."""

from pathlib import Path

from tests.docs.page import blocks, part
from tests.docs.playing import played
from tests.docs.recording import prepared
from usher.bootstrap.schemas import Schemas

PART = blocks(part("Shadow policies"))
PLAYED = [block for block in PART if block.kind in {"file", "run"}]
POLICIES = [block.under("policies") for block in PART if block.kind == "example"]


def test_what_a_shadow_would_have_done_is_told_as_shown(tmp_path: Path, schemas: Schemas) -> None:
    """With the policies of the part, `usher why` tells the answer and then the shadow's decision."""
    (step,) = played([*POLICIES, *PLAYED], tmp_path, prepared(PLAYED, schemas))
    assert step.is_as_shown, f"$ {step.command}\n{step.came}"
    assert "\nshadow, not answered: " in step.shown
