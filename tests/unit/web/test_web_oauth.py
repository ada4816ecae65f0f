"""Access tokens: which are taken, what each other is refused for, and what is remembered."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from falcon import testing
from hypothesis import given
from hypothesis import strategies as st

from tests.oauth_tokens import (
    AUDIENCE,
    CLIENT_ID,
    ISSUER,
    SCOPE,
    claims,
    ec_key,
    part,
    public_jwk,
    rsa_key,
    signed_with_the_public_key,
    token,
    unsigned,
)
from tests.unit.web.conftest import Answers, Refusals
from usher.web.app import create_hook_app
from usher.web.auth import AuthenticationError, Credential
from usher.web.jwt_tokens import JwtTokens, keys_in
from usher.web.oauth import (
    LIMIT_BYTES,
    REMEMBERED,
    KeySource,
    TokenAuthentication,
    TokenRules,
    Tokens,
    token_authentication,
)
from usher.web.signing_keys import Absent, Pace, SigningKey

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512")
# So long that no run of tests takes it up: tokens are made when the tests are collected.
LEEWAY_SECONDS = 7200.0
RULES = TokenRules(ISSUER, AUDIENCE, frozenset({CLIENT_ID, "0oa-next"}), frozenset({SCOPE}), ALGORITHMS, LEEWAY_SECONDS)
NOW = int(time.time())
PATIENCE_SECONDS = 60.0


@dataclass
class Keys:
    """What an issuer has, without an issuer; remembers who was looked for."""

    known: Mapping[str, SigningKey]
    absent: Literal[Absent.UNKNOWN, Absent.UNKNOWABLE] = Absent.UNKNOWN
    looked_for: list[str] = field(default_factory=list)

    def current(self) -> Mapping[str, SigningKey]:
        """Return them."""
        return self.known

    def find(self, key_id: str) -> SigningKey | Literal[Absent.UNKNOWN, Absent.UNKNOWABLE]:
        """Return one."""
        self.looked_for.append(key_id)
        return self.known.get(key_id, self.absent)


@dataclass
class Counting:
    """Verifies, and counts how often."""

    tokens: Tokens
    verified_count: int = 0

    def named(self, text: str) -> Any:
        """Read the header."""
        return self.tokens.named(text)

    def verified(self, text: str, key: SigningKey, algorithm: str) -> float | Credential:
        """Verify and count."""
        self.verified_count += 1
        return self.tokens.verified(text, key, algorithm)


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = field(default_factory=time.time)

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def published(*jwks: Mapping[str, object]) -> Mapping[str, SigningKey]:
    """Return the keys of an issuer that publishes these."""
    return keys_in(json.dumps({"keys": jwks}).encode(), ALGORITHMS)


USUAL = published(
    public_jwk(rsa_key(), "k1", alg="RS256"),
    public_jwk(rsa_key("any"), "any"),
    public_jwk(ec_key(), "e1"),
    public_jwk(ec_key("384", ec.SECP384R1), "e384"),
)


def judged(value: object, *, rules: TokenRules = RULES, keys: Keys | None = None) -> Credential:
    """Judge a header's value as a WSGI server hands it over."""
    authentication = TokenAuthentication(JwtTokens(rules), keys or Keys(USUAL))
    return authentication.judge({} if value is None else {"HTTP_AUTHORIZATION": value})


def judged_token(text: str, *, rules: TokenRules = RULES) -> Credential:
    """Judge a token."""
    return judged(f"Bearer {text}", rules=rules)


