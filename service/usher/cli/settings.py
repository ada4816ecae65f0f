"""`usher settings`: what is in force and where each value comes from. Reads, prints, exits."""

import os
from pathlib import Path

import click

from usher.cli.options import config_option, set_option, settings_in_force
from usher.settings import concerns, explanations, render


@click.command("settings")
@config_option
@set_option
@click.option("--explain", is_flag=True, help="Print each setting's unit and the reason for its default.")
def settings_command(config: Path | None, overrides: tuple[str, ...], explain: bool) -> None:
    """Print the settings in force as TOML, with the origin of each; secrets are not shown."""
    loaded = settings_in_force(config, overrides)
    for warning in concerns(loaded, os.environ):
        click.echo(f"warning: {warning}", err=True)
    for line in render(loaded, os.environ, reasons=explanations() if explain else {}):
        click.echo(line)
