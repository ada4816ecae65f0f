"""Header authentication."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.web.auth import AuthenticationError, Credential, HeaderAuthentication, NoAuthentication

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def judged(authentication: HeaderAuthentication, value: str | None, key: str = "HTTP_AUTHORIZATION") -> Credential:
    """Judge one header's value as a WSGI server hands it over."""
    return authentication.judge({} if value is None else {key: value})


@given(secrets=st.lists(VISIBLE, min_size=1, max_size=4), sent=VISIBLE)
def test_exactly_the_secrets_in_force_are_valid(secrets: list[str], sent: str) -> None:
    """Any of the secrets, and nothing else, is valid, whatever their order and number."""
    authentication = HeaderAuthentication("Authorization", [secret.encode() for secret in secrets])
    assert all(judged(authentication, secret) is Credential.VALID for secret in secrets)
    assert judged(authentication, sent) is (Credential.VALID if sent in secrets else Credential.WRONG)


@pytest.mark.parametrize("value", [None, ""])
def test_no_value_is_no_credential(value: str | None) -> None:
    """Absent and empty are the same: 401, not 403."""
    assert judged(HeaderAuthentication("Authorization", [b"s"]), value) is Credential.MISSING


@pytest.mark.parametrize("value", ["S", "s ", "ss", "s, s", "Basic s", "\xff", "\u20ac"])
def test_near_misses_are_wrong(value: str) -> None:
    """No folding, no trimming, no prefix; two headers, joined by waitress, are wrong; odd characters do not raise."""
    assert judged(HeaderAuthentication("Authorization", [b"s"]), value) is Credential.WRONG


def test_a_secret_beyond_ascii_is_compared_byte_by_byte() -> None:
    """WSGI hands bytes over as Latin-1; what counts are the bytes on the wire."""
    authentication = HeaderAuthentication("Authorization", ["schlüssel".encode()])
    assert judged(authentication, "schlüssel".encode().decode("latin-1")) is Credential.VALID
    assert judged(authentication, "schlüssel") is Credential.WRONG


def test_the_header_may_have_another_name() -> None:
    """Okta lets the admin choose the name; its case says nothing."""
    authentication = HeaderAuthentication("x-Usher-Key", [b"s"])
    assert judged(authentication, "s", "HTTP_X_USHER_KEY") is Credential.VALID
    assert judged(authentication, "s") is Credential.MISSING


@pytest.mark.parametrize("name", ["", "X_Key", "X Key", "X-Key:", "Schlüssel", "X\r\nY"])
def test_a_header_name_that_could_never_arrive_is_refused(name: str) -> None:
    """Both waitress and nginx drop names with an underscore, and the others are no names."""
    with pytest.raises(AuthenticationError, match="authentication header"):
        HeaderAuthentication(name, [b"s"])


@pytest.mark.parametrize("secrets", [[], [b""], [b"good", b""], [b" s"], [b"s\t"], [b"s\n"], [b"a\x00b"]])
def test_a_secret_that_lets_everybody_or_nobody_in_is_refused(secrets: list[bytes]) -> None:
    """Without a secret, or with an empty or unsendable one, there is no authentication."""
    with pytest.raises(AuthenticationError) as refused:
        HeaderAuthentication("Authorization", secrets)
    assert "good" not in str(refused.value)


def test_no_secret_is_ever_shown() -> None:
    """Neither the object's text nor anything it holds contains a secret."""
    authentication = HeaderAuthentication("Authorization", [b"hush-hush"])
    assert "hush" not in repr(authentication)
    assert "hush" not in repr(vars(authentication))


def test_no_authentication_asks_for_nothing() -> None:
    """`--insecure-no-auth` lets every request in."""
    assert NoAuthentication().judge({}) is Credential.VALID
