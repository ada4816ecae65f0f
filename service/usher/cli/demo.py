"""`usher demo`: the service with the shipped policies, asked once before your eyes, then left running to be tried."""

import json
import os
import secrets
import tempfile
import urllib.request
from pathlib import Path
from typing import Final

import click

from usher.adapters.service_log import configure
from usher.bootstrap.service import Service
from usher.bootstrap.shipped import shipped_policies
from usher.cli.serve import announce, run_service
from usher.errors import UsherError
from usher.settings import load
from usher.settings.loading import FILE_VARIABLE
from usher.web.hook import HOOK_PATH

_CASE: Final = "testdata/george-alexander-smith.json"
_SECRET_VARIABLE: Final = "USHER_SECRET"  # noqa: S105 - the name of a variable
# The secret made for this run counts, however the variables name others.
_OVERRIDES: Final = {"auth.secret_variables": [_SECRET_VARIABLE]}
_TIMEOUT_SECONDS: Final = 10


class DemoError(UsherError):
    """The demonstration did not get its answer."""


@click.command("demo")
def demo_command() -> None:
    """Serve the shipped policies with a secret made for this run, and post the case of Okta's guide.

    Prints request, answer and the rule that fired, then a curl line to try it yourself. Records go to a temporary
    folder. Settings come from USHER_* variables alone, for example USHER_SERVER_PORT; no settings file is read.
    """
    secret = secrets.token_urlsafe(24)
    environ = {name: value for name, value in os.environ.items() if name != FILE_VARIABLE} | {_SECRET_VARIABLE: secret}
    with tempfile.TemporaryDirectory(prefix="usher-demo-") as name:
        folder = Path(name)
        loaded = load(None, environ=environ, overrides=_OVERRIDES, folder=folder)
        configure(loaded.settings.logging)
        run_service(loaded, environ, announced=lambda service: _show(service, loaded.settings.auth.header, secret))


def _show(service: Service, header: str, secret: str) -> None:
    announce(service)
    case = shipped_policies() / _CASE
    body = case.read_bytes()
    url = f"http://{service.hook.address}{HOOK_PATH}"
    answer = _post(url, body, {header: secret})
    click.echo(f"\nrequest ({case.name}):\n{_part(body)}\n")
    click.echo(f"answer:\n{json.dumps(answer, indent=2, ensure_ascii=False)}\n")
    context = answer.get("debugContext")
    fired = context.get("fired", []) if isinstance(context, dict) else []
    click.echo(f"rule that fired: {', '.join(fired) or 'none'}\n")
    click.echo("Try it yourself (Ctrl-C ends the service):\n")
    headers = f'-H "{header}: {secret}" -H "Content-Type: application/json"'
    click.echo(f'  curl -i {headers} --data-binary "@{case.as_posix()}" {url}\n')


def _post(url: str, body: bytes, credential: dict[str, str]) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", **credential}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - our own listener
    # APPSEC: no proxy: a proxy in the environment must not see the secret, and could not reach this listener anyway.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            answer = json.load(response)
    except OSError as error:
        raise DemoError(f"the service did not answer its own demonstration: {error}") from None
    if not isinstance(answer, dict):
        raise DemoError("the service answered no JSON object")
    return answer


def _part(body: bytes) -> str:
    """Return what of the request matters to the case."""
    data = json.loads(body)["data"]
    shown = {
        "conflicts": data["context"]["conflicts"],
        "action": data["action"]["result"],
        "appUser": {name: value for name, value in data["appUser"]["profile"].items() if value is not None},
        "user": {name: value for name, value in data["user"]["profile"].items() if value is not None},
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)
