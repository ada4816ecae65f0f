"""The service, wired: settings in, two listeners out.

Owns the wiring of `usher serve` and nothing that runs per request. Main thread only.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog

from usher.adapters.decision_log import DecisionLog
from usher.adapters.metrics import Metrics
from usher.adapters.redaction import Redactor
from usher.adapters.watching import hints
from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.replay import ReplayStore
from usher.answer.shadow import Shadow
from usher.bootstrap.anonymity import redactor_of
from usher.bootstrap.first_set import FirstSet, first_set
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.keeper import Keeper
from usher.bootstrap.looks import Folders
from usher.bootstrap.opened_stores import OpenedStores, opened_stores
from usher.bootstrap.operations import OperationsView
from usher.bootstrap.policies import folder_of, limits_of, schemas_of
from usher.bootstrap.pulse import Pulse
from usher.bootstrap.schemas import Schemas, load_schemas
from usher.engine import PolicySet, Stores
from usher.errors import fault_place
from usher.settings import LoadedSettings, PolicySettings, ServerSettings, Settings, read_secrets
from usher.web.app import create_hook_app, create_operations_app
from usher.web.auth import Authentication, HeaderAuthentication, NoAuthentication
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
    authentication = _authentication(loaded, environ, authenticated=authenticated)
    folders = folders_of(loaded)
    schemas = load_schemas(folders.schemas)
    first = first_set(loaded, schemas, folders)
    policy_set = first.in_force()
    metrics = Metrics(version=metadata.version("okta-usher"), revision=policy_set.revision)
    with _opened_log(loaded, policy_set, metrics) as decision_log, opened_stores(loaded, metrics.stores) as opened:
        policies, pulse = first.in_force, Pulse(metrics)
        keeper = _keeper(loaded, schemas, first, folders, decision_log, metrics)
        view = _view(settings, keeper, pulse, decision_log, metrics, opened)
        shadow = Shadow(decision_log, metrics.shadows, opened.stores, _report_fault, limits_of(settings.cel))
        line = _line(settings, schemas, policies, decision_log, pulse, opened.stores, shadow)
        hook_app = create_hook_app(
            line, authentication, refusals=metrics, body_limit_bytes=settings.server.body_limit_bytes
        )
        with watching(keeper, settings.policies):
            yield Service(
                hook=Listener(hook_app, _hook_options(settings.server), refusals=metrics),
                operations=Listener(create_operations_app(view, authentication), _operations_options(settings.server)),
                view=view,
                policies=policies,
                first=first,
                folders=folders,
                decision_log_file=decision_log.path,
                stores=opened.announced,
            )


@contextmanager
def _opened_log(loaded: LoadedSettings, policy_set: PolicySet, metrics: Metrics) -> Iterator[DecisionLog]:
    decision_log = DecisionLog(loaded.settings.decisions.file, _redactor(loaded, policy_set), metrics.lost)
    try:
        decision_log.open()  # an unwritable folder is said at the start, not at the first decision
        yield decision_log
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
    opened: OpenedStores,
) -> OperationsView:
    return OperationsView(
        version=metadata.version("okta-usher"),
        keeper=keeper,
        settings=settings.policies,
        pulse=pulse,
        decision_log=str(decision_log.path),
        losses=lambda: decision_log.losses,
        metrics=metrics.exposition,
        stores=opened.watches,
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
            server.deadline_seconds, server.undecided, hold.answer, hold.quarantine, limits_of(settings.cel)
        ),
        stores=stores,
        on_fault=_report_fault,
        shadow=shadow,
    )


def _authentication(loaded: LoadedSettings, environ: Mapping[str, str], *, authenticated: bool) -> Authentication:
    if not authenticated:
        return NoAuthentication()
    auth = loaded.settings.auth
    return HeaderAuthentication(auth.header, read_secrets(auth, environ))


def _redactor(loaded: LoadedSettings, policy_set: PolicySet) -> Redactor | None:
    if not loaded.settings.decisions.redaction:
        return None
    return redactor_of(Redactor, loaded, policy_set)


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