TAKEN = {
    "Okta's own": token(rsa_key()),
    "no iat, no nbf": token(rsa_key(), claims(iat=None)),
    "several audiences": token(rsa_key(), claims(aud=["api://other", AUDIENCE])),
    "another client of the list": token(rsa_key(), claims(cid="0oa-next")),
    "RFC 9068's client and scope": token(
        rsa_key(), claims(cid=None, scp=None, client_id=CLIENT_ID, scope=f"a {SCOPE}")
    ),
    "more scopes": token(rsa_key(), claims(scp=["other", SCOPE])),
    "scopes of odd kinds beside it": token(rsa_key(), claims(scp=[1, None, SCOPE])),
    "expired within the leeway": token(rsa_key(), claims(exp=NOW - 60)),
    "not yet valid within the leeway": token(rsa_key(), claims(nbf=NOW + 3600, iat=NOW + 3600)),
    "a subject that is no text": token(rsa_key(), claims(sub=7)),
    "PS256": token(rsa_key("any"), key_id="any", algorithm="PS256"),
    "RS256 by a key that says no algorithm": token(rsa_key("any"), key_id="any"),
    "ES256": token(ec_key(), key_id="e1", algorithm="ES256"),
    "ES384": token(ec_key("384", ec.SECP384R1), key_id="e384", algorithm="ES384"),
    "addresses of other keys": token(rsa_key(), jku="http://192.0.2.1/k", x5u="http://192.0.2.1/x", jwk={"kty": "oct"}),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_a_token_of_the_issuer_is_taken(text: str) -> None:
    """In every form that Okta or RFC 9068 gives it."""
    assert judged_token(text) is Credential.VALID


REFUSED = {
    "another key under this id": (token(rsa_key("other")), Credential.WRONG_SIGNATURE),
    "another token's signature": (
        token(rsa_key(), claims(sub="x")).rpartition(".")[0] + "." + token(rsa_key()).rpartition(".")[2],
        Credential.WRONG_SIGNATURE,
    ),
    "no signature": (token(rsa_key()).rpartition(".")[0] + ".", Credential.WRONG_SIGNATURE),
    "a header that must be understood": (token(rsa_key(), crit=["exp"], exp=1), Credential.MALFORMED),
    "alg none": (unsigned(claims()), Credential.WRONG_ALGORITHM),
    "alg None": (unsigned(claims(), algorithm="None"), Credential.WRONG_ALGORITHM),
    "HS256 with the public key": (signed_with_the_public_key(rsa_key(), claims()), Credential.WRONG_ALGORITHM),
    "RS512, which is not pinned": (token(rsa_key(), algorithm="RS512"), Credential.WRONG_ALGORITHM),
    "PS256 by a key for RS256": (token(rsa_key(), algorithm="PS256"), Credential.WRONG_ALGORITHM),
    "ES256 under an RSA key's id": (token(ec_key(), algorithm="ES256"), Credential.WRONG_ALGORITHM),
    "ES384 under a key of another curve": (
        token(ec_key("384", ec.SECP384R1), key_id="e1", algorithm="ES384"),
        Credential.WRONG_ALGORITHM,
    ),
    "no key id": (token(rsa_key(), key_id=None), Credential.UNKNOWN_KEY),
    "an empty key id": (token(rsa_key(), key_id=""), Credential.UNKNOWN_KEY),
    "an unknown key id": (token(rsa_key(), key_id="k9"), Credential.UNKNOWN_KEY),
    "expired": (token(rsa_key(), claims(exp=NOW - 10_000)), Credential.EXPIRED),
    "expired for ever": (token(rsa_key(), claims(exp=0)), Credential.EXPIRED),
    "without an end": (token(rsa_key(), claims(exp=None)), Credential.MALFORMED),
    "an end that is no number": (token(rsa_key(), claims(exp="never")), Credential.MALFORMED),
    "an endless end": (token(rsa_key(), claims(exp=float("inf"))), Credential.MALFORMED),
    "not yet valid": (token(rsa_key(), claims(nbf=NOW + 20_000)), Credential.NOT_YET_VALID),
    "issued in the future": (token(rsa_key(), claims(iat=NOW + 20_000)), Credential.NOT_YET_VALID),
    "another issuer": (token(rsa_key(), claims(iss="https://example.okta.com")), Credential.WRONG_ISSUER),
    "a part of the issuer": (token(rsa_key(), claims(iss=ISSUER[:-3])), Credential.WRONG_ISSUER),
    "an issuer with a slash more": (token(rsa_key(), claims(iss=f"{ISSUER}/")), Credential.WRONG_ISSUER),
    "no issuer": (token(rsa_key(), claims(iss=None)), Credential.WRONG_ISSUER),
    "another audience": (token(rsa_key(), claims(aud="api://other")), Credential.WRONG_AUDIENCE),
    "an audience that begins so": (token(rsa_key(), claims(aud=f"{AUDIENCE}/x")), Credential.WRONG_AUDIENCE),
    "no audience": (token(rsa_key(), claims(aud=None)), Credential.WRONG_AUDIENCE),
    "another client": (token(rsa_key(), claims(cid="0oa-other")), Credential.WRONG_CLIENT),
    "another client by Okta's name beside the right one": (
        token(rsa_key(), claims(cid="0oa-other", client_id=CLIENT_ID)),
        Credential.WRONG_CLIENT,
    ),
    "no client": (token(rsa_key(), claims(cid=None)), Credential.WRONG_CLIENT),
    "a list of clients": (token(rsa_key(), claims(cid=[CLIENT_ID])), Credential.WRONG_CLIENT),
    "another scope": (token(rsa_key(), claims(scp=["other"])), Credential.WRONG_SCOPE),
    "a scope that begins so": (token(rsa_key(), claims(scp=[f"{SCOPE}s"])), Credential.WRONG_SCOPE),
    "no scope": (token(rsa_key(), claims(scp=None)), Credential.WRONG_SCOPE),
    "scopes that are a number": (token(rsa_key(), claims(scp=1)), Credential.WRONG_SCOPE),
    "an extension nobody knows": (token(rsa_key(), crit=["exp"], exp=1), Credential.MALFORMED),
    "a header that is no JSON": (f"{part(b'{')}.{part({})}.", Credential.MALFORMED),
    "a header that is no object": (f"{part([1])}.{part({})}.", Credential.MALFORMED),
    "a header nested without end": (f"{part(b'[' * 2000)}.{part({})}.", Credential.MALFORMED),
    "an algorithm that is a list": (f"{part({'alg': ['RS256'], 'kid': 'k1'})}.{part({})}.", Credential.WRONG_ALGORITHM),
    "a key id that is a number": (f"{part({'alg': 'RS256', 'kid': 1})}.{part({})}.", Credential.MALFORMED),
    "claims that are no object": (f"{part({'alg': 'RS256', 'kid': 'k1'})}.{part([1])}.", Credential.WRONG_SIGNATURE),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_token_that_was_not_issued_for_this_hook_is_refused(text: str, reason: Credential) -> None:
    """Each for its own reason, which is counted and told to nobody."""
    assert judged_token(text) is reason


SHAPES = {
    "no header": (None, Credential.MISSING),
    "an empty one": ("", Credential.MISSING),
    "no token": ("Bearer", Credential.MALFORMED),
    "a secret": ("Basic c2VjcmV0", Credential.MALFORMED),
    "no scheme": (token(rsa_key()), Credential.MALFORMED),
    "two headers": (f"Bearer {token(rsa_key())}, Bearer {token(rsa_key())}", Credential.MALFORMED),
    "two parts": ("Bearer abc.def", Credential.MALFORMED),
    "five parts": ("Bearer a.b.c.d.e", Credential.MALFORMED),
    "base64 of another alphabet": ("Bearer a+b/.c.d", Credential.MALFORMED),
    "beyond ASCII": ("Bearer \xff.\xff.\xff", Credential.MALFORMED),
    "a line feed at the end": (f"Bearer {token(rsa_key())}\n", Credential.MALFORMED),
    "three dots of nothing": ("Bearer ...", Credential.MALFORMED),
    "letters": ("Bearer abc.def.ghi", Credential.MALFORMED),
    "too long": (f"Bearer a.{'b' * LIMIT_BYTES}.c", Credential.TOO_LONG),
    "a scheme in small letters": (f"bearer {token(rsa_key())}", Credential.VALID),
    "two blanks": (f"Bearer  {token(rsa_key())}", Credential.VALID),
}


@pytest.mark.parametrize(("value", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_header_is_judged_by_its_shape_first(value: str | None, expected: Credential) -> None:
    """Nothing is decoded of what cannot be one token."""
    assert judged(value) is expected


@given(st.text(max_size=300) | st.binary(max_size=200).map(part).map(lambda text: f"Bearer {text}.{text}.{text}"))
def test_no_header_raises_or_gets_in(value: str) -> None:
    """Whatever is sent, it is a credential's worth, and not a valid one."""
    assert judged(value) is not Credential.VALID


def test_a_library_that_fails_lets_nobody_in() -> None:
    """APPSEC: fail closed."""

    class Failing:
        def named(self, text: str) -> Any:
            raise OverflowError(text)

        def verified(self, text: str, key: SigningKey, algorithm: str) -> float:
            raise AssertionError(text, key, algorithm)

    assert TokenAuthentication(Failing(), Keys(USUAL)).judge({"HTTP_AUTHORIZATION": "Bearer a.b.c"}) is (
        Credential.MALFORMED
    )


def test_all_scopes_are_needed() -> None:
    """With two scopes in the settings a token of one of them is refused."""
    both = replace(RULES, scopes=frozenset({SCOPE, "more"}))
    assert judged_token(token(rsa_key()), rules=both) is Credential.WRONG_SCOPE
    assert judged_token(token(rsa_key(), claims(scp=["more", SCOPE])), rules=both) is Credential.VALID


def test_a_key_that_cannot_be_looked_up_is_the_services_fault() -> None:
    """Okta tries once more after a 503; a stranger's token is refused."""
    text = f"Bearer {token(rsa_key(), key_id='k9')}"
    assert judged(text, keys=Keys(USUAL, Absent.UNKNOWABLE)) is Credential.NO_KEYS
    assert judged(text, keys=Keys(USUAL, Absent.UNKNOWN)) is Credential.UNKNOWN_KEY


def test_no_key_is_looked_for_under_an_algorithm_that_is_not_pinned() -> None:
    """APPSEC: `none` and HS256 do not even lead to a fetch."""
    keys = Keys({})
    for text in (unsigned(claims(), key_id="k9"), signed_with_the_public_key(rsa_key(), claims(), key_id="k9")):
        assert judged(f"Bearer {text}", keys=keys) is Credential.WRONG_ALGORITHM
    assert keys.looked_for == []


def remembering(keys: Keys, clock: Clock) -> tuple[TokenAuthentication, Counting]:
    """Return an authentication whose work can be counted."""
    counting = Counting(JwtTokens(RULES))
    return TokenAuthentication(counting, keys, clock=clock), counting


def ask(authentication: TokenAuthentication, text: str) -> Credential:
    """Judge a token once more."""
    return authentication.judge({"HTTP_AUTHORIZATION": f"Bearer {text}"})


def test_a_token_is_verified_once() -> None:
    """Okta shows one token thousands of times."""
    authentication, counting = remembering(Keys(USUAL), Clock())
    assert [ask(authentication, TAKEN["Okta's own"]) for _ in range(5)] == [Credential.VALID] * 5
    assert counting.verified_count == 1


def test_a_remembered_token_ends_when_it_ends() -> None:
    """Its end and the leeway count, not when it was first seen."""
    clock = Clock()
    authentication, counting = remembering(Keys(USUAL), clock)
    text = token(rsa_key(), claims(exp=int(clock()) + 100))
    assert ask(authentication, text) is Credential.VALID
    clock.seconds += 100 + LEEWAY_SECONDS - 1
    assert (ask(authentication, text), counting.verified_count) == (Credential.VALID, 1)
    clock.seconds += 2
    ask(authentication, text)
    assert counting.verified_count == 2


def test_a_remembered_token_is_not_taken_once_its_key_is_gone_or_another() -> None:
    """A key that the issuer has withdrawn takes its tokens with it."""
    keys = Keys(USUAL)
    authentication, counting = remembering(keys, Clock())
    text = TAKEN["Okta's own"]
    assert ask(authentication, text) is Credential.VALID
    keys.known = {name: key for name, key in USUAL.items() if name != "k1"}
    assert ask(authentication, text) is Credential.UNKNOWN_KEY
    keys.known = published(public_jwk(rsa_key("other"), "k1"))
    assert ask(authentication, text) is Credential.WRONG_SIGNATURE
    assert counting.verified_count == 2


def test_what_is_refused_is_not_remembered() -> None:
    """A stranger cannot push anybody's token out, and one that is not yet valid becomes so."""
    authentication, counting = remembering(Keys(USUAL), Clock())
    for _ in range(3):
        assert ask(authentication, REFUSED["not yet valid"][0]) is Credential.NOT_YET_VALID
    assert (counting.verified_count, "0 tokens" in repr(authentication)) == (3, True)


def test_only_so_many_tokens_are_remembered_the_newest() -> None:
    """Bounded, whatever the issuer issues."""
    authentication, counting = remembering(Keys(USUAL), Clock())
    texts = [
        token(ec_key(), claims(jti=str(number)), key_id="e1", algorithm="ES256") for number in range(REMEMBERED + 1)
    ]
    assert {ask(authentication, text) for text in texts} == {Credential.VALID}
    assert f"{REMEMBERED} tokens" in repr(authentication)
    ask(authentication, texts[-1])
    assert counting.verified_count == len(texts)
    ask(authentication, texts[0])
    assert counting.verified_count == len(texts) + 1


def test_no_token_is_held() -> None:
    """APPSEC: what is remembered shows no token, nor a part of one."""
    authentication, _ = remembering(Keys(USUAL), Clock())
    text = TAKEN["Okta's own"]
    ask(authentication, text)
    held = repr(authentication) + repr(authentication._passed._known)
    assert not any(piece in held for piece in text.split("."))


@pytest.mark.parametrize(
    ("value", "status", "reason"),
    [
        (None, 401, "missing"),
        (f"Bearer {token(rsa_key())}", 200, None),
        (f"Bearer {REFUSED['expired'][0]}", 403, "expired"),
        (f"Bearer {token(rsa_key(), key_id='k9')}", 503, "no-keys"),
    ],
)
def test_the_hook_answers_by_what_the_token_is_worth(value: str | None, status: int, reason: str | None) -> None:
    """401 asks for a bearer token; a fault of the service's own is a 503, after which Okta tries once more."""
    answers, refusals = Answers(), Refusals()
    authentication = TokenAuthentication(JwtTokens(RULES), Keys(USUAL, Absent.UNKNOWABLE))
    app = create_hook_app(answers, authentication, refusals=refusals, body_limit_bytes=1000)
    headers = {"Content-Type": "application/json"} | ({"Authorization": value} if value else {})
    result = testing.TestClient(app).simulate_post("/okta/import", body=b"{}", headers=headers)
    assert (result.status_code, refusals.reasons) == (status, [reason] if reason else [])
    assert result.headers.get("www-authenticate") == ('Bearer realm="usher"' if status == 401 else None)
    assert len(answers.calls) == (status == 200)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own name and extra, as pip takes them."""
    monkeypatch.delitem(sys.modules, "usher.web.jwt_tokens")
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(AuthenticationError, match=r"pip install 'okta-usher\[oauth\]'"):
        token_authentication(RULES, KeySource(ISSUER, 1.0, Pace(60, 10, 0)))


def test_who_authenticates_by_header_loads_no_library_for_tokens() -> None:
    """A service without the extra must start; and what is not loaded has no holes."""
    code = (
        "import sys, usher.bootstrap.service, usher.cli.serve, usher.cli.reload;"
        "print([name for name in ('jwt', 'cryptography') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
