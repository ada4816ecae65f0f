"""The settings by which Okta proves that it is Okta.

Owns their names, defaults, ranges and reasons, as `model` does for all others. What they mean is `web`'s.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from usher.settings.about import about

# Of what RFC 9110 allows, these survive the way through proxies and WSGI: most drop a name with an underscore.
_HEADER_NAME: Final = "[A-Za-z0-9-]+"

Mode = Literal["header"]


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How Okta proves that it is Okta. Names of secrets only; `read_secrets` reads them."""

    mode: Mode = field(
        default="header",
        metadata=about("choice", "The header with a shared secret is what Okta's console offers first."),
    )
    header: str = field(
        default="Authorization",
        metadata=about(
            "header name", "Okta's own suggestion; logs and proxies know not to print it.", pattern=_HEADER_NAME
        ),
    )
    secret_files: tuple[Path, ...] = field(
        default=(),
        metadata=about(
            "files",
            "Each holds one secret, blanks around it ignored; several are valid at once, for rotation.",
        ),
    )
    secret_variables: tuple[str, ...] = field(
        default=("USHER_SECRET",),
        metadata=about(
            "names of environment variables",
            "Each that is set holds one secret; several are valid at once, for rotation.",
            pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        ),
    )
