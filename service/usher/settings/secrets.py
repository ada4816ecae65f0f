"""The secrets that callers may show: read when the service starts, held by nobody here.

Owns where a secret may stand and what it must be to travel in a header. APPSEC: no message names more than the place
of a secret.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from usher.domain.place import Place, Problem, Severity
from usher.settings.authenticating import AuthSettings
from usher.settings.errors import SettingsError

_SHORT_BYTES: Final = 16
_LIMIT_BYTES: Final = 4096
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Found:
    """One secret or why there is none; its representation shows only where it stands."""

    place: Place
    value: bytes = field(default=b"", repr=False)
    problem: Problem | None = None


def read_secrets(auth: AuthSettings, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """Return all valid secrets, files first, each once; raises `SettingsError` if one is unusable or there is none."""
    found = list(_all(auth, environ))
    problems = tuple(secret.problem for secret in found if secret.problem)
    if problems:
        raise SettingsError(problems)
    if not found:
        names = " or ".join(auth.secret_variables) or "a variable of auth.secret_variables"
        message = f"there is no secret: set {names}, or name a file in auth.secret_files"
        raise SettingsError((Problem(Place("auth"), "no-secret", message),))
    return tuple(dict.fromkeys(secret.value for secret in found))


def weak_secrets(auth: AuthSettings, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a warning for each secret that is usable but short."""
    for secret in _all(auth, environ):
        if not secret.problem and len(secret.value) < _SHORT_BYTES:
            message = f"this secret is shorter than {_SHORT_BYTES} characters: `usher init` writes a good one"
            yield Problem(secret.place, "weak-secret", message, Severity.WARNING)


def _all(auth: AuthSettings, environ: Mapping[str, str]) -> Iterator[_Found]:
    for path in auth.secret_files:
        yield _from_file(path)
    for name in auth.secret_variables:
        if name in environ:
            # An environment may hold bytes that are no UTF-8: they come as surrogates and are refused as not ASCII.
            yield _checked(Place(name), environ[name].encode("utf-8", "surrogatepass"))


def _from_file(path: Path) -> _Found:
    place = Place(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT_BYTES + 1)
    except OSError as error:
        reason = f"the secret cannot be read: {error.strerror or type(error).__name__}"
        return _Found(place, problem=Problem(place, "unreadable", reason))
    if content.startswith(_UTF16_MARKS):
        # PowerShell 5 writes UTF-16 for `>`; taken as bytes, no caller could ever match it.
        message = "the secret is in UTF-16: write it as plain text (PowerShell: Set-Content -Encoding ascii)"
        return _Found(place, problem=Problem(place, "bad-secret", message))
    return _checked(place, content.removeprefix(_UTF8_MARK))


def _checked(place: Place, content: bytes) -> _Found:
    secret = content.strip()
    if not secret:
        return _Found(place, problem=Problem(place, "empty-secret", "the secret is empty"))
    if len(content) > _LIMIT_BYTES:
        message = f"the secret is longer than {_LIMIT_BYTES} bytes"
        return _Found(place, problem=Problem(place, "bad-secret", message))
    if not (secret.isascii() and secret.decode("ascii").isprintable()):
        message = "the secret must be one line of printable ASCII characters: nothing else travels safely in a header"
        return _Found(place, problem=Problem(place, "bad-secret", message))
    return _Found(place, secret)
