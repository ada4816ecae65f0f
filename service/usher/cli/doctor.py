"""`usher doctor`: whether a running set-up is what it should be, seen from where Okta stands.

Owns the options, the order of the checks and the exit code. Main thread; each call runs on a thread of its own.
"""

import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from usher.bootstrap.policies import schemas_of
from usher.bootstrap.schemas import load_schemas
from usher.cli.doctor_calls import OPERATIONS_SECONDS, Caller, Target
from usher.cli.doctor_findings import Finding, State, fault, ok, skipped
from usher.cli.doctor_front import front, trust
from usher.cli.doctor_hook import Credentials, HookChecks
from usher.cli.doctor_inside import files, operations
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.reload import reachable
from usher.errors import UsherError
from usher.settings import AuthSettings, ServerSettings, SettingsError, read_secrets

TOKEN_VARIABLE: Final = "USHER_DOCTOR_TOKEN"  # noqa: S105 - the name of a variable
_TOKEN_ADVICE: Final = "is it fresh? usher_authentication_failures_total at /metrics counts why"  # noqa: S105 - no token
_TOKEN_CHARS: Final = 16_384


@click.command("doctor")
@click.option("--url", help="Where Okta calls, https://host/okta/import; else the service's own hook listener.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Authorities to trust in place of this system's.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), help=f"OAuth 2.0: a token; else {TOKEN_VARIABLE} has it."
)
@click.option("--outside", is_flag=True, help="Not on the service's machine: ask the hook alone.")
@config_option
@set_option
def doctor_command(
    url: str | None,
    ca_file: Path | None,
    token_file: Path | None,
    outside: bool,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Check a running service from the outside, one line for each thing looked at.

    It asks for two decisions, of a row of its own that ends in a link and changes nothing. Takes less than 30 seconds.
    Exits 1 when there is a fault.
    """
    seen: set[State] = set()
    for finding in _findings(url, ca_file, token_file, outside, settings=(config, overrides)):
        click.echo(str(finding))
        seen.add(finding.state)
    if State.FAULT in seen:
        sys.exit(FINDINGS)


def _findings(
    url: str | None,
    ca_file: Path | None,
    token_file: Path | None,
    outside: bool,
    *,
    settings: tuple[Path | None, tuple[str, ...]],
) -> Iterator[Finding]:
    wanted = None if url is None else Target.from_url(url)
    trusted = _trusted(ca_file)
    try:
        loaded = settings_in_force(*settings)
        shape = load_schemas(schemas_of(loaded)).response
        credentials = _credentials(loaded.settings.auth, token_file, os.environ)
    except UsherError as error:
        yield from (fault("settings", line, "mend that first") for line in str(error).splitlines())
        return
    server = loaded.settings.server
    yield ok("settings", f"{loaded.file or 'defaults and variables'}, authentication by {loaded.settings.auth.mode}")
    caller = Caller(wanted or _hook_of(server), trusted)
    came = list(front(caller, ca_file))
    yield from came
    if any(finding.state is State.FAULT for finding in came):
        yield skipped("hook", "nothing is sent there before that is mended")
    else:
        yield from HookChecks(caller, credentials, server.body_limit_bytes, shape).all()
    if outside:
        yield skipped("operations", "only the service's own machine can ask")
        return
    yield from _inside(server, trusted)
    yield from files(loaded)


def _inside(server: ServerSettings, trusted: ssl.SSLContext) -> Iterator[Finding]:
    if not server.operations_port:
        todo = "say by --set server.operations_port=… which one it is"
        yield fault("operations", "server.operations_port is 0, so any port", todo)
        return
    inside = Target(reachable(server.operations_host), server.operations_port, is_tls=False)
    yield from operations(Caller(inside, trusted, total_seconds=OPERATIONS_SECONDS))


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return trust(ca_file)
    except OSError as error:
        reason = error.strerror or "no certificates in PEM"
        raise click.BadParameter(f"{ca_file} cannot be read: {reason}", param_hint="--ca-file") from None


def _hook_of(server: ServerSettings) -> Target:
    if not server.port:
        raise click.UsageError("server.port is 0, so any port: say by --url which one it is")
    return Target(reachable(server.host), server.port, is_tls=False)


def _credentials(auth: AuthSettings, token_file: Path | None, environ: Mapping[str, str]) -> Credentials:
    """Return what the settings say lets a caller in; raises `SettingsError` for a secret that is unusable."""
    if auth.mode == "oauth2":
        token = _token(token_file, environ)
        why = f"give a token by --token-file or {TOKEN_VARIABLE}"
        return Credentials("Authorization", () if token is None else (token,), why, "Bearer ", _TOKEN_ADVICE)
    try:
        return Credentials(auth.header, tuple(secret.decode("ascii") for secret in read_secrets(auth, environ)))
    except SettingsError as error:
        if {problem.code for problem in error.problems} == {"no-secret"}:
            return Credentials(auth.header, (), "these settings name no secret that is set")
        raise


def _token(file: Path | None, environ: Mapping[str, str]) -> str | None:
    if file is None:
        token = environ.get(TOKEN_VARIABLE, "").strip()
        source = TOKEN_VARIABLE
    else:
        source = str(file)
        try:
            with file.open("r", encoding="utf-8-sig") as opened:
                token = opened.read(_TOKEN_CHARS + 1).strip()
        except (OSError, UnicodeDecodeError):
            raise click.BadParameter(f"{file} cannot be read as a token", param_hint="--token-file") from None
    # APPSEC: nothing else travels in a header; the text itself is never shown.
    if len(token) > _TOKEN_CHARS or not token.isascii() or not token.isprintable():
        raise click.UsageError(f"{source} holds no token: one line of ASCII, at most {_TOKEN_CHARS} characters")
    return token or None
