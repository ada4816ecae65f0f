"""`usher okta hook`: the body fits Okta's API, curl sends it, Terraform reads it, and no secret is printed."""

import json
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import Result

from usher.cli.doctor_sample import sample

Run = Callable[..., Result]

URL = "https://hooks.example.com/okta/import"
SECRET = 'a "quoted" $secret \\ of `this` installation'
TOKEN = "00token-of-okta's-api"
OAUTH = (
    "--auth",
    "oauth2",
    "--client-id",
    "0oa1",
    "--token-url",
    "https://id.example.com/v1/token",
    "--scope",
    "import",
)
PRIVATE = (*OAUTH, "--oauth-auth", "private-key", "--hook-key-id", "HKY1")
VARIANTS = {"header": (), "client secret": OAUTH, "private key": PRIVATE}
TEXT = {"type": "string", "minLength": 1}


def _object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _hook(kind: str, **config: object) -> dict[str, object]:
    channel = _object(type={"const": kind}, version={"const": "1.0.0"}, config=_object(**_COMMON, **config))
    return _object(name=TEXT, type={"const": "com.okta.import.transform"}, version={"const": "1.0.0"}, channel=channel)


_COMMON = {"uri": {"type": "string", "pattern": "^https://"}, "method": {"const": "POST"}, "headers": {"type": "array"}}
_TOKEN = {"clientId": TEXT, "tokenUrl": {"type": "string", "pattern": "^https://"}, "scope": TEXT}

# Okta's Inline Hooks Management API: the Inline Hook object and the Config objects of its three ways to authenticate.
SCHEMAS = {
    "header": _hook("HTTP", authScheme=_object(type={"const": "HEADER"}, key=TEXT, value=TEXT)),
    "client secret": _hook("OAUTH", authType={"const": "client_secret_post"}, clientSecret=TEXT, **_TOKEN),
    "private key": _hook("OAUTH", authType={"const": "private_key_jwt"}, hookKeyId=TEXT, **_TOKEN),
}


@dataclass
class Okta:
    """An organisation that remembers what was registered."""

    url: str = ""
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def okta() -> Iterator[Okta]:
    """Return an organisation on this machine."""
    fake = Okta()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield fake
        server.shutdown()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_body_is_what_oktas_api_takes(run: Run, variant: str) -> None:
    """Every member that Okta asks for, and none that it does not know."""
    body = json.loads(run("okta", "hook", "--url", URL, *VARIANTS[variant], "--format", "json").stdout)
    jsonschema.validate(body, SCHEMAS[variant])
    assert body["channel"]["config"]["uri"] == URL


POSIX_SHELL = pytest.mark.skipif(os.name != "posix", reason="the line is for bash")


