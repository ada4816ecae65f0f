"""What a beginner's slip is told: messages name what may be written, and promise nothing that would not work."""

from collections.abc import Callable, Mapping

import pytest

from usher.engine import LoadedPolicies

Load = Callable[[str | Mapping[str, str]], LoadedPolicies]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("action: link", "4:5: bad-value: rules.action: must be create or {link: …}"),
        (
            "veto: [link]",
            "4:12: bad-value: rules.veto: must be user.<attribute>, appuser.<attribute>, action.link or action.create",
        ),
        ("set:", "4:5: wrong-type: rules.set: must be an object"),
        (
            "set: {user.city: 3}",
            "4:11: wrong-type: rules.set.user.city: must be a string or an object; a literal is written {value: …}",
        ),
        ("action: 5", "4:5: wrong-type: rules.action: must be a string or an object"),
        (
            "action: {link: 5}",
            "4:14: wrong-type: rules.action.link: must be a string or an object; a literal is written {value: …}",
        ),
        ("because: 5", "4:5: wrong-type: rules.because: must be a string; it is a CEL expression, written as text"),
        ("claim: {login: {candidates: x}}", "4:21: wrong-type: rules.claim.login.candidates: must be a list"),
    ],
)
def test_a_slip_is_told_what_to_write(rule: str, told: str, load: Load) -> None:
    """A key that takes names says which; `{value: …}` is offered only where it may stand."""
    loaded = load(f"policy: p\nrules:\n  - id: a\n    {rule}\n")
    messages = [str(problem).partition("policy.yaml:")[2] for problem in loaded.errors]
    assert told in messages
