"""The settings of OAuth 2.0: what must be there, and which addresses are taken."""

from pathlib import Path

import pytest

from usher.settings import SettingsError, load

GOOD = {
    "issuer": '"https://example.okta.com/oauth2/default"',
    "client_ids": '["0oa1"]',
    "scopes": '["usher"]',
}


def problems(folder: Path, *, mode: str = "oauth2", **changed: str) -> list[str]:
    """Return what is said about settings that are good but for what is changed; an empty one is left out."""
    said = {key: value for key, value in {**GOOD, **changed}.items() if value}
    lines = [f'mode = "{mode}"', *(f"{key} = {value}" for key, value in said.items())]
    (folder / "usher.toml").write_text("\n".join(["[auth]", *lines]), encoding="utf-8")
    try:
        load(None, environ={}, overrides={}, folder=folder)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def test_what_is_missing_is_told_all_at_once(tmp_path: Path) -> None:
    """Each with the place of the mode that asks for it, and what to write there."""
    said = problems(tmp_path, issuer="", client_ids="[]", scopes="", audience='""', algorithms="[]")
    assert [line.partition(": the")[0].partition(": what")[0] for line in said] == [
        'usher.toml:2:1: clash: auth.mode = "oauth2" needs auth.issuer',
        'usher.toml:3:1: clash: auth.mode = "oauth2" needs auth.client_ids',
        'usher.toml:2:1: clash: auth.mode = "oauth2" needs auth.scopes',
        'usher.toml:4:1: clash: auth.mode = "oauth2" needs auth.audience',
        'usher.toml:5:1: clash: auth.mode = "oauth2" needs auth.algorithms',
    ]


def test_a_mode_from_a_variable_is_named_as_the_place(tmp_path: Path) -> None:
    """Who set it there looks there."""
    with pytest.raises(SettingsError) as caught:
        load(None, environ={"USHER_AUTH_MODE": "oauth2"}, overrides={}, folder=tmp_path)
    assert {problem.place.file for problem in caught.value.problems} == {"USHER_AUTH_MODE"}
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "url",
    [
        "https://example.okta.com/oauth2/default",
        "https://example.okta.com:8443/oauth2/aus1",
        "http://127.0.0.1:8080/default",
        "http://127.8.0.1/",
        "http://[::1]:8080",
        "http://localhost:8080/default",
    ],
)
def test_an_issuer_has_tls_or_is_this_machine(tmp_path: Path, url: str) -> None:
    """As its keys have: both settings take the same addresses."""
    assert problems(tmp_path, issuer=f'"{url}"', jwks_url=f'"{url}"') == []


TLS = "must begin with https://; only this machine's own addresses may do without"
PLAIN = "must be an address of host and path alone, without a name, a password or a query"
REFUSED = {
    "http://example.okta.com/oauth2/default": TLS,
    "http://localhost.example.com/": TLS,
    "http://127.0.0.1.example.com/": TLS,
    "http://10.0.0.1/": TLS,
    "https://jo:hush@example.com/": PLAIN,
    "https://jo@example.com/": PLAIN,
    "https://example.com/?hush=1": PLAIN,
    "https://example.com/#hush": PLAIN,
    "https:///hush": PLAIN,
    "https://example.com:hush/": "must be a valid URL",
    "https://[hush/": "must be a valid URL",
}


@pytest.mark.parametrize(("url", "said"), REFUSED.items())
@pytest.mark.parametrize("key", ["issuer", "jwks_url"])
def test_an_address_that_could_be_anybodys_is_refused(tmp_path: Path, key: str, url: str, said: str) -> None:
    """With its line, and without the address: it may hold a password."""
    found = problems(tmp_path, **{key: f'"{url}"'})
    assert found == [f"usher.toml:{3 if key == 'issuer' else 6}:1: clash: auth.{key} {said}"]
    assert "hush" not in str(found)


def test_nothing_of_it_matters_while_the_mode_is_another(tmp_path: Path) -> None:
    """Settings may be prepared before they are used."""
    assert problems(tmp_path, mode="header", issuer='"http://example.com"', client_ids="", scopes="") == []
