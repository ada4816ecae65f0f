"""Whatever stands in the body of a call, the line answers it: Okta's own payloads, made worse by Hypothesis.

The line is the real one with the shipped policies, stores in memory and the real decision log. Why Hypothesis does
this, and for how long, stands in `tests.integration.mutations`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.integration.installations import CHECKOUT
from tests.integration.mutations import Sent, mutated, reshaped, tried
from tests.integration.payloads import GUIDE_CASE, OKTA_SAMPLE, like_the_guide
from usher.adapters.decision_log import DecisionLog
from usher.adapters.redaction import Redactor
from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.record import DecisionRecord
from usher.answer.replay import ReplayStore
from usher.answer.reply import Reply
from usher.answer.wire import NotParsableError, parse
from usher.bootstrap.schemas import Schemas
from usher.domain.decision import Outcome
from usher.engine import DEFAULT_NAMESPACES, MemoryDirectory, MemoryLedger, Stores, load_policies

# Whom the mutated payloads are about: neither name may stand where a person is not to be named.
PERSON = (
    like_the_guide(1)
    .replace(b"First1", b"Xenokrates")
    .replace(b"Last1", b"Quidditch")
    .replace(b"first1.last1", b"xenokrates.quidditch")
)
NAMED = re.compile(r"xenokrates|quidditch", re.IGNORECASE)
BODIES = (PERSON, PERSON, OKTA_SAMPLE.read_bytes(), GUIDE_CASE.read_bytes())
TOKENS = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"null",
        b"true",
        b"-0",
        b"1e999",
        b"-1e-999",
        b"NaN",
        b"Infinity",
    ),
    *(b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe2\x80\xa8", b"\r\n", b"\t"),
    *(rb"\ud83d", rb"\ude00\ud83d", rb"\u0000", rb"\u202e", rb"\uD83D\uDE00", rb"\x41"),
    *(b"9" * 5000, b"9" * 4299, b"0." + b"1" * 400, b"1E" + b"9" * 30, b"-" + b"1" * 4301),
    *(
        b"[" * 70,
        b"]" * 70,
        b"[" * 100_000,
        b'{"a":' * 65,
        b'"a":1,"a":2,',
        b'"firstName":"Xenokrates","firstName":"Quidditch",',
    ),
    *(b'"data":null,', b'"profile":[],', b'"id":"00u1",', b'"matches":[{"user":{"id":{}}}],', b'"result":"LINK_USER"'),
    *(
        b'"login":',
        b'"login":[[["Xenokrates"]]],',
        b'"email":1e400',
        "\u017f \u0130 \u00df \ufdfa \u202e".encode(),
        "é".encode("latin-1"),
        b"0," * 20_001,
    ),
)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp1252", "latin-1")


def bodies() -> st.SearchStrategy[Sent]:
    """Return payloads made worse, in other encodings, and bytes that never were one."""
    worse = mutated(BODIES, TOKENS)
    other = st.builds(
        lambda raw, encoding: Sent(raw.decode().encode(encoding, "replace")),
        st.sampled_from(BODIES),
        st.sampled_from(ENCODINGS),
    )
    return st.one_of(worse, worse, reshaped(BODIES), reshaped(BODIES), other, st.binary(max_size=200).map(Sent))


@dataclass
class Watched:
    """The line, and what is to be seen of its work from outside."""

    line: AnswerLine
    log: DecisionLog
    schemas: Schemas
    losses: list[int]
    faults: list[Exception]
    outcomes: Counter[Outcome | None] = field(default_factory=Counter)
    seen: int = 0

    def logged(self) -> str:
        """Return what has been logged since the last call."""
        with self.log.path.open(encoding="ascii") as file:
            file.seek(self.seen)
            text = file.read()
            self.seen = file.tell()
        return text


class Uncounted:
    """A meter."""

    def decided(self, record: DecisionRecord) -> None:
        """Count nothing."""

    def replayed(self, *_: object) -> None:
        """Count nothing."""


@pytest.fixture
def watched(schemas: Schemas, tmp_path: Path) -> Iterator[Watched]:
    """Return a line whose deadline no machine misses, so that every undecided call is a fault."""
    loaded = load_policies(
        CHECKOUT / "policies", shape=schemas.policy, profiles=schemas.profiles, namespaces=DEFAULT_NAMESPACES
    )
    assert loaded.policy_set is not None
    in_force = loaded.policy_set
    public = in_force.profiles
    redactor = Redactor(b"k" * 32, public_user=public.user.public, public_app_user=public.app_user.public)
    losses, faults = list[int](), list[Exception]()
    log = DecisionLog(tmp_path / "decisions.jsonl", redactor, lambda: losses.append(1))
    log.open()
    line = AnswerLine(
        policies=lambda: in_force,
        request_shape=schemas.request,
        response_shape=schemas.response,
        decision_log=log,
        meter=Uncounted(),
        replay=ReplayStore(keep_seconds=600, limit_bytes=1_000_000),
        options=AnswerOptions(deadline_seconds=600.0),
        stores=Stores(MemoryLedger(), MemoryDirectory(), DEFAULT_NAMESPACES),
        on_fault=lambda _, error: faults.append(error),
    )
    yield Watched(line, log, schemas, losses, faults)
    log.close()


def test_every_body_gets_an_answer_and_names_nobody(watched: Watched) -> None:
    """200 that fits the response schema or 400 in Okta's shape; no fault inside, no name where none belongs."""

    def law(body: Sent) -> None:
        reply = watched.line.answer(body, 1e12)
        assert watched.faults == []
        assert watched.losses == []
        watched.outcomes[reply.outcome] += 1
        answer = json.loads(reply.body)
        check_shape(reply, answer, watched.schemas)
        told = json.dumps([answer.get("error"), answer.get("debugContext")], ensure_ascii=False)
        logged = watched.logged()
        assert logged.count("\n") == (0 if reply.status == 400 or reply.replayed else 1)
        if is_private(body):
            assert not NAMED.search(told)
            assert not NAMED.search(logged)

    first = [PERSON, b"", b'{"a":' * 100_000, PERSON + b"\x00"]
    tried(law, bodies(), first=[Sent(body) for body in first], examples=1000, share=0.5)
    print(watched.outcomes.total(), "bodies", watched.outcomes)
    # The law would be easily kept by a fuzzer that only ever makes garbage.
    assert {None, Outcome.INVALID, Outcome.COMMANDS} <= watched.outcomes.keys()


