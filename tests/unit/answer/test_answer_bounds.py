"""Bounds on what one call may cost the calls beside it."""

import json

import pytest

from usher.answer import wire
from usher.answer.replay import ReplayStore
from usher.answer.reply import Reply
from usher.domain.decision import Outcome


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * wire.MAX_VALUES + b"1]",
        json.dumps({"matches": ["a"] * 250_000 + [5]}).encode(),
        json.dumps([{"a": 1, "b": [2]} for _ in range(wire.MAX_VALUES // 3)]).encode(),
    ],
)
def test_a_body_of_very_many_values_is_refused_before_anybody_walks_it(body: bytes) -> None:
    """Judged by jsonschema, one such call would take longer than Okta waits, and hold up its neighbours."""
    with pytest.raises(wire.NotParsableError) as refused:
        wire.parse(body)
    assert refused.value.code == "too-many-values"


def test_commas_within_a_text_are_no_values() -> None:
    """Only an odd body is counted, and it is counted right."""
    value = {"address": "," * (2 * wire.MAX_VALUES)}
    assert wire.parse(json.dumps(value).encode()) == value


def test_the_first_of_two_answers_to_one_call_is_the_answer() -> None:
    """Both callers of a call that was repeated while it was being answered get the same bytes and id."""
    store = ReplayStore(keep_seconds=60, limit_bytes=10_000)
    key = ReplayStore.key(b"body", "revision")
    first = Reply(200, b"{}", "first", Outcome.DEFAULT)
    assert store.keep(key, first) is first
    second = store.keep(key, Reply(200, b'{"a":1}', "second", Outcome.DEFAULT))
    assert (second.body, second.decision_id, second.replayed) == (b"{}", "first", True)
