"""`usher okta`: what Okta has to be told about this service.

Owns the options and where their defaults come from. Main thread only.
"""

from pathlib import Path
from typing import Final

import click

from usher.cli.okta_hook import (
    HeaderScheme,
    Hook,
    HookError,
    OAuthScheme,
    as_curl,
    as_json,
    as_terraform,
    checked_text,
    checked_token_url,
    checked_url,
    steps,
)
from usher.cli.options import config_option, set_option, settings_in_force
from usher.settings import AuthSettings

_FORMATS: Final = ("json", "curl", "terraform", "steps")
_TITLES: Final = {
    "json": "Body of POST /api/v1/inlineHooks",
    "curl": "The same as a line for bash, with OKTA_ORG_URL (https://example.okta.com) and OKTA_API_TOKEN set",
    "terraform": "The same as Terraform",
    "steps": "The same in the Admin Console, and how to attach the hook",
}


@click.group("okta")
def okta_command() -> None:
    """Say what Okta has to be told about this service."""


@okta_command.command("hook")
@click.option("--url", required=True, help="Where Okta calls: https://host/okta/import.")
@click.option("--name", default="Usher", show_default=True, help="What the hook is called in Okta.")
@click.option(
    "--auth", type=click.Choice(["header", "oauth2"]), help="How Okta proves itself; else as the settings say."
)
@click.option("--oauth-auth", type=click.Choice(["client-secret", "private-key"]), default="client-secret")
@click.option("--client-id", help="Of the client by which Okta fetches its tokens; else the first of auth.client_ids.")
@click.option("--token-url", help="Where Okta fetches its tokens; else v1/token below auth.issuer.")
@click.option("--scope", help="What the tokens must be good for; else auth.scopes.")
@click.option("--hook-key-id", help="For private-key: the id of the hook key in Okta (Workflow > Key Management).")
@click.option("--format", "report", type=click.Choice([*_FORMATS, "all"]), default="all", show_default=True)
@config_option
@set_option
def hook_command(  # noqa: PLR0913 - one parameter for each option
    *,
    url: str,
    name: str,
    auth: str | None,
    oauth_auth: str,
    client_id: str | None,
    token_url: str | None,
    scope: str | None,
    hook_key_id: str | None,
    report: str,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Print how to register the import hook: JSON for Okta's API, a curl line, Terraform, the console's steps.

    No secret is printed: the curl line and Terraform read it where it lies when they are run. Nothing is sent.
    """
    settings = settings_in_force(config, overrides).settings.auth
    scheme = (
        _header_scheme(settings)
        if (auth or settings.mode) == "header"
        else _oauth_scheme(settings, client_id, token_url, scope, _key(oauth_auth, hook_key_id))
    )
    hook = Hook(checked_text(name, "--name"), checked_url(url), scheme)
    for shown in _FORMATS if report == "all" else (report,):
        if report == "all":
            click.echo(f"# {_TITLES[shown]}\n")
        click.echo(_text(shown, hook, config))
        if report == "all" and shown != _FORMATS[-1]:
            click.echo()


def _header_scheme(settings: AuthSettings) -> HeaderScheme:
    file = str(settings.secret_files[0]) if settings.secret_files else None
    return HeaderScheme(
        settings.header, file, settings.secret_variables[0] if settings.secret_variables else "USHER_SECRET"
    )


def _key(oauth_auth: str, hook_key_id: str | None) -> str | None:
    if oauth_auth == "client-secret":
        if hook_key_id is not None:
            raise HookError("--hook-key-id: goes with --oauth-auth private-key only")
        return None
    return _given(hook_key_id, "--hook-key-id", "the id of the hook key in Okta")


def _oauth_scheme(
    settings: AuthSettings, client_id: str | None, token_url: str | None, scope: str | None, key: str | None
) -> OAuthScheme:
    """Fill in what the settings of the service's own checks say already."""
    named = settings.client_ids[0] if settings.client_ids else None
    issued = f"{settings.issuer}/v1/token" if settings.issuer else None
    return OAuthScheme(
        _given(client_id or named, "--client-id", "the id of the client by which Okta fetches tokens"),
        checked_token_url(_given(token_url or issued, "--token-url", "where Okta fetches tokens, https://…/v1/token")),
        _given(scope or " ".join(settings.scopes) or None, "--scope", "the scope that the service asks for"),
        key,
    )


def _given(text: str | None, option: str, what: str) -> str:
    if text is None:
        raise HookError(f"{option}: with OAuth 2.0, give {what}")
    return checked_text(text, option)


def _text(shown: str, hook: Hook, config: Path | None) -> str:
    if shown == "json":
        return as_json(hook)
    if shown == "curl":
        return as_curl(hook)
    return as_terraform(hook) if shown == "terraform" else "\n".join(steps(hook, config))
