"""What a token says and whether its signature holds: the one module that knows PyJWT and cryptography.

Owns the verification of access tokens as Okta describes it ("Validate access tokens") and RFC 9068, and which keys of
a JWK set can verify them (RFC 7517, 7518). Importing it needs the extra `[oauth]`; `web.oauth` does so when tokens are
asked for. Pure functions of their arguments and the time; safe on any thread.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from usher.web.auth import Credential
from usher.web.oauth import Named, TokenRules
from usher.web.signing_keys import KeysError, SigningKey

MIN_RSA_BITS: Final = 2048
"""RFC 7518, section 3.3."""
_PUBLIC_MEMBERS: Final = ("kty", "n", "e", "crv", "x", "y")
_OF_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_FAILURES: Final[tuple[tuple[type[jwt.PyJWTError], Credential], ...]] = (
    (jwt.InvalidSignatureError, Credential.WRONG_SIGNATURE),
    (jwt.InvalidAlgorithmError, Credential.WRONG_ALGORITHM),
    (jwt.ExpiredSignatureError, Credential.EXPIRED),
    (jwt.ImmatureSignatureError, Credential.NOT_YET_VALID),
    (jwt.InvalidIssuerError, Credential.WRONG_ISSUER),
    (jwt.InvalidAudienceError, Credential.WRONG_AUDIENCE),
)
_OF_MISSING: Final = {"iss": Credential.WRONG_ISSUER, "aud": Credential.WRONG_AUDIENCE}


class JwtTokens:
    """Reads and verifies tokens by fixed rules."""

    def __init__(self, rules: TokenRules) -> None:
        self._rules = rules

    def named(self, token: str) -> Named | Credential:
        """Return the key and the algorithm a token names. Addresses and keys it brings along are not looked at."""
        header = jwt.get_unverified_header(token)
        if "crit" in header:  # RFC 7515, section 4.1.11: what is not understood must be refused, and nothing is
            return Credential.MALFORMED
        algorithm, key_id = header.get("alg"), header.get("kid")
        # APPSEC: before the key, so that `none` and HS256 do not even lead to a look for one.
        if algorithm not in self._rules.algorithms:
            return Credential.WRONG_ALGORITHM
        return Named(key_id, str(algorithm)) if isinstance(key_id, str) and key_id else Credential.UNKNOWN_KEY

    def verified(self, token: str, key: SigningKey, algorithm: str) -> float | Credential:
        """Return until when a token is valid, in Unix seconds, or what is wrong with it."""
        material = key.by_algorithm.get(algorithm)
        if material is None:
            return Credential.WRONG_ALGORITHM
        rules = self._rules
        try:
            claims = jwt.decode(
                token,
                material,  # type: ignore[arg-type]  # a public key, which `keys_in` has made
                algorithms=[algorithm],
                issuer=rules.issuer,
                audience=rules.audience,
                leeway=rules.leeway_seconds,
                options={"require": ["exp", "iss", "aud"], "verify_sub": False, "verify_jti": False},
            )
        except jwt.MissingRequiredClaimError as error:
            return _OF_MISSING.get(error.claim, Credential.MALFORMED)
        except jwt.PyJWTError as error:
            return next((found for kind, found in _FAILURES if isinstance(error, kind)), Credential.MALFORMED)
        # APPSEC: PyJWT 2.10.0 took a part of the issuer for the issuer; letter for letter is promised.
        if claims["iss"] != rules.issuer:
            return Credential.WRONG_ISSUER
        if _client(claims) not in rules.client_ids:
            return Credential.WRONG_CLIENT
        if not rules.scopes <= _scopes(claims):
            return Credential.WRONG_SCOPE
        return int(claims["exp"]) + rules.leeway_seconds


def _client(claims: Mapping[str, object]) -> object:
    """Okta's own name first, then that of RFC 9068."""
    client = claims["cid"] if "cid" in claims else claims.get("client_id")
    return client if isinstance(client, str) else None


def _scopes(claims: Mapping[str, object]) -> frozenset[str]:
    """Okta's list `scp` first, then RFC 9068's text `scope`; either may have either form."""
    granted = claims["scp"] if "scp" in claims else claims.get("scope")
    if isinstance(granted, str):
        return frozenset(granted.split(" "))
    return frozenset(scope for scope in granted if isinstance(scope, str)) if isinstance(granted, list) else frozenset()


def keys_in(body: bytes, algorithms: Sequence[str]) -> Mapping[str, SigningKey]:
    """Return the keys of a JWK set that can verify one of the algorithms, by id; raises `KeysError` without one."""
    try:
        said = json.loads(body)
        listed = said["keys"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise KeysError("not-json") from None
    if not isinstance(listed, list):
        raise KeysError("not-json")
    found: dict[str, SigningKey] = {}
    for jwk in listed:
        key = _signing_key(jwk, algorithms)
        if key is not None:
            found.setdefault(key.key_id, key)
    if not found:
        raise KeysError("no-keys")
    return MappingProxyType(found)


def _signing_key(jwk: object, algorithms: Sequence[str]) -> SigningKey | None:
    """Return one key; None for one that is for something else, is too short, or is no key."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str):
        return None
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    fitting = [name for name in _fitting(jwk) if name in algorithms and jwk.get("alg", name) == name]
    # APPSEC: an issuer that publishes a private key by mistake still gets no more than its public half used.
    public = {name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk}
    try:
        ready = {name: jwt.PyJWK(public, name).key for name in fitting}
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None
    if not ready or any(isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS for key in ready.values()):
        return None
    return SigningKey(jwk["kid"], json.dumps(jwk, sort_keys=True), MappingProxyType(ready))


def _fitting(jwk: Mapping[str, object]) -> Iterator[str]:
    """Yield the algorithms that a key of this type and curve can verify."""
    if jwk.get("kty") == "RSA":
        yield from ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    elif jwk.get("kty") == "EC" and (curve := str(jwk.get("crv"))) in _OF_CURVE:
        yield _OF_CURVE[curve]
