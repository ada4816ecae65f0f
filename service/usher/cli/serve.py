"""`usher serve`: the service, until somebody stops it."""

import gc
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from usher.adapters.service_log import configure
from usher.bootstrap.candidates import Verdict
from usher.bootstrap.first_set import PoliciesRefusedError
from usher.bootstrap.service import Service, built_service
from usher.bootstrap.setting_checks import check_platform
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.talk import say
from usher.settings import LoadedSettings, concerns
from usher.web.hook import HOOK_PATH
from usher.web.signals import StopSignal, serve
from usher.web.sockets import require_free


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
        say(f"warning: {concern}")
    if insecure_no_auth:
        say("warning: --insecure-no-auth: everybody who reaches the port is answered")
    run_service(loaded, os.environ, authenticated=not insecure_no_auth, announced=announce)


def run_service(
    loaded: LoadedSettings,
    environ: Mapping[str, str],
    *,
    authenticated: bool = True,
    announced: Callable[[Service], None],
) -> None:
    """Build, serve, drain, close; `announced` is called when the service listens."""
    server = loaded.settings.server
    check_platform(loaded, sys.platform)
    sys.setswitchinterval(server.switch_interval_seconds)
    # Before anything is opened: a start that cannot listen leaves no ledger and no log behind.
    require_free("hook", server.host, server.port)
    require_free("operations", server.operations_host, server.operations_port)
    stop = StopSignal()
    try:
        with stop.installed(), built_service(loaded, environ, authenticated=authenticated) as service:
            # What was built stays: a full collection would look at all of it and stop all threads for some 40 ms.
            gc.collect()
            gc.freeze()
            listeners = [service.hook, service.operations]
            serve(listeners, stop, announce=lambda: announced(service), stopping=service.view.drain)
    except PoliciesRefusedError as error:
        say(str(error))
        sys.exit(FINDINGS)
    say("stopped")


def announce(service: Service) -> None:
    """Say on standard error what is served, from where, and where it is recorded."""
    in_force = service.policies()
    if service.first.rejected is not None:
        _say_fallen_back(service, service.first.rejected)
    for problem in service.first.verdict.problems:
        say(f"warning: {problem}")
    count = f"{len(in_force.policies)} policies, {len(in_force.rules)} rules"
    source = "the last good set" if service.first.rejected else str(service.folders.policies)
    say(f"policies    {source} ({count}, revision {in_force.revision})")
    for line in service.stores:
        say(line)
    say(f"decisions   {service.decision_log_file}")
    say(f"operations  http://{service.operations.address}/status")
    say(f"ready       http://{service.hook.address}{HOOK_PATH}")


def _say_fallen_back(service: Service, rejected: Verdict) -> None:
    """Say loudly that it is not the folder's own policies that answer."""
    for problem in rejected.errors:
        say(f"error: {problem}")
    answering = f"the last good set, {service.policies().revision}, answers instead"
    say(f"WARNING: the policies in {service.folders.policies} are rejected: {answering}")
