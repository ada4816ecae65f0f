"""What is read from a JWK set: which keys can verify what, and what is no key."""

import json
import warnings
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tests.oauth_tokens import ec_key, private_jwk, public_jwk, rsa_key
from usher.web.jwt_tokens import keys_in
from usher.web.signing_keys import KeysError

ALL = tuple(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
RSA_ALL = {name for name in ALL if not name.startswith("ES")}


def read(*jwks: object, algorithms: tuple[str, ...] = ALL) -> dict[str, set[str]]:
    """Return the algorithms of each key of a set."""
    found = keys_in(json.dumps({"keys": jwks}).encode(), algorithms)
    return {name: set(key.by_algorithm) for name, key in found.items()}


def test_a_key_verifies_what_its_type_its_curve_and_its_word_allow() -> None:
    """Only what is pinned, only what fits, only what the key itself says if it does."""
    said = read(
        public_jwk(rsa_key(), "rsa"),
        public_jwk(rsa_key(), "rs256", alg="RS256"),
        public_jwk(rsa_key(), "no-use", use=None),
        public_jwk(rsa_key(), "verify", key_ops=["verify"]),
        public_jwk(ec_key(), "p256"),
        public_jwk(ec_key("384", ec.SECP384R1), "p384"),
        public_jwk(ec_key("521", ec.SECP521R1), "p521"),
    )
    assert said == {
        "rsa": RSA_ALL,
        "rs256": {"RS256"},
        "no-use": RSA_ALL,
        "verify": RSA_ALL,
        "p256": {"ES256"},
        "p384": {"ES384"},
        "p521": {"ES512"},
    }
    assert read(public_jwk(rsa_key(), "rsa"), algorithms=("RS256",)) == {"rsa": {"RS256"}}


UNFIT: dict[str, Any] = {
    "for encryption": public_jwk(rsa_key(), "x", use="enc"),
    "for signing alone": public_jwk(rsa_key(), "x", key_ops=["sign"]),
    "operations that are no list": public_jwk(rsa_key(), "x", key_ops="verify"),
    "an algorithm that does not fit": public_jwk(rsa_key(), "x", alg="ES256"),
    "an algorithm with a secret": public_jwk(rsa_key(), "x", alg="HS256"),
    "a secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
    "another curve": public_jwk(ec_key(), "x", crv="P-192"),
    "no modulus": public_jwk(rsa_key(), "x", n=None),
    "a modulus that is a number": public_jwk(rsa_key(), "x", n=5),
    "a modulus that is no base64": public_jwk(rsa_key(), "x", n="!"),
    "an even exponent": public_jwk(rsa_key(), "x", e="Ag"),
    "a point that is not on the curve": public_jwk(ec_key(), "x", x="AAAA"),
    "a short one": public_jwk(rsa_key("short", 1024), "x"),
    "an id that is a number": {**public_jwk(rsa_key(), "x"), "kid": 1},
    "no id": {name: value for name, value in public_jwk(rsa_key(), "x").items() if name != "kid"},
    "no type": {"kid": "x"},
    "no object": "x",
    "nothing": None,
}


@pytest.mark.parametrize("jwk", UNFIT.values(), ids=UNFIT)
def test_what_is_no_key_for_this_is_passed_over(jwk: object) -> None:
    """It hides none of the others, and alone it is as good as none."""
    assert read(jwk, public_jwk(rsa_key(), "k1"), jwk) == {"k1": RSA_ALL}
    with pytest.raises(KeysError) as caught:
        read(jwk)
    assert caught.value.reason == "no-keys"


NO_SETS = {
    "nothing": (b"", "not-json"),
    "a page": (b"<html>", "not-json"),
    "not UTF-8": (b"\xff\xfe\x00", "not-json"),
    "nested without end": (b"[" * 200_000, "not-json"),
    "a list": (b"[]", "not-json"),
    "no keys": (b"{}", "not-json"),
    "keys that are no list": (b'{"keys": {}}', "not-json"),
    "null": (b'{"keys": null}', "not-json"),
    "an empty list": (b'{"keys": []}', "no-keys"),
}


@pytest.mark.parametrize(("body", "reason"), NO_SETS.values(), ids=NO_SETS)
def test_what_is_no_set_of_keys_is_a_failure_with_a_reason(body: bytes, reason: str) -> None:
    """The keys in force are not replaced by it."""
    with pytest.raises(KeysError) as caught:
        keys_in(body, ALL)
    assert caught.value.reason == reason
    assert reason in str(caught.value)


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    """Whatever else stands further down."""
    first, second = public_jwk(rsa_key(), "k1", alg="RS256"), public_jwk(rsa_key("other"), "k1", alg="RS384")
    assert read(first, second) == {"k1": {"RS256"}}


def test_of_a_private_key_the_public_half_is_taken() -> None:
    """APPSEC: an issuer that publishes it by mistake does not bring it into this process' hands."""
    found = keys_in(json.dumps({"keys": [private_jwk(rsa_key(), "k1", key_ops=["verify"])]}).encode(), ("RS256",))
    assert not hasattr(found["k1"].by_algorithm["RS256"], "private_numbers")


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = SCALARS | st.lists(SCALARS, max_size=2)
MEMBERS = ("kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y")


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON), st.sampled_from(["RSA", "EC", "OKP", "oct"]))
def test_no_set_breaks_the_reading(changed: dict[str, object], kind: str) -> None:
    """Whatever an issuer publishes, there is a set of keys or a reason, and no warning."""
    base = public_jwk(rsa_key(), "k1") if kind == "RSA" else public_jwk(ec_key(), "k1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with suppress(KeysError):
            read({**base, "kty": kind, **changed}, algorithms=("RS256", "ES256"))
