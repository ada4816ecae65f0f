"""The service, wired: settings in, two listeners out.

Owns the wiring of `usher serve` and nothing that runs per request. Main thread only.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog

from usher.adapters.decision_log import DecisionLog, Keeping
from usher.adapters.keys import is_readable_by_others
from usher.adapters.metrics import Metrics
from usher.adapters.redaction import Redactor
from usher.adapters.service_log import in_the_background
from usher.adapters.watching import hints
from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.replay import ReplayStore
from usher.answer.shadow import Shadow
from usher.bootstrap.anonymity import redactor_of
from usher.bootstrap.authentication import doors
from usher.bootstrap.first_set import FirstSet, first_set
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.keeper import Keeper
from usher.bootstrap.looks import Folders
from usher.bootstrap.opened_stores import opened_stores
from usher.bootstrap.operations import OperationsView, Watch
from usher.bootstrap.policies import folder_of, limits_of, schemas_of
from usher.bootstrap.pulse import Pulse
from usher.bootstrap.schemas import Schemas, load_schemas
from usher.bootstrap.telling import access_of, meter_of
from usher.engine import PolicySet, Stores
from usher.errors import UsherError, fault_place
from usher.settings import LoadedSettings, PolicySettings, ServerSettings, Settings
from usher.web.access import AccessLog
from usher.web.app import create_hook_app, create_operations_app
from usher.web.auth import Authentication
from usher.web.serving import Listener, ListenerOptions

_JOIN_SECONDS: Final = 2.0
"""A look at the folder that is under way at the stop may end; nothing it does is missed."""


@dataclass(frozen=True, slots=True)
class Service:
    """Everything `usher serve` runs and says."""

    hook: Listener
    operations: Listener
    view: OperationsView
    policies: PoliciesInForce
    first: FirstSet
    folders: Folders
    decision_log_file: Path
    stores: tuple[str, ...]


@contextmanager
def built_service(
    loaded: LoadedSettings, environ: Mapping[str, str], *, authenticated: bool = True
) -> Iterator[Service]:
    """Build the service; what it opened is closed at the end of the block.

    Raises `SettingsError`, `SchemaFolderError`, `PoliciesRefusedError` and other `UsherError`s, each of one clear text.
    """
    settings = loaded.settings
    # APPSEC: secrets first: a service that would let everybody in must not even open its files.
    guarded = doors(loaded, environ, authenticated=authenticated)
    folders = folders_of(loaded)
    schemas = load_schemas(folders.schemas)
    first = first_set(loaded, schemas, folders)
    policy_set = first.in_force()
    metrics = Metrics(version=metadata.version("okta-usher"), revision=policy_set.revision)
    with (
        in_the_background(metrics.log_lost) as events,
        _opened_log(loaded, policy_set, metrics) as decision_log,
        opened_stores(loaded, metrics.stores) as opened,
    ):
        policies, pulse = first.in_force, Pulse(meter_of(settings.logging, metrics, events))
        access = access_of(settings.logging, events)
        keeper = _keeper(loaded, schemas, first, folders, decision_log, metrics)
        watches: dict[str, Watch] = {**opened.watches, **guarded.watches}
        view = _view(settings, keeper, pulse, decision_log, metrics, watches)
        shadow = Shadow(decision_log, metrics.shadows, opened.stores, _report_fault, limits_of(settings.cel))
        line = _line(settings, schemas, policies, decision_log, pulse, opened.stores, shadow)
        with guarded.attended(), watching(keeper, settings.policies):
            yield Service(
                hook=_hook(line, guarded.hook, settings.server, metrics, access["hook"]),
                operations=_operations(view, guarded.operations, settings.server, access["operations"]),
                view=view,
                policies=policies,
                first=first,
                folders=folders,
                decision_log_file=decision_log.path,
                stores=opened.announced,
            )


@contextmanager
def _opened_log(loaded: LoadedSettings, policy_set: PolicySet, metrics: Metrics) -> Iterator[DecisionLog]:
    settings = loaded.settings.decisions
    keeping = Keeping(settings.rotate_bytes, settings.rotate_hours, settings.keep_days)
    decision_log = DecisionLog(settings.file, _redactor(loaded, policy_set), metrics.lost, keeping=keeping)
    folder = loaded.settings.state.folder
    if settings.redaction and is_readable_by_others(folder):
        structlog.get_logger(__name__).warning("redaction_key_readable_by_others", folder=str(folder))
    try:
        decision_log.open()  # an unwritable folder is said at the start, not at the first decision
        yield decision_log
    except UsherError:
        # A start that failed leaves no empty file behind; a supervisor tries it again and again.
        decision_log.close()
        with suppress(OSError):
            # Every container's first process has this id, and another may have begun a file of this name.
            if os.getpid() != 1 and not decision_log.path.stat().st_size:
                decision_log.path.unlink()
        raise
    finally:
        decision_log.close()


def folders_of(loaded: LoadedSettings) -> Folders:
    """Return where policies, schemas and state lie, as the settings say or as shipped."""
    return Folders(folder_of(loaded, None), schemas_of(loaded), loaded.settings.state.folder)


@contextmanager
def watching(keeper: Keeper, settings: PolicySettings) -> Iterator[None]:
    """Watch the folders for as long as the block runs, on a thread of its own."""
    stop = threading.Event()
    folders = (keeper.folders.policies, keeper.folders.schemas)
    seen = hints(folders, every_seconds=settings.rescan_seconds, stop=stop, polling=settings.watch == "polling")
    thread = threading.Thread(target=keeper.run, args=(seen,), name="usher-policy-watch", daemon=True)
    if settings.reload:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if settings.reload:
            thread.join(_JOIN_SECONDS)


def _keeper(
    loaded: LoadedSettings,
    schemas: Schemas,
    first: FirstSet,
    folders: Folders,
    decision_log: DecisionLog,
    metrics: Metrics,
) -> Keeper:
    """Return the keeper of the set that is in force, told what the service starts with."""
    keeper = Keeper(
        loaded,
        schemas,
        folders,
        first.in_force,
        meter=metrics.reloads,
        before_swap=lambda made: decision_log.redact_with(_redactor(loaded, made)),
        memory=first.memory,
    )
    keeper.started_with(first.verdict, rejected=first.rejected)
    return keeper


def _view(
    settings: Settings,
    keeper: Keeper,
    pulse: Pulse,
    decision_log: DecisionLog,
    metrics: Metrics,
    watches: Mapping[str, Watch],
) -> OperationsView:
    return OperationsView(
        version=metadata.version("okta-usher"),
        keeper=keeper,
        settings=settings.policies,
        pulse=pulse,
        decision_log=lambda: str(decision_log.path),
        losses=lambda: decision_log.losses,
        metrics=metrics.exposition,
        watches=watches,
    )


def _line(
    settings: Settings,
    schemas: Schemas,
    policies: PoliciesInForce,
    decision_log: DecisionLog,
    pulse: Pulse,
    stores: Stores,
    shadow: Shadow,
) -> AnswerLine:
    server, hold = settings.server, settings.hold
    return AnswerLine(
        policies=policies,
        request_shape=schemas.request,
        response_shape=schemas.response,
        decision_log=decision_log,
        meter=pulse,
        replay=ReplayStore(keep_seconds=server.replay_seconds, limit_bytes=server.replay_limit_bytes),
        options=AnswerOptions(
            deadline_seconds=server.deadline_seconds,
            queue_seconds=server.queue_seconds,
            undecided=server.undecided,
            hold=hold.answer,
            quarantine=hold.quarantine,
            limits=limits_of(settings.cel),
        ),
        stores=stores,
        on_fault=_report_fault,
        shadow=shadow,
    )


def _redactor(loaded: LoadedSettings, policy_set: PolicySet) -> Redactor | None:
    if not loaded.settings.decisions.redaction:
        return None
    return redactor_of(Redactor, loaded, policy_set)


def _hook(
    line: AnswerLine, door: Authentication, server: ServerSettings, metrics: Metrics, access: AccessLog | None
) -> Listener:
    app = create_hook_app(line, door, refusals=metrics, body_limit_bytes=server.body_limit_bytes)
    return Listener(app, _hook_options(server), refusals=metrics, access=access)


def _operations(
    view: OperationsView, door: Authentication, server: ServerSettings, access: AccessLog | None
) -> Listener:
    return Listener(create_operations_app(view, door), _operations_options(server), access=access)


def _hook_options(server: ServerSettings) -> ListenerOptions:
    return ListenerOptions(
        name="hook",
        host=server.host,
        port=server.port,
        threads=server.threads,
        body_limit_bytes=server.body_limit_bytes,
        header_limit_bytes=server.header_limit_bytes,
        connection_limit=server.connection_limit,
        channel_timeout_seconds=server.channel_timeout_seconds,
        backlog=server.backlog,
        drain_seconds=server.drain_seconds,
    )


def _operations_options(server: ServerSettings) -> ListenerOptions:
    return ListenerOptions(
        name="operations",
        host=server.operations_host,
        port=server.operations_port,
        threads=server.operations_threads,
        body_limit_bytes=server.body_limit_bytes,
        header_limit_bytes=server.header_limit_bytes,
        connection_limit=server.connection_limit,
        channel_timeout_seconds=server.channel_timeout_seconds,
        backlog=server.backlog,
        drain_seconds=server.drain_seconds,
    )


def _report_fault(decision_id: str, error: Exception) -> None:
    # APPSEC: type, code and place only: an exception's text may quote a profile.
    structlog.get_logger(__name__).error(
        "call_failed",
        decision_id=decision_id,
        error=type(error).__name__,
        code=str(getattr(error, "code", "")),
        place=fault_place(error),
    )
