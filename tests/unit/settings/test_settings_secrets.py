"""Secrets: where they are read, what they must be, and that they show nowhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from usher.domain.place import Severity
from usher.settings import AuthSettings, SettingsError, concerns, load, read_secrets, render

GOOD = "Basic dXNoZXI6aW1wb3J0LWhvb2s="


def auth(*files: Path, variables: tuple[str, ...] = ()) -> AuthSettings:
    """Return settings that name these files and variables."""
    return replace(AuthSettings(), secret_files=files, secret_variables=variables)


def test_several_secrets_are_valid_at_once(tmp_path: Path) -> None:
    """Files first, then the variables that are set; white space around and a byte order mark do not count."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(f"\xef\xbb\xbf {GOOD}\r\n".encode("latin-1"))
    two.write_text("the second secret\n", encoding="utf-8")
    settings = auth(one, two, variables=("NEXT", "UNSET", "SAME"))
    secrets = read_secrets(settings, {"NEXT": " the third secret\n", "SAME": GOOD})
    assert secrets == (GOOD.encode(), b"the second secret", b"the third secret")


NOT_A_HEADER = (
    "bad-secret: the secret must be one line of printable ASCII characters: nothing else travels safely in a header"
)
BAD_FILES = {
    "empty": (b"", "empty-secret: the secret is empty"),
    "blank": (b" \r\n\t", "empty-secret: the secret is empty"),
    "two lines": (
        b"first\nsecond\n",
        NOT_A_HEADER,
    ),
    "not ASCII": (
        "gehëim".encode(),
        NOT_A_HEADER,
    ),
    "UTF-16": (
        "secret".encode("utf-16"),
        "bad-secret: the secret is in UTF-16: write it as plain text (PowerShell: Set-Content -Encoding ascii)",
    ),
    "a whole file": (b"x" * 5000, "bad-secret: the secret is longer than 4096 bytes"),
}


@pytest.mark.parametrize(("content", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_an_unusable_secret_is_an_error_with_its_place(tmp_path: Path, content: bytes, expected: str) -> None:
    """A secret that no caller could show keeps the service from starting; the line names the file, not the content."""
    path = tmp_path / "hook.secret"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_secrets(auth(path), {})
    assert str(caught.value) == f"{path}: {expected}"


def test_one_unusable_secret_spoils_all(tmp_path: Path) -> None:
    """A rotation that half works must be seen at once: all problems come together."""
    with pytest.raises(SettingsError) as caught:
        read_secrets(auth(tmp_path / "gone", tmp_path, variables=("EMPTY", "GOOD")), {"EMPTY": "", "GOOD": GOOD})
    assert [problem.code for problem in caught.value.problems] == ["unreadable", "unreadable", "empty-secret"]
    assert GOOD not in str(caught.value)


def test_no_secret_is_an_error_that_says_what_to_do() -> None:
    """APPSEC: nothing configured must never mean that everybody is let in."""
    with pytest.raises(SettingsError) as caught:
        read_secrets(AuthSettings(), {})
    expected = "auth: no-secret: there is no secret: set USHER_SECRET, or name a file in auth.secret_files"
    assert str(caught.value) == expected


def test_bytes_outside_unicode_in_a_variable_are_refused() -> None:
    """POSIX environments may hold any bytes; they come as surrogates and are no header."""
    with pytest.raises(SettingsError, match="bad-secret"):
        read_secrets(auth(variables=("ODD",)), {"ODD": "abc\udcff"})


def test_what_is_allowed_but_doubtful_is_a_warning(tmp_path: Path) -> None:
    """A short secret and a log in clear text start, with a warning that says where; good settings give none."""
    environ = {"USHER_SECRET": "short", "USHER_DECISIONS_REDACTION": "false"}
    found = concerns(load(None, environ=environ, overrides={}, folder=tmp_path), environ)
    assert [(concern.place.file, concern.code) for concern in found] == [
        ("USHER_DECISIONS_REDACTION", "redaction-off"),
        ("USHER_SECRET", "weak-secret"),
    ]
    assert {concern.severity for concern in found} == {Severity.WARNING}
    assert "short " not in " ".join(map(str, found)).replace("shorter", "")
    good = {"USHER_SECRET": GOOD}
    assert concerns(load(None, environ=good, overrides={}, folder=tmp_path), good) == ()


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Neither the printed settings nor their representation hold a secret; which variables are set is said."""
    path = tmp_path / "hook.secret"
    path.write_text(GOOD, encoding="utf-8")
    environ = {"USHER_SECRET": "another good secret", "USHER_AUTH_SECRET_FILES": "hook.secret"}
    loaded = load(None, environ=environ, overrides={"auth.secret_variables": "USHER_SECRET,NEXT"}, folder=tmp_path)
    shown = "\n".join(render(loaded, environ)) + repr(loaded)
    assert GOOD not in shown
    assert "another good secret" not in shown
    assert (
        'auth.secret_variables = ["USHER_SECRET", "NEXT"]  # command line; USHER_SECRET is set; NEXT is not set'
        in shown
    )
