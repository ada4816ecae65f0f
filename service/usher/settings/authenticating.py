"""The settings by which Okta proves that it is Okta.

Owns their names, defaults, ranges and reasons, as `model` does for all others, and what those of OAuth 2.0 must be
together. What they mean is `web`'s.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from usher.settings.about import about

# Of what RFC 9110 allows, these survive the way through proxies and WSGI: most drop a name with an underscore.
_HEADER_NAME: Final = "[A-Za-z0-9-]+"
# APPSEC: no HS256, which would make a public key a secret, and no `none`.
_ALGORITHM: Final = "(RS|PS|ES)(256|384|512)"
_URL: Final = r"(https?://[!-~]+)?"

Mode = Literal["header", "oauth2"]


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How Okta proves that it is Okta. Names of secrets only; `read_secrets` reads them."""

    mode: Mode = field(
        default="header",
        metadata=about("choice", "The header with a shared secret is what Okta's console offers first."),
    )
    header: str = field(
        default="Authorization",
        metadata=about(
            "header name", "Okta's own suggestion; logs and proxies know not to print it.", pattern=_HEADER_NAME
        ),
    )
    secret_files: tuple[Path, ...] = field(
        default=(),
        metadata=about(
            "files",
            "Each holds one secret, blanks around it ignored; several are valid at once, for rotation.",
        ),
    )
    secret_variables: tuple[str, ...] = field(
        default=("USHER_SECRET",),
        metadata=about(
            "names of environment variables",
            "Each that is set holds one secret; several are valid at once, for rotation.",
            pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        ),
    )
    issuer: str = field(
        default="",
        metadata=about(
            "URL",
            "The authorization server whose tokens are taken, letter for letter as they name it in `iss`; only an "
            "organisation knows.",
            pattern=_URL,
        ),
    )
    audience: str = field(
        default="api://default",
        metadata=about("text", "What `aud` must be or hold; Okta's own default authorization server says this."),
    )
    client_ids: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "client ids",
            "The app integration that Okta gets its tokens for; several while one replaces another.",
            pattern=r"\S+",
        ),
    )
    scopes: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "scopes",
            "A token must have all of them: it was issued for this hook and not for something else.",
            pattern=r"[!#-\[\]-~]+",
        ),
    )
    algorithms: tuple[str, ...] = field(
        default=("RS256",),
        metadata=about(
            "algorithms RS256 to ES512",
            "What Okta signs with. A token does not choose: none, HS256 and all others are refused.",
            pattern=_ALGORITHM,
        ),
    )
    leeway_seconds: float = field(
        default=30.0,
        metadata=about(
            "seconds",
            "How far this machine's clock and the issuer's may differ; a token is taken this much longer.",
            minimum=0,
            maximum=300,
        ),
    )
    jwks_url: str = field(
        default="",
        metadata=about(
            "URL",
            "Where the issuer publishes its keys. Empty is Okta's place, `v1/keys` below the issuer.",
            pattern=_URL,
        ),
    )
    jwks_timeout_seconds: float = field(
        default=5.0,
        metadata=about(
            "seconds",
            "One fetch of the keys, from the look-up of the name to the last byte; calls wait for 1 s of it at most.",
            minimum=0.1,
            maximum=60,
        ),
    )
    jwks_refresh_seconds: float = field(
        default=600.0,
        metadata=about(
            "seconds",
            "How soon a key that the issuer has withdrawn is no longer believed.",
            minimum=0.1,
            maximum=86400,
        ),
    )
    jwks_pause_seconds: float = field(
        default=10.0,
        metadata=about(
            "seconds",
            "After a fetch for an unknown key none is made for another: strangers can name keys without end.",
            minimum=0.1,
            maximum=3600,
        ),
    )
    jwks_stale_seconds: float = field(
        default=604800.0,
        metadata=about(
            "seconds",
            "How long keys are believed while the issuer cannot be asked: a week outlasts a long weekend. 0 is for "
            "ever.",
            minimum=0,
            maximum=31536000,
        ),
    )


def oauth_faults(auth: AuthSettings) -> Iterator[tuple[str, str]]:
    """Yield each setting that OAuth 2.0 cannot do with, and what is wrong; nothing while the mode is another."""
    if auth.mode != "oauth2":
        return
    needed = {
        "issuer": "the authorization server, https://example.okta.com/oauth2/default for example",
        "client_ids": "the client id of the app integration that Okta gets its tokens for",
        "scopes": "the scope that the hook's tokens have",
        "audience": "the audience of that authorization server, api://default for example",
        "algorithms": 'what it signs with, "RS256" for example',
    }
    yield from (
        (key, f'auth.mode = "oauth2" needs auth.{key}: {what}')
        for key, what in needed.items()
        if not getattr(auth, key)
    )
    for key in ("issuer", "jwks_url"):
        if fault := _url_fault(getattr(auth, key)):
            yield key, f"auth.{key} {fault}"


def _url_fault(url: str) -> str:
    """Say what is wrong with an address that is given; APPSEC: without repeating it, for it may hold a password."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a valid URL"
    if not host or parts.username is not None or parts.query or parts.fragment:
        return "must be an address of host and path alone, without a name, a password or a query"
    # APPSEC: who can change the keys on their way can let anybody in.
    if parts.scheme != "https" and not _is_loopback(host):
        return "must begin with https://; only this machine's own addresses may do without"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
