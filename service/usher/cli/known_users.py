"""`--directory FILE`: the users Okta is known to have, for commands that have no directory database.

Owns the option and how a file that cannot be used is told. Main thread only.
"""

from pathlib import Path

import click

from usher.engine import MemoryDirectory
from usher.engine.known_users import BadUsersError, users_from_json
from usher.errors import UsherError

directory_option = click.option(
    "--directory",
    "directory_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Users Okta knows, for directory(), taken() and claims: a JSON list or one object a line, "
    "flat or as Okta's Users API gives them.",
)


class UnusableDirectoryError(UsherError):
    """The file of known users cannot be used; the text names file and line, and quotes nothing."""


def read_directory(path: Path | None) -> MemoryDirectory:
    """Return the users of a file, or nobody without one; raises `UnusableDirectoryError`."""
    if path is None:
        return MemoryDirectory()
    content = _content(path)
    try:
        return MemoryDirectory(users_from_json(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableDirectoryError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    except BadUsersError as error:
        raise UnusableDirectoryError(f"{path}:{error.line}: {error}") from None
    except (RecursionError, ValueError):
        raise UnusableDirectoryError(f"{path}: not a JSON text this service reads") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableDirectoryError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
