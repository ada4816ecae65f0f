"""The watch over secrets in tests can fail: a secret that was planted is found, wherever and however it stands."""

import base64
import json
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.leaks import leaks, secrets_in
from tests.integration.usher_process import UsherProcess

SECRET = b"a secret, l\xc3\xb6ng enough/+?"


@pytest.mark.parametrize(
    "planted",
    [
        SECRET,
        b"Authorization: " + SECRET + b"\r\n",
        json.dumps({"credential": SECRET.decode()}).encode(),
        base64.b64encode(SECRET),
        base64.b64encode(b"Authorization: " + SECRET + b" and more"),
        base64.b64encode(b"usher:" + SECRET),
        base64.urlsafe_b64encode(b"x" + SECRET),
        b"http://host/?key=" + quote(SECRET.decode(), safe="").encode(),
        b"a%20secret%2c%20l%c3%b6ng%20enough%2f%2b%3f",
        b"a+secret%2c+l%c3%b6ng+enough%2f%2b%3f",
        SECRET.hex().encode(),
        SECRET.hex().upper().encode(),
    ],
)
def test_a_planted_secret_is_found(tmp_path: Path, planted: bytes) -> None:
    """In a stream as in a file; the report says where and how, and does not repeat it."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "kept.jsonl").write_bytes(b"{}\n" * 5000 + planted)
    found = leaks({"standard error": b"start\n" + planted, "standard output": b""}, tmp_path, [SECRET])
    assert {line.partition(" holds ")[0] for line in found} == {"standard error", "state/kept.jsonl"}
    assert SECRET.decode() not in str(found)


def test_a_secret_between_two_parts_of_a_large_file_is_found(tmp_path: Path) -> None:
    """A decision log may be larger than what is looked at in one go."""
    (tmp_path / "decisions.jsonl").write_bytes(b"x" * (2**24 - 5) + SECRET + b"x" * 100)
    assert leaks({}, tmp_path, [SECRET]) == ["decisions.jsonl holds a secret as it is"]


def test_a_secret_in_a_database_is_found(tmp_path: Path) -> None:
    """SQLite keeps a text in one piece."""
    with sqlite3.connect(tmp_path / "usher.db") as database:
        database.execute("CREATE TABLE holding (value TEXT)")
        database.execute("INSERT INTO holding VALUES (?)", (SECRET.decode(),))
    database.close()
    assert leaks({}, tmp_path, [SECRET]) == ["usher.db holds a secret as it is"]


def test_where_a_secret_is_kept_is_no_leak(tmp_path: Path) -> None:
    """A file that is called so and holds nothing else, with or without a line end; and files from before the start."""
    (tmp_path / "usher.secret").write_bytes(SECRET + b"\n")
    (tmp_path / "redaction.key").write_bytes(SECRET)
    assert leaks({"standard error": b"ready"}, tmp_path, [SECRET]) == []
    earlier = tmp_path / "notes"
    earlier.write_bytes(b"the secret is " + SECRET)
    assert leaks({}, tmp_path, [SECRET], since=earlier.stat().st_mtime + 1) == []
    assert leaks({}, tmp_path, [SECRET]) == ["notes holds a secret as it is"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("only.log", SECRET), ("only.log", SECRET + b"\n"), ("secret", SECRET), ("usher.secret", b"now " + SECRET)],
)
def test_a_file_that_is_not_called_so_keeps_no_secret(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever it holds besides; and one that is called so holds nothing besides."""
    (tmp_path / name).write_bytes(content)
    assert leaks({}, tmp_path, [SECRET]) == [f"{name} holds a secret as it is"]


def test_the_secrets_of_a_process_are_known(tmp_path: Path) -> None:
    """Variables, files and the redaction key; names of variables, and what is too short to be told apart, are none."""
    (tmp_path / "hook" / "state").mkdir(parents=True)
    (tmp_path / "etc" / "of" / "usher").mkdir(parents=True)
    (tmp_path / "etc" / "of" / "usher" / "new.secret").write_bytes(b"from further down")
    (tmp_path / "hook" / "usher.secret").write_bytes(b"from a file\n")
    (tmp_path / "hook" / "state" / "redaction.key").write_bytes(b"0123456789abcdef\n")
    environ = {
        "USHER_SECRET": "from a variable",
        "NEW_SECRET": "short",
        "PGPASSWORD": "of the database",
        "LEDGER_PASSWORD": "of another database",
        "OKTA_API_TOKEN": "a token of Okta's",
        "USHER_AUTH_NEXT_SECRET": "a setting's value",
        "USHER_POLICIES_FOLDER": "policies",
    }
    assert secrets_in(environ, tmp_path) == {
        b"from a file",
        b"0123456789abcdef",
        b"from a variable",
        b"of the database",
        b"of another database",
        b"a token of Okta's",
        b"from further down",
    }


@pytest.mark.parametrize("leak", ["print({})", "open('decisions.jsonl', 'w').write('x' + {})"])
def test_a_process_that_tells_its_secret_fails_its_test(tmp_path: Path, leak: str) -> None:
    """Every service a test starts is watched: when it is cleared away, its streams and files are looked through."""
    program = "import os; " + leak.format("os.environ['USHER_SECRET']")
    process = UsherProcess([sys.executable, "-c", program], tmp_path, USHER_SECRET=SECRET.decode())
    process.end()
    with pytest.raises(AssertionError, match="holds a secret as it is"):
        process.clear_away()


def test_a_token_that_a_test_names_is_looked_for_too(tmp_path: Path) -> None:
    """What was made after the start, an access token for example."""
    process = UsherProcess([sys.executable, "-c", "print('eyJhbGciOiJSUzI1NiJ9.e30.c2ln')"], tmp_path)
    process.end()
    process.secrets.add(b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln")
    with pytest.raises(AssertionError, match="standard output holds a secret"):
        process.clear_away()