def check_shape(reply: Reply, answer: Any, schemas: Schemas) -> None:
    """Hold an answer against what Okta was promised."""
    assert len(reply.body) < 256_000
    assert schemas.response.accepts(answer)
    if reply.status == 400:
        assert (reply.outcome, reply.decision_id) == (None, None)
        assert answer.keys() == {"error"}
        (cause,) = answer["error"]["errorCauses"]
        assert cause["reason"] in {
            "not-utf8",
            "not-json",
            "too-deep",
            "not-a-number",
            "too-many-values",
            "not-unicode",
        } | {"duplicate-member"}
    else:
        assert reply.status == 200
        assert reply.outcome is not Outcome.UNDECIDED
        assert reply.decision_id


def is_private(body: bytes) -> bool:
    """Say whether the names stand only where a person's values are expected: not as names of members, say."""
    try:
        value = parse(body)
    except NotParsableError:
        # Names of members are told, and a value before a colon is one.
        return not re.search(rb'(?i)(xenokrates|quidditch)[^,{}]*"\s*:', body)
    data = value.get("data") if isinstance(value, dict) else None
    for part in ("appUser", "user"):
        holder = data.get(part) if isinstance(data, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get("profile"), dict):
            holder["profile"] = list(holder["profile"])
    return not NAMED.search(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize("token", TOKENS, ids=range(len(TOKENS)))
def test_every_token_is_read_or_refused(token: bytes) -> None:
    """The parser alone: whatever stands in the place of a value, it is a value or a problem with a code."""
    for body in (token, b'{"a":' + token + b"}", b'{"a":"' + token + b'"}', PERSON.replace(b"null", token)):
        problem = refused(body)
        assert problem is None or (problem.code and len(str(problem)) < 300)


def refused(body: bytes) -> NotParsableError | None:
    """Return why a body is not parsable, if it is not."""
    try:
        parse(body)
    except NotParsableError as error:
        return error
    return None
