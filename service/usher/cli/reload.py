"""`usher reload`: asks the running service to look at its policy folder now."""

import http.client
import json
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

import click

from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.errors import UsherError
from usher.settings import AuthSettings, LoadedSettings, SettingsError, read_secrets
from usher.web.operations import RELOAD_PATH

_PATIENCE_SECONDS: Final = 30.0
"""Beyond the gate's own time: the set is read, compiled and tested while calls are answered."""


class NoServiceError(UsherError):
    """The running service could not be asked; the text says why."""


@click.command("reload")
@config_option
@set_option
def reload_command(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Have the running service look at its policies now, and print what came of it.

    Needed where `policies.reload` is false; elsewhere it judges a rejected set once more. The service is the one whose
    settings these are. Exits 1 when the set is rejected, 2 when the service cannot be asked.
    """
    loaded = settings_in_force(config, overrides)
    status, said = _ask(loaded)
    if status not in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY} or not isinstance(said, dict):
        raise NoServiceError(_refused(status, loaded))
    try:
        lines = _lines(said)
    except (KeyError, TypeError):
        raise NoServiceError(_refused(status, loaded)) from None
    for line in lines:
        click.echo(line)
    if status != HTTPStatus.OK:
        sys.exit(FINDINGS)


def _ask(loaded: LoadedSettings) -> tuple[int, object]:
    server, auth = loaded.settings.server, loaded.settings.auth
    headers = {"Content-Length": "0", **_credential(auth)}
    patience = loaded.settings.policies.gate_seconds + _PATIENCE_SECONDS
    # APPSEC: straight to the listener: a proxy in the environment must not see the secret.
    connection = http.client.HTTPConnection(reachable(server.operations_host), server.operations_port, timeout=patience)
    try:
        connection.request("POST", RELOAD_PATH, headers=headers)
        response = connection.getresponse()
        return response.status, _parsed(response.read())
    except (OSError, http.client.HTTPException) as error:
        where = f"{server.operations_host}:{server.operations_port}"
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise NoServiceError(f"no service answers on {where} ({reason}); is it running with these settings?") from None
    finally:
        connection.close()


def _credential(auth: AuthSettings) -> dict[str, str]:
    """Return the header with a secret; none where none is set up, as for a service that asks for none."""
    try:
        return {auth.header: read_secrets(auth, os.environ)[0].decode("latin-1")}
    except SettingsError as error:
        if {problem.code for problem in error.problems} == {"no-secret"}:
            return {}
        raise


def reachable(host: str) -> str:
    """Return whom to ask: a service that listens everywhere listens here, too."""
    return {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what is listened to, not opened


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _refused(status: int, loaded: LoadedSettings) -> str:
    where = f"{loaded.settings.server.operations_host}:{loaded.settings.server.operations_port}"
    if status == HTTPStatus.UNAUTHORIZED and loaded.settings.auth.mode == "oauth2":
        return (
            f"the service on {where} wants a secret, or an access token, which this command cannot get: name a secret "
            "in auth.secret_files or auth.secret_variables, for the service too, and start it again"
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return f"the service on {where} takes another secret than these settings name"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return f"the service on {where} is looking at its policies already; ask again in a moment"
    return f"what answers on {where} is no Usher of this version (HTTP {status})"


def _lines(said: Mapping[str, object]) -> list[str]:
    lines = [f"{said['result']}: revision {said['revision']} is in force ({said['seconds']} s)"]
    changes, problems = said.get("changes"), said.get("problems")
    listed = changes if isinstance(changes, list) else []
    lines.extend(f"  {change['kind']}: {change['what']} {change['name']}" for change in listed)
    for problem in problems if isinstance(problems, list) else []:
        place = f"{problem['file']}:{problem['line']}:{problem['column']}" if problem["line"] else problem["file"]
        warning = "warning: " if problem["severity"] == "warning" else ""
        lines.append(f"{place}: {warning}{problem['code']}: {problem['message']}")
    return lines
