"""The numbers in the nginx file that ships, beside those of Usher's settings: each of two limits must come first."""

import re
from pathlib import Path

from usher.settings import ServerSettings
from usher.web.hook import HOOK_PATH

SHIPPED = (Path(__file__).parents[2] / "deploy" / "nginx" / "usher.conf").read_text(encoding="utf-8")
SETTINGS = ServerSettings()
OKTA_WAITS_SECONDS = 3.0
UNITS = {"ms": 0.001, "s": 1.0, "m": 1_048_576.0}


def numbers(directive: str, *, within: str = "") -> list[float]:
    """Return what a directive is set to, in seconds or bytes, each time it stands in the file or in one block of it."""
    block = re.search(rf"\n *{re.escape(within)} \{{(.*?)\n *\}}", SHIPPED, re.DOTALL) if within else None
    text = block[1] if block else SHIPPED
    found = re.findall(rf"^ *{directive} (\d+)(ms|s|m);", text, re.MULTILINE)
    return [int(number) * UNITS[unit] for number, unit in found]


def test_nginx_is_the_one_to_close_a_kept_connection() -> None:
    """With some seconds between the two, no call goes out on a connection that Usher is just closing."""
    (kept,) = numbers("keepalive_timeout", within="upstream usher_hook")
    assert kept <= SETTINGS.channel_timeout_seconds - 5


def test_the_body_limits_are_the_same() -> None:
    """What nginx lets through Usher takes, and a body that fits stays in memory."""
    assert numbers("client_max_body_size") == [SETTINGS.body_limit_bytes]
    assert numbers("client_body_buffer_size") == [SETTINGS.body_limit_bytes]


def test_a_header_line_may_be_as_long_as_usher_lets_a_head_be() -> None:
    """What is refused for its length is refused by Usher, which counts it."""
    (kibibytes,) = re.findall(r"^ *large_client_header_buffers \d+ (\d+)k;", SHIPPED, re.MULTILINE)
    assert int(kibibytes) * 1024 == SETTINGS.header_limit_bytes


def test_all_waiting_together_stays_below_oktas_three_seconds() -> None:
    """Connecting, sending and waiting for the deadline end before Okta gives up on nginx."""
    waits = [numbers(f"proxy_{name}_timeout") for name in ("connect", "send", "read")]
    assert [len(found) for found in waits] == [1, 1, 1]
    ((connect,), (send,), (read,)) = waits
    assert read > SETTINGS.deadline_seconds
    assert connect + send + read < OKTA_WAITS_SECONDS


def test_nginx_waits_for_a_client_no_longer_than_okta_for_an_answer() -> None:
    """Whoever is slower is not Okta."""
    assert numbers("client_header_timeout") == numbers("client_body_timeout") == [OKTA_WAITS_SECONDS]


def test_nginx_keeps_fewer_connections_than_usher_has_places() -> None:
    """Kept connections never fill the listener."""
    (kept,) = re.findall(r"^ *keepalive (\d+);", SHIPPED, re.MULTILINE)
    assert int(kept) < SETTINGS.connection_limit


def test_upstream_and_path_are_the_settings_own() -> None:
    """The file works as it is with the settings as they are."""
    assert f"server {SETTINGS.host}:{SETTINGS.port};" in SHIPPED
    assert f"location = {HOOK_PATH} {{" in SHIPPED


def test_the_comments_repeat_the_numbers_of_the_settings() -> None:
    """Whoever changes a default reads here which comment has become wrong."""
    assert f"closes idle connections ({SETTINGS.channel_timeout_seconds} s)" in SHIPPED
    assert f"answers within {SETTINGS.deadline_seconds} s of having the body" in SHIPPED
