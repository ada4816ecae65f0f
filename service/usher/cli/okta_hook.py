"""The import hook as Okta wants it registered: JSON for its API, a curl line, a Terraform block, the console's steps.

Owns these texts and what an address or a name must be to stand in them. No secret passes through here: the texts say
where it is read from when they are used. Pure. Sources: Okta's Inline Hooks Management API (`POST /api/v1/inlineHooks`,
its Config objects for HTTP headers and OAuth 2.0) and the resource `okta_inline_hook` of Okta's Terraform provider.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from usher.cli.doctor_sample import MARK, row
from usher.cli.okta_address import ANY_ADDRESS, HOOK_ADDRESS, is_plain
from usher.errors import UsherError
from usher.web.hook import HOOK_PATH

HOOK_TYPE: Final = "com.okta.import.transform"
HOOK_VERSION: Final = "1.0.0"
SECRET_HERE: Final = "<the secret: put in when this is sent>"  # noqa: S105 - it stands where a secret will
CLIENT_SECRET_VARIABLE: Final = "USHER_HOOK_CLIENT_SECRET"  # noqa: S105 - the name of a variable
_URL_CHARS: Final = 1024
"""Okta's own limit."""
_NAME_CHARS: Final = 255
_HERE: Final = "HOOK"
_NOW: Final = "'\"$(date +%s)\"'"
"""Within single quotes of a shell: the time, taken when the line is run."""
_PROVIDER: Final = 'source = "okta/okta"'
_CHANNEL_JSON_SINCE: Final = ', version = ">= 4.15.0"'
"""The version of the provider that brought `channel_json`."""


class HookError(UsherError):
    """What was asked for cannot be registered; the text says what to give instead."""


@dataclass(frozen=True, slots=True)
class HeaderScheme:
    """One header with a secret, which lies in `secret_file`, or else in the variable."""

    header: str
    secret_file: str | None
    secret_variable: str


@dataclass(frozen=True, slots=True)
class OAuthScheme:
    """A bearer token that Okta fetches with a client secret or, given a `hook_key_id`, with a signed assertion."""

    client_id: str
    token_url: str
    scope: str
    hook_key_id: str | None


@dataclass(frozen=True, slots=True)
class Hook:
    """What is to be registered."""

    name: str
    url: str
    scheme: HeaderScheme | OAuthScheme


def checked_url(url: str) -> str:
    """Return the address Okta is to call; raises `HookError` for one it could not call or Usher would not serve."""
    parts = _https(url, "--url")
    if parts.path != HOOK_PATH or parts.query or parts.fragment:
        raise HookError(f"--url: the address must end in {HOOK_PATH}, with nothing behind it")
    if re.fullmatch(r"localhost|127(\.\d+){3}|::1", parts.hostname or ""):
        raise HookError(
            "--url: Okta calls from outside: give the host name that the world knows, not this machine's own"
        )
    if not is_plain(url, HOOK_ADDRESS):
        raise HookError(f"--url: this is no address: write https://host{HOOK_PATH}, or https://host:port{HOOK_PATH}")
    return url


def checked_token_url(url: str) -> str:
    """Return the address Okta is to fetch tokens from; raises `HookError`."""
    _https(url, "--token-url")
    if not is_plain(url, ANY_ADDRESS):
        raise HookError("--token-url: this is no address: write https://host/path")
    return url


def checked_text(text: str, option: str) -> str:
    """Return a name or an id that can stand in JSON, Terraform and a shell; raises `HookError`."""
    if not text.strip() or not text.isprintable() or len(text) > _NAME_CHARS:
        raise HookError(f"{option}: give 1 to {_NAME_CHARS} printable characters")
    return text


