"""Keys and tokens that tests make themselves, forged ones among them.

Owns the shapes; one RSA key is made once per process, since that takes its time. What a library refuses to make is put
together by hand.
"""

import base64
import functools
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER: Final = "https://example.okta.com/oauth2/default"
AUDIENCE: Final = "api://default"
CLIENT_ID: Final = "0oa-usher"
SCOPE: Final = "usher.call"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@functools.cache
def rsa_key(name: str = "usual", bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key; the same one for the same name."""
    del name
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(name: str = "usual", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """Return a key; the same one for the same name."""
    del name
    return ec.generate_private_key(curve())


def private_jwk(key: PrivateKey, key_id: str, **more: object) -> dict[str, Any]:
    """Return a private key as JWK."""
    made = json.loads(RSAAlgorithm.to_jwk(key) if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk(key))
    made.pop("key_ops", None)  # who publishes its public half forgets to change this
    return {**made, "kid": key_id, **more}


def public_jwk(key: PrivateKey, key_id: str, **more: object) -> dict[str, Any]:
    """Return its public half as JWK, as Okta publishes it; what is None is left out."""
    public = key.public_key()
    made = json.loads(
        RSAAlgorithm.to_jwk(public) if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(public)
    )
    made.pop("key_ops", None)
    said = {**made, "use": "sig", "kid": key_id, **more}
    return {name: value for name, value in said.items() if value is not None}


def claims(**changed: object) -> dict[str, Any]:
    """Return the claims of a token of Okta's; what is None is left out."""
    now = int(time.time())
    usual = {"ver": 1, "jti": "AT.1", "iss": ISSUER, "aud": AUDIENCE, "iat": now - 5, "exp": now + 3600}
    said = {**usual, "cid": CLIENT_ID, "scp": [SCOPE], "sub": CLIENT_ID, **changed}
    return {name: value for name, value in said.items() if value is not None}


def token(
    key: PrivateKey,
    said: Mapping[str, object] | None = None,
    *,
    key_id: str | None = "k1",
    algorithm: str = "RS256",
    **header: object,
) -> str:
    """Return a signed token."""
    named = {} if key_id is None else {"kid": key_id}
    return jwt.encode(dict(claims() if said is None else said), key, algorithm, headers={**named, **header})


def part(value: object) -> str:
    """Return one part of a token; bytes as they are, all else as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(said: Mapping[str, object], *, algorithm: str = "none", key_id: str = "k1") -> str:
    """Return a token without a signature."""
    return f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': key_id})}.{part(dict(said))}."


def signed_with_the_public_key(key: PrivateKey, said: Mapping[str, object], *, key_id: str = "k1") -> str:
    """Return a token signed by HMAC with the public key's PEM: what everybody can make. Libraries refuse to."""
    secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': key_id})}.{part(dict(said))}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
