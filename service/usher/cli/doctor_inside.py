"""`usher doctor`: what the machine that runs the service knows: its operations listener, and who may read which files.

Owns these checks.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Final

from usher.adapters.keys import FILE_NAME as KEY_FILE
from usher.adapters.sql.database import SQLITE, url_of
from usher.cli.doctor_calls import Caller, CallError
from usher.cli.doctor_findings import Finding, fault, ok, shown, skipped, warning
from usher.errors import UsherError
from usher.settings import LoadedSettings
from usher.web.operations import READY_PATH, STATUS_PATH

_NAMES_SHOWN: Final = 5
_FILES_SHOWN: Final = 20
Told = Mapping[str, object]


def operations(caller: Caller) -> Iterator[Finding]:
    """Ask the operations listener how the service is."""
    try:
        ready = caller.once("GET", READY_PATH)
        status = caller.once("GET", STATUS_PATH)
    except CallError as error:
        todo = "is the service running with these settings? from another machine, use --outside"
        yield fault("operations", str(error), todo)
        return
    checks, told = _object(ready.body), _object(status.body)
    if checks is None or told is None or status.status != HTTPStatus.OK:
        where = caller.target.authority
        yield fault("operations", f"what answers on {where} is no Usher of this version", "give the service's settings")
        return
    yield _ready(ready.status, _part(checks, "checks"))
    yield _policies(_part(told, "policies"))
    yield from (_store(name, _part(told, name)) for name in ("ledger", "directory"))
    if "authentication" in told:
        yield _keys(_part(told, "authentication"))
    yield _log(_part(told, "decisionLog"))


def _ready(status: int, checks: Told) -> Finding:
    if status == HTTPStatus.OK:
        return ok("ready", f"{', '.join(shown(name) for name in checks)}")
    failing = ", ".join(shown(name) for name, is_fine in checks.items() if not is_fine)
    return fault(
        "ready", f"not, because of {failing or 'a reason it does not tell'}", "see the lines below and the log"
    )


def _policies(told: Told) -> Finding:
    names, rejected = told.get("names"), told.get("rejected")
    count = len(names) if isinstance(names, list) else 0
    found = f"{count} in force, revision {shown(told.get('revision'))}"
    if isinstance(rejected, Mapping):
        return fault("policies", f"the newest set is rejected; {found}", "usher reload says why")
    if told.get("source") != "folder":
        return fault("policies", f"the last good set answers; {found}", "mend the policy folder: usher check")
    return ok("policies", found)


def _store(name: str, told: Told) -> Finding:
    if told.get("reachable") is not True:
        return fault(
            name, f"cannot be reached ({shown(told.get('reason', 'no reason told'))})", "see the service's log"
        )
    numbers = [f"{shown(key)} {value}" for key, value in told.items() if type(value) is int]
    return ok(name, f"reachable{''.join(f', {number}' for number in numbers[:_NAMES_SHOWN])}")


def _keys(told: Told) -> Finding:
    keys, failure = told.get("keys"), told.get("failure")
    if not failure:
        return ok("issuer's keys", f"{shown(keys)} of them")
    found, todo = (
        f"the last fetch failed: {shown(failure)}; {shown(keys)} are there",
        "see auth.issuer and auth.jwks_url",
    )
    return warning("issuer's keys", found, todo) if keys else fault("issuer's keys", found, todo)


def _log(told: Told) -> Finding:
    losses = told.get("losses")
    if losses:
        return fault(
            "decision log", f"{shown(losses)} records lost since the start", "see the disk and the folder's rights"
        )
    return ok("decision log", f"nothing lost, {shown(told.get('file', ''))}")


def _object(body: bytes) -> Told | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _part(told: Told, name: str) -> Told:
    part = told.get(name)
    return part if isinstance(part, Mapping) else {}


def files(loaded: LoadedSettings) -> Iterator[Finding]:
    """Say which files of the service others on this machine may read or change that must not."""
    if os.name != "posix":
        yield skipped("files", "who may read them is a matter of the folder's rights on Windows: icacls shows them")
        return
    settings = loaded.settings
    secret = [*settings.auth.secret_files, settings.state.folder / KEY_FILE]
    try:
        about_people = [*_databases(loaded)]
    except UsherError as error:
        yield fault("files", str(error), "mend that first: the service does not start with it")
        return
    own = [*secret, settings.state.folder, *([] if loaded.file is None else [loaded.file])]
    readable = [path for path in secret if _others_may(path, stat.S_IROTH)]
    writable = [path for path in own if _others_may(path, stat.S_IWOTH)]
    writable += [] if settings.policies.folder is None else _writable_below(settings.policies.folder)
    told = [path for path in about_people if _others_may(path, stat.S_IROTH)]
    yield from (fault("files", f"everybody may read {path}", f"chmod o-rwx {path}") for path in readable)
    yield from (fault("files", f"everybody may change {path}", f"chmod o-w {path}") for path in writable)
    todo = "close its folder to others (chmod o-rwx), as a unit with UMask=0077 does"
    yield from (warning("files", f"everybody may read {path}, where logins stand", todo) for path in told)
    if not [path for path in secret if path.exists()]:
        yield warning("files", "no secret and no key where the settings say", "run this where the service runs")
    elif not readable and not writable and not told:
        yield ok("files", "secrets, key, databases, settings, policies and state are closed to others")


def _databases(loaded: LoadedSettings) -> Iterator[Path]:
    settings = loaded.settings
    for setting, text in {"ledger.url": settings.ledger.url, "directory.url": settings.directory.url}.items():
        url = url_of(text, loaded.folder, setting)
        if url.drivername == SQLITE and url.database:
            yield Path(url.database)


def _writable_below(folder: Path) -> list[Path]:
    """Return what others may change of a folder and all that is in it: the first few, for each is a line."""
    paths = (path for path in (folder, *sorted(folder.rglob("*"))) if _others_may(path, stat.S_IWOTH, folder.parent))
    return list(islice(paths, _FILES_SHOWN))


def _others_may(path: Path, what: int, top: Path | None = None) -> bool:
    """Say whether others have a right to a file; a folder they cannot enter, from `top` down, closes what is in it."""
    way = [folder for folder in path.parents if folder.is_relative_to(top or path.parent)]
    try:
        return bool(path.stat().st_mode & what) and all(folder.stat().st_mode & stat.S_IXOTH for folder in way)
    except OSError:
        return False
