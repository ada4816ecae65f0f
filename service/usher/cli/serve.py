"""`usher serve`: the service, until somebody stops it."""

import gc
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from usher.adapters.service_log import configure
from usher.bootstrap.service import PoliciesRefusedError, Service, built_service
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.settings import LoadedSettings, concerns
from usher.web.hook import HOOK_PATH
from usher.web.signals import StopSignal, serve


@click.command("serve")
@config_option
@set_option
@click.option("--insecure-no-auth", is_flag=True, help="Answer anybody who can reach the port. Never behind a proxy.")
def serve_command(config: Path | None, overrides: tuple[str, ...], insecure_no_auth: bool) -> None:
    """Answer Okta's import hook until SIGINT, SIGTERM, Ctrl-C or Ctrl-Break; calls in flight are answered first.

    Without a secret it does not start: see `usher init`. Exits 1 when the policies have errors.
    """
    loaded = settings_in_force(config, overrides)
    configure(loaded.settings.logging)
    for concern in concerns(loaded, os.environ):
        click.echo(f"warning: {concern}", err=True)
    if insecure_no_auth:
        click.echo("warning: --insecure-no-auth: everybody who reaches the port is answered", err=True)
    run_service(loaded, os.environ, authenticated=not insecure_no_auth, announced=announce)


def run_service(
    loaded: LoadedSettings,
    environ: Mapping[str, str],
    *,
    authenticated: bool = True,
    announced: Callable[[Service], None],
) -> None:
    """Build, serve, drain, close; `announced` is called when the service listens."""
    sys.setswitchinterval(loaded.settings.server.switch_interval_seconds)
    stop = StopSignal()
    try:
        with stop.installed(), built_service(loaded, environ, authenticated=authenticated) as service:
            # What was built stays: without this a full collection stops all threads for some 40 ms.
            gc.collect()
            gc.freeze()
            serve(
                [service.hook, service.operations],
                stop,
                announce=lambda: announced(service),
                stopping=service.view.drain,
            )
    except PoliciesRefusedError as error:
        click.echo(str(error), err=True)
        sys.exit(FINDINGS)
    click.echo("stopped", err=True)


def announce(service: Service) -> None:
    """Say on standard error what is served, from where, and where it is recorded."""
    in_force = service.policies()
    for problem in service.source.loaded.problems:
        click.echo(f"warning: {problem}", err=True)
    count = f"{len(in_force.policies)} policies, {len(in_force.rules)} rules"
    click.echo(f"policies    {service.source.folder} ({count}, revision {in_force.revision})", err=True)
    click.echo(f"decisions   {service.decision_log_file}", err=True)
    click.echo(f"operations  http://{service.operations.address}/status", err=True)
    click.echo(f"ready       http://{service.hook.address}{HOOK_PATH}", err=True)