@POSIX_SHELL
@pytest.mark.parametrize("where", ["file", "variable"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_curl_line_sends_the_body_with_the_secret_in_it(
    run: Run, folder: Path, okta: Okta, variant: str, where: str
) -> None:
    """Run by a real bash with a real jq and curl; the secret, whatever stands in it, arrives as Usher reads it."""
    if where == "file":
        (folder / "it's here").write_text(f" {SECRET}\r\n", encoding="ascii")
        (folder / "usher.toml").write_text('[auth]\nsecret_files = ["it\'s here"]\n', encoding="utf-8")
    arguments = ("okta", "hook", "--url", URL, "--name", 'It\'s "Usher" $HOME', *VARIANTS[variant])
    line = run(*arguments, "--format", "curl").stdout
    environ = {"OKTA_ORG_URL": okta.url, "OKTA_API_TOKEN": TOKEN, "USHER_HOOK_CLIENT_SECRET": SECRET}
    environ |= {"PATH": os.environ["PATH"], "USHER_SECRET": SECRET, "no_proxy": "*"}
    done = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "{}"), done.stderr
    [(path, headers, body)] = okta.seen
    sent = json.loads(body)
    assert (path, headers["authorization"]) == ("/api/v1/inlineHooks", f"SSWS {TOKEN}")
    assert headers["content-type"] == "application/json"
    jsonschema.validate(sent, SCHEMAS[variant])
    config = sent["channel"]["config"]
    secret = {"header": config.get("authScheme", {}).get("value"), "client secret": config.get("clientSecret")}
    assert secret.get(variant) == (None if variant == "private key" else SECRET)
    assert sent["name"] == 'It\'s "Usher" $HOME'


@POSIX_SHELL
def test_without_its_secret_nothing_is_sent(run: Run, okta: Okta) -> None:
    """A variable that is not set is an error: neither a hook with an empty secret nor the API's token leaves."""
    line = run("okta", "hook", "--url", URL, "--format", "curl").stdout
    environ = {"OKTA_ORG_URL": okta.url, "OKTA_API_TOKEN": TOKEN, "PATH": os.environ["PATH"], "no_proxy": "*"}
    done = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert "USHER_SECRET is not set" in done.stderr
    assert (done.returncode != 0, okta.seen) == (True, [])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_terraform_block_says_the_same(run: Run, folder: Path, variant: str) -> None:
    """The resource has the provider's attributes, braces that match, and Terraform's own form where there is one."""
    arguments = ("okta", "hook", "--url", URL, "--name", 'a ${b} %{c} "d" ü', *VARIANTS[variant])
    text = run(*arguments, "--format", "terraform").stdout
    assert 'resource "okta_inline_hook" "usher" {' in text
    assert '  name    = "a $${b} %%{c} \\"d\\" ü"\n' in text
    assert '  type    = "com.okta.import.transform"\n  version = "1.0.0"\n  status  = "ACTIVE"\n' in text
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert [bare.count(one) for one in "{(["] == [bare.count(one) for one in "})]"]
    names = set(re.findall(r"^  (\w+) +=", bare.partition("resource")[2], re.MULTILINE))
    body = json.loads(run(*arguments, "--format", "json").stdout)["channel"]
    if variant == "header":
        assert names == {"name", "type", "version", "status", "channel", "auth"}
        assert f'    uri     = "{URL}"\n' in text
        assert '    key   = "Authorization"\n    value = var.usher_hook_secret\n' in text
    else:
        assert names == {"name", "type", "version", "status", "channel_json"}
        assert set(re.findall(r"^      (\w+) +=", bare, re.MULTILINE)) == set(body["config"])
    needs = 'source = "okta/okta"' if variant == "header" else 'source = "okta/okta", version = ">= 4.15.0"'
    assert text.startswith(
        f"# Needs, once in the module: terraform {{ required_providers {{ okta = {{ {needs} }} }} }}\n"
    )
    assert ("var.usher_hook_secret" in text) is ("sensitive = true" in text) is (variant != "private key")
    _formatted(text, folder / "hook.tf")


def _formatted(text: str, file: Path) -> None:
    """Have Terraform parse it, on machines that have it: its form is checked without provider or network."""
    terraform = shutil.which("terraform")
    if terraform is None:
        return
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([terraform, "fmt", "-check", "-diff", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_steps_name_every_field(run: Run, variant: str) -> None:
    """What the console asks for, and where the hook is attached to an app, which no API does."""
    text = run("okta", "hook", "--url", URL, *VARIANTS[variant], "--format", "steps").stdout
    assert "Provisioning > To Okta" in text
    assert "Inline Hooks > User Creation" in text
    expected = ["Authorization"] if variant == "header" else ["0oa1", "https://id.example.com/v1/token", "import"]
    assert all(word in text for word in (URL, *expected))


@POSIX_SHELL
def test_the_steps_have_okta_call_the_hook(run: Run, okta: Okta) -> None:
    """By its API's own trial, with the row of `usher doctor`, as an event that was not there before."""
    text = run("okta", "hook", "--url", URL, "--format", "steps").stdout
    line = text.partition("gave the hook):\n")[2].rpartition("\n  10. ")[0]
    environ = {"OKTA_ORG_URL": okta.url, "OKTA_API_TOKEN": TOKEN, "PATH": os.environ["PATH"], "no_proxy": "*"}
    for more, code in (({}, False), ({"OKTA_HOOK_ID": "cal7"}, True)):
        command = ["bash", "-c", line]
        done = subprocess.run(command, env=environ | more, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode == 0) is code, done.stderr
    [(path, headers, body)] = okta.seen
    assert (path, headers["authorization"]) == ("/api/v1/inlineHooks/cal7/execute", f"SSWS {TOKEN}")
    sent, usual = json.loads(body), json.loads(sample())
    assert sent["eventId"][: -len(str(int(time.time())))] == "usher-doctor-"
    assert sent | {"eventId": "", "eventTime": ""} == usual | {"eventId": "", "eventTime": ""}


def test_the_steps_name_the_settings_that_were_given(run: Run, folder: Path) -> None:
    """Else the examination would be made with others; a shell reads the line as it is meant."""
    (folder / "it's mine.toml").write_text("", encoding="utf-8")
    text = run("okta", "hook", "--url", URL, "--config", "it's mine.toml", "--format", "steps").stdout
    (line,) = re.findall(r"^ +8\. (.*)$", text, re.MULTILINE)
    assert shlex.split(line) == ["usher", "doctor", "--config", "it's mine.toml", "--url", URL]
    text = run("okta", "hook", "--url", URL, "--format", "steps").stdout
    assert f"  8. usher doctor --url {URL}\n" in text


def test_all_is_each_of_them_under_its_title(run: Run) -> None:
    """Without --format everything is there to choose from."""
    everything = run("okta", "hook", "--url", URL).stdout
    for form in ("json", "curl", "terraform", "steps"):
        assert run("okta", "hook", "--url", URL, "--format", form).stdout in everything


def test_the_settings_fill_in_what_they_say(run: Run, folder: Path) -> None:
    """Header, issuer, client and scopes need not be said twice."""
    (folder / "usher.toml").write_text('[auth]\nheader = "X-Hook"\n', encoding="utf-8")
    body = json.loads(run("okta", "hook", "--url", URL, "--format", "json").stdout)
    assert body["channel"]["config"]["authScheme"]["key"] == "X-Hook"
    (folder / "usher.toml").write_text(
        '[auth]\nmode = "oauth2"\nissuer = "https://id.example.com/oauth2/default"\nclient_ids = ["0oa7"]\n'
        'scopes = ["a", "b"]\n',
        encoding="utf-8",
    )
    config = json.loads(run("okta", "hook", "--url", URL, "--format", "json").stdout)["channel"]["config"]
    assert (config["clientId"], config["tokenUrl"], config["scope"]) == (
        "0oa7",
        "https://id.example.com/oauth2/default/v1/token",
        "a b",
    )


def test_no_secret_is_printed(run: Run, folder: Path) -> None:
    """Nothing that is printed holds it, so that it can be pasted into a ticket."""
    (folder / "usher.secret").write_text("the-secret-of-this-place", encoding="ascii")
    (folder / "usher.toml").write_text('[auth]\nsecret_files = ["usher.secret"]\n', encoding="utf-8")
    assert "the-secret-of-this-place" not in run("okta", "hook", "--url", URL).output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--url", "http://hooks.example.com/okta/import"), "--url: Okta takes https"),
        (("--url", "hooks.example.com"), "--url: Okta takes https"),
        (("--url", "https://u:p@hooks.example.com/okta/import"), "--url: Okta takes https"),
        (("--url", "https://hooks.example.com"), "--url: the address must end in /okta/import"),
        (("--url", "https://hooks.example.com/okta/import?a=b"), "--url: the address must end in /okta/import"),
        (("--url", "https://hooks.example.com:x/okta/import"), "--url: this is no address"),
        (("--url", "https://hooks.example.com/okta/import'"), "--url: no blanks or quotes"),
        (("--url", f"https://hooks.example.com/{'x' * 1024}/okta/import"), "--url: no blanks or quotes"),
        (("--url", "https://localhost/okta/import"), "--url: Okta calls from outside"),
        (("--url", "https://127.0.0.1/okta/import"), "--url: Okta calls from outside"),
        (("--url", "https://a;b/okta/import"), "--url: this is no address"),
        (("--url", "https://h(x)/okta/import"), "--url: this is no address"),
        (("--url", "https://*.example.com/okta/import"), "--url: this is no address"),
        (("--url", "https://hooks.example.com:0/okta/import"), "--url: this is no address"),
        (("--url", "https://hooks.example.com:/okta/import"), "--url: this is no address"),
        (("--url", "https://hooks.example.com/okta/import?"), "--url: this is no address"),
        (("--url", "https://hooks.example.com:44\n3/okta/import"), "--url: no blanks or quotes"),
        (("--url", URL, *OAUTH, "--token-url", "https://a;b/v1/token"), "--token-url: this is no address"),
        (("--url", URL, *OAUTH, "--token-url", "https://id.example.com:0/v1"), "--token-url: this is no address"),
        (("--url", URL, "--name", " "), "--name: give 1 to 255 printable characters"),
        (("--url", URL, "--name", "a\nb"), "--name: give 1 to 255 printable characters"),
        (("--url", URL, "--auth", "oauth2"), "--client-id: with OAuth 2.0, give"),
        (("--url", URL, *OAUTH, "--token-url", "http://id.example.com"), "--token-url: Okta takes https"),
        (("--url", URL, *OAUTH, "--oauth-auth", "private-key"), "--hook-key-id: with OAuth 2.0, give"),
        (("--url", URL, *OAUTH, "--hook-key-id", "k"), "--hook-key-id: goes with --oauth-auth private-key only"),
    ],
)
def test_what_okta_would_refuse_is_misuse(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """One clear line and exit 2; nothing is printed that could be used by mistake."""
    result = run("okta", "hook", *arguments, expected=2)
    assert (str(result.exception).startswith(told), result.stdout) == (True, "")
    assert "\n" not in str(result.exception)
