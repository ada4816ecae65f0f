"""docs/operations.md on OAuth 2.0: its tables, its numbers and its settings are those of the code."""

import re
from pathlib import Path

from tests.docs.test_operations_page import part, rows
from usher.settings import load
from usher.web import jwt_tokens, key_fetch, oauth, signing_keys
from usher.web.auth import Credential

PART = part("OAuth 2.0")
ANSWERS = {Credential.MISSING: "401", Credential.NO_KEYS: "503"}


def test_every_reason_has_its_row_with_its_answer() -> None:
    """Who sees one in the metrics finds what it means, and no other is told of."""
    told = [(row[0], row[1]) for row in rows(PART, "reason")]
    refused = [credential for credential in Credential if credential is not Credential.VALID]
    assert sorted(told) == sorted((credential.value, ANSWERS.get(credential, "403")) for credential in refused)


def test_every_failure_of_a_fetch_has_its_row() -> None:
    """What `/status` and the service log say is on the page."""
    source = "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8") for module in (key_fetch, jwt_tokens, signing_keys)
    )
    words = set(re.findall(r'(?:KeysError\(|_failure = )"([a-z-]+)"', source))
    assert {"timeout", "not-json", "not-yet"} <= words
    told = {row[0] for row in rows(PART, "failure")}
    assert told == words | {"status-404` and others"}


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    """Numbers in prose go stale."""
    assert f"longer than {oauth.LIMIT_BYTES // 1024} KiB" in PART
    assert f"the last {oauth.REMEMBERED} of them" in PART
    assert f"reads {key_fetch.LIMIT_BYTES // 1024} KiB at most" in PART
    assert f"wait for that, {signing_keys.PATIENCE_SECONDS:g} s at most" in PART
    assert f"after {signing_keys.FIRST_RETRY_SECONDS:g} s, then 2, up to {signing_keys.LAST_RETRY_SECONDS:g} s" in PART
    assert f"RSA keys below {jwt_tokens.MIN_RSA_BITS} bits" in PART


def test_the_settings_on_the_page_are_taken(tmp_path: Path) -> None:
    """As they stand there."""
    (toml,) = re.findall(r"```toml\n(.*?)```", PART, re.DOTALL)
    (tmp_path / "usher.toml").write_text(toml, encoding="utf-8")
    assert load(None, environ={}, overrides={}, folder=tmp_path).settings.auth.mode == "oauth2"
