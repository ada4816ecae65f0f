"""Who may call which listener, by the settings."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.oauth_tokens import CLIENT_ID, ISSUER, SCOPE
from usher.bootstrap.authentication import KeyWatch, _source, doors
from usher.settings import LoadedSettings, SettingsError, load
from usher.web.auth import HeaderAuthentication, NoAuthentication
from usher.web.oauth import TokenAuthentication

SECRET = {"USHER_SECRET": "a secret that is long enough"}
OAUTH = f'[auth]\nmode = "oauth2"\nissuer = "{ISSUER}"\nclient_ids = ["{CLIENT_ID}"]\nscopes = ["{SCOPE}"]\n'


def loaded(folder: Path, text: str) -> LoadedSettings:
    """Return settings from a file."""
    (folder / "usher.toml").write_text(text, encoding="utf-8")
    return load(None, environ={}, overrides={}, folder=folder)


@pytest.mark.parametrize(
    ("text", "environ", "hook", "operations"),
    [
        ("", SECRET, HeaderAuthentication, HeaderAuthentication),
        (OAUTH, {}, TokenAuthentication, TokenAuthentication),
        (OAUTH, SECRET, TokenAuthentication, HeaderAuthentication),
    ],
    ids=["header", "oauth2 without a secret", "oauth2 with a secret"],
)
def test_what_each_listener_takes(
    tmp_path: Path, text: str, environ: Mapping[str, str], hook: type, operations: type
) -> None:
    """The hook as the mode says; operations a secret wherever there is one."""
    made = doors(loaded(tmp_path, text), environ, authenticated=True)
    assert (type(made.hook), type(made.operations)) == (hook, operations)
    assert (made.keys is None) == (hook is HeaderAuthentication)


@pytest.mark.parametrize("text", ["", OAUTH])
def test_without_authentication_nothing_is_built(tmp_path: Path, text: str) -> None:
    """`--insecure-no-auth` needs no secret, no issuer and no key."""
    made = doors(loaded(tmp_path, text), {}, authenticated=False)
    assert (type(made.hook), type(made.operations), made.keys) == (NoAuthentication, NoAuthentication, None)


def test_a_secret_that_cannot_be_used_is_a_fault_in_either_mode(tmp_path: Path) -> None:
    """APPSEC: a secret that was meant to guard reloads must not be passed over."""
    for text in ("", OAUTH):
        with pytest.raises(SettingsError, match="the secret is empty"):
            doors(loaded(tmp_path, text), {"USHER_SECRET": " "}, authenticated=True)


def test_by_header_there_is_nothing_to_watch_and_nothing_to_attend_to(tmp_path: Path) -> None:
    """No thread, no check in readiness."""
    made = doors(loaded(tmp_path, ""), SECRET, authenticated=True)
    before = threading.active_count()
    with made.attended():
        assert (threading.active_count(), dict(made.watches)) == (before, {})


def test_keys_are_watched_under_the_name_authentication(tmp_path: Path) -> None:
    """Unready until there are keys; asking how they are asks nobody."""
    made = doors(loaded(tmp_path, OAUTH), {}, authenticated=True)
    assert list(made.watches) == ["authentication"]
    watch = made.watches["authentication"]
    assert isinstance(watch, KeyWatch)
    assert not watch.is_ready
    assert dict(watch.facts()) == {"keys": 0, "fetched": None, "failure": "not-yet"}


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ("", f"{ISSUER}/v1/keys"),
        ('jwks_url = "https://keys.example.com/jwks"', "https://keys.example.com/jwks"),
    ],
)
def test_keys_are_where_okta_has_them_unless_the_settings_know_better(tmp_path: Path, more: str, url: str) -> None:
    """Okta's reference: `/v1/keys` below the authorization server."""
    assert _source(loaded(tmp_path, OAUTH + more).settings.auth).url == url


def test_an_issuer_with_a_slash_at_its_end_has_its_keys_at_the_same_place(tmp_path: Path) -> None:
    """Two slashes would be another path."""
    text = OAUTH.replace(ISSUER, f"{ISSUER}/")
    assert _source(loaded(tmp_path, text).settings.auth).url == f"{ISSUER}/v1/keys"
