"""`--output FILE`: where a command's data goes, whole or not at all.

Owns the option and how a file that cannot be written is told. Main thread only.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from usher.adapters.files import replacing
from usher.errors import UsherError

output_option = click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where it goes, whole or not at all; else stdout."
)


class UnwritableOutputError(UsherError):
    """The file cannot be written; the text names it and says why."""


def write_out(output: Path | None, pieces: Iterator[bytes]) -> None:
    """Write pieces to a file, or to standard output without one or for `-`; raises `UnwritableOutputError`."""
    if output is None or str(output) == "-":
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    if output.exists() and not output.is_file():
        raise UnwritableOutputError(f"{output}: no file, so it cannot be replaced; without --output it goes to stdout")
    try:
        # APPSEC: what is exported names people, or can be traced to them, like the file it comes from.
        with replacing(output, private=True) as file:
            for piece in pieces:
                file.write(piece)
    except OSError as error:
        raise UnwritableOutputError(f"{output}: cannot be written: {error.strerror or type(error).__name__}") from None