def _https(url: str, option: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise HookError(f"{option}: this is no address: write https://host/path") from None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise HookError(f"{option}: Okta takes https://host/path only, without a user name in it")
    if len(url) > _URL_CHARS or not url.isascii() or re.search(r"[\s\x00-\x20\x7f\"'`$\\{}<>|^]", url):
        raise HookError(f"{option}: no blanks or quotes, ASCII only, at most {_URL_CHARS} characters")
    return parts


def registration(hook: Hook) -> dict[str, object]:
    """Return the body of `POST /api/v1/inlineHooks`, `SECRET_HERE` where a secret goes."""
    return {"name": hook.name, "type": HOOK_TYPE, "version": HOOK_VERSION, "channel": channel(hook)}


def channel(hook: Hook) -> dict[str, object]:
    """Return how Okta is to call."""
    config: dict[str, object] = {"uri": hook.url, "method": "POST", "headers": []}
    scheme = hook.scheme
    if isinstance(scheme, HeaderScheme):
        config["authScheme"] = {"type": "HEADER", "key": scheme.header, "value": SECRET_HERE}
        return {"type": "HTTP", "version": HOOK_VERSION, "config": config}
    config["authType"] = "private_key_jwt" if scheme.hook_key_id else "client_secret_post"
    config["clientId"] = scheme.client_id
    if scheme.hook_key_id:
        config["hookKeyId"] = scheme.hook_key_id
    else:
        config["clientSecret"] = SECRET_HERE
    config["tokenUrl"] = scheme.token_url
    config["scope"] = scheme.scope
    return {"type": "OAUTH", "version": HOOK_VERSION, "config": config}


def as_json(hook: Hook) -> str:
    """Return the body, readable."""
    return json.dumps(registration(hook), indent=2)


def as_curl(hook: Hook) -> str:
    """Return a line for bash: jq puts the secret in, so that it stands in no file, history or list of processes."""
    send, insert = f"{_post('')} --data-binary @-", _insertion(hook.scheme)
    if insert is None:
        return f"{send} <<'{_HERE}'\n{as_json(hook)}\n{_HERE}"
    # A subshell, so that the variable is gone afterwards; without its secret jq fails, and nothing is sent.
    # APPSEC: from the variable the body goes through a pipe: `<<<` would be a file for an older bash.
    filled = f"body=$({insert} <<<{shlex.quote(as_json(hook))})"
    return f"({filled} &&\nprintf '%s' \"$body\" | {send})"


def _post(below: str) -> str:
    """Return a call of curl to the API of inline hooks, as far as its body."""
    # APPSEC: the token reaches curl through a pipe; `printf` is the shell's own and no process of which one sees it.
    return (
        f'curl --fail-with-body --silent --show-error --request POST "$OKTA_ORG_URL/api/v1/inlineHooks{below}" \\\n'
        "  --header @<(printf 'Authorization: SSWS %s' \"$OKTA_API_TOKEN\") \\\n"
        "  --header 'Content-Type: application/json' --header 'Accept: application/json'"
    )


def as_trial() -> str:
    """Return a line for bash that has Okta call the hook whose id is in OKTA_HOOK_ID, with `usher doctor`'s own row."""
    body = json.dumps(row(f"{MARK}-TIME", "2026-01-01T00:00:00.000Z"), separators=(",", ":"))
    # A repeated event would only be replayed.
    return f"{_post('/${OKTA_HOOK_ID:?}/execute')} \\\n  --data-binary {shlex.quote(body).replace('TIME', _NOW)}"


def _insertion(scheme: HeaderScheme | OAuthScheme) -> str | None:
    if isinstance(scheme, OAuthScheme):
        return None if scheme.hook_key_id else f"jq '.channel.config.clientSecret = {_env(CLIENT_SECRET_VARIABLE)}'"
    place = ".channel.config.authScheme.value"
    if scheme.secret_file is None:
        return f"jq '{place} = {_env(scheme.secret_variable)}'"
    # Usher leaves white space around a secret out of account, so it must not reach Okta.
    trimmed = '($secret | sub("^\\\\s+"; "") | sub("\\\\s+$"; ""))'
    return f"jq --rawfile secret {shlex.quote(scheme.secret_file)} '{place} = {trimmed}'"


def _env(variable: str) -> str:
    return f'(env.{variable} // error("{variable} is not set"))'


def as_terraform(hook: Hook) -> str:
    """Return a resource, with a variable for the secret where there is one."""
    lines = [
        'resource "okta_inline_hook" "usher" {',
        f"  name    = {_hcl(hook.name)}",
        f"  type    = {_hcl(HOOK_TYPE)}",
        f"  version = {_hcl(HOOK_VERSION)}",
        '  status  = "ACTIVE"',
        "",
        *(_terraform_header(hook, hook.scheme) if isinstance(hook.scheme, HeaderScheme) else _terraform_oauth(hook)),
        "}",
    ]
    since = "" if isinstance(hook.scheme, HeaderScheme) else _CHANNEL_JSON_SINCE
    # Without a source Terraform looks for a provider of that name among its own.
    needs = f"# Needs, once in the module: terraform {{ required_providers {{ okta = {{ {_PROVIDER}{since} }} }} }}"
    return "\n".join([needs, *_terraform_variable(hook.scheme), *lines])


def _terraform_variable(scheme: HeaderScheme | OAuthScheme) -> Iterator[str]:
    if isinstance(scheme, OAuthScheme) and scheme.hook_key_id:
        return
    yield "# Set it by the variable TF_VAR_usher_hook_secret. Terraform keeps it in its state, in clear: guard that."
    yield 'variable "usher_hook_secret" {'
    yield "  type      = string"
    yield "  sensitive = true"
    yield "}"
    yield ""


def _terraform_header(hook: Hook, scheme: HeaderScheme) -> Iterator[str]:
    yield "  channel = {"
    yield '    type    = "HTTP"'
    yield f"    version = {_hcl(HOOK_VERSION)}"
    yield '    method  = "POST"'
    yield f"    uri     = {_hcl(hook.url)}"
    yield "  }"
    yield ""
    yield "  auth = {"
    yield '    type  = "HEADER"'
    yield f"    key   = {_hcl(scheme.header)}"
    yield "    value = var.usher_hook_secret"
    yield "  }"


def _terraform_oauth(hook: Hook) -> Iterator[str]:
    made = channel(hook)
    config = made["config"]
    entries = config.items() if isinstance(config, dict) else ()
    width = max(len(name) for name, _ in entries)
    yield "  channel_json = jsonencode({"
    yield f"    type    = {_hcl(str(made['type']))}"
    yield f"    version = {_hcl(HOOK_VERSION)}"
    yield "    config = {"
    for name, value in entries:
        shown = "[]" if value == [] else "var.usher_hook_secret" if value == SECRET_HERE else _hcl(str(value))
        yield f"      {name:<{width}} = {shown}"
    yield "    }"
    yield "  })"


def _hcl(text: str) -> str:
    """Return a text as Terraform writes it: `${` and `%{` would begin a template."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def steps(hook: Hook, config: Path | None = None) -> Iterator[str]:
    """Yield what to do in Okta's Admin Console, the attaching to an app included, which only the console can do.

    `config` is the settings file that was given, if one was.
    """
    yield "Register (not needed after the curl line or Terraform):"
    yield "  1. Workflow > Inline Hooks > Add Inline Hook > User Import"
    yield f"  2. Name: {hook.name}"
    yield f"  3. URL: {hook.url}"
    yield from _authentication_steps(hook.scheme)
    yield "  5. Save; the hook's status is then Active"
    yield "Attach it to each app whose import it is to decide:"
    yield "  6. Applications > Applications > the app > Provisioning > To Okta"
    yield f"  7. Inline Hooks > User Creation > Edit: choose {hook.name}, save"
    yield "See that it works:"
    settings = "" if config is None else f" --config {shlex.quote(str(config))}"
    yield f"  8. usher doctor{settings} --url {shlex.quote(hook.url)}"
    yield "  9. have Okta itself call it, with a row that changes nothing (OKTA_HOOK_ID: the id Okta gave the hook):"
    yield as_trial()
    yield "  10. import one person of a test group, then look for inline_hook in Reports > System Log"


def _authentication_steps(scheme: HeaderScheme | OAuthScheme) -> Iterator[str]:
    if isinstance(scheme, HeaderScheme):
        source = scheme.secret_file or f"the variable {scheme.secret_variable}"
        yield f"  4. Authentication: HTTP Headers; field {scheme.header}, secret: what stands in {source}"
        return
    kind = "private key (private_key_jwt)" if scheme.hook_key_id else "client secret (client_secret_post)"
    yield f"  4. Authentication: OAuth 2.0, use {kind}; client ID {scheme.client_id}; token URL {scheme.token_url};"
    key = f"key {scheme.hook_key_id}" if scheme.hook_key_id else "the client's secret"
    yield f"     scope {scheme.scope}; {key}"
