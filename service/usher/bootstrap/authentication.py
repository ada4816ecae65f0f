"""Who may call which listener: settings in, what judges credentials out.

Owns which credential the hook takes and which operations takes, and the life of the issuer's keys. Main thread; what it
builds is used on worker threads.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from usher.settings import AuthSettings, LoadedSettings, SettingsError, read_secrets
from usher.web.auth import Authentication, HeaderAuthentication, NoAuthentication
from usher.web.oauth import KeySource, TokenRules, token_authentication
from usher.web.signing_keys import Pace, SigningKeys


@dataclass(frozen=True, slots=True)
class KeyWatch:
    """How the issuer's keys are, for probes and `/status`; asks nobody."""

    keys: SigningKeys

    def facts(self) -> Mapping[str, object]:
        """Return how many there are, since when, and what the last fetch failed for."""
        return self.keys.facts()

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be judged."""
        return bool(self.keys.current())


@dataclass(frozen=True, slots=True)
class Doors:
    """What judges who calls the hook, who asks operations to do something, and the keys for that, if there are any."""

    hook: Authentication
    operations: Authentication
    keys: SigningKeys | None = None

    @property
    def watches(self) -> Mapping[str, KeyWatch]:
        """What readiness and status tell about authentication: nothing while it cannot fail."""
        return {} if self.keys is None else {"authentication": KeyWatch(self.keys)}

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Fetch the issuer's keys for as long as the block runs. A start does not wait for them: they may be late."""
        if self.keys is None:
            yield
            return
        with self.keys.fetching():
            yield


def doors(loaded: LoadedSettings, environ: Mapping[str, str], *, authenticated: bool) -> Doors:
    """Return what the settings ask for; raises `SettingsError` and `AuthenticationError`, each of one clear text."""
    auth = loaded.settings.auth
    if not authenticated:
        return Doors(NoAuthentication(), NoAuthentication())
    if auth.mode == "header":
        by_secret = HeaderAuthentication(auth.header, read_secrets(auth, environ))
        return Doors(by_secret, by_secret)
    by_token, keys = token_authentication(_rules(auth), _source(auth))
    return Doors(by_token, _by_secret(auth, environ) or by_token, keys)


def _by_secret(auth: AuthSettings, environ: Mapping[str, str]) -> Authentication | None:
    """Return what lets an admin with a secret in; None where none is set up, so that a token is asked for."""
    try:
        return HeaderAuthentication(auth.header, read_secrets(auth, environ))
    except SettingsError as error:
        if {problem.code for problem in error.problems} == {"no-secret"}:
            return None
        raise


def _rules(auth: AuthSettings) -> TokenRules:
    return TokenRules(
        issuer=auth.issuer,
        audience=auth.audience,
        client_ids=frozenset(auth.client_ids),
        scopes=frozenset(auth.scopes),
        algorithms=auth.algorithms,
        leeway_seconds=auth.leeway_seconds,
    )


def _source(auth: AuthSettings) -> KeySource:
    # Source: Okta's OpenID Connect and OAuth 2.0 reference, "/keys" of an authorization server.
    return KeySource(
        url=auth.jwks_url or auth.issuer.rstrip("/") + "/v1/keys",
        timeout_seconds=auth.jwks_timeout_seconds,
        pace=Pace(auth.jwks_refresh_seconds, auth.jwks_pause_seconds, auth.jwks_stale_seconds),
    )
