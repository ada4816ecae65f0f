"""The service, wired: settings in, two listeners out.

Owns the wiring of `usher serve` and nothing that runs per request. Main thread only.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import structlog

from usher.adapters.decision_log import DecisionLog
from usher.adapters.keys import redaction_key
from usher.adapters.metrics import Metrics
from usher.adapters.redaction import Redactor
from usher.answer.line import AnswerLine, AnswerOptions
from usher.answer.replay import ReplayStore
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.operations import OperationsView
from usher.bootstrap.policies import PolicySource, limits_of, load_source
from usher.bootstrap.pulse import Pulse
from usher.bootstrap.schemas import Schemas
from usher.bootstrap.stores import memory_stores
from usher.domain.place import Problem
from usher.engine import PolicySet
from usher.errors import UsherError, fault_place
from usher.settings import LoadedSettings, ServerSettings, Settings, read_secrets
from usher.web.app import create_hook_app, create_operations_app
from usher.web.auth import Authentication, HeaderAuthentication, NoAuthentication
from usher.web.serving import Listener, ListenerOptions


class PoliciesRefusedError(UsherError):
    """The policy folder has errors; without a set the service does not start."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(
            "\n".join([*map(str, problems), "the policies have errors: mend them, `usher check` shows them all"])
        )


@dataclass(frozen=True, slots=True)
class Service:
    """Everything `usher serve` runs and says."""

    hook: Listener
    operations: Listener
    view: OperationsView
    policies: PoliciesInForce
    source: PolicySource
    decision_log_file: Path


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
    source = load_source(loaded)
    policy_set = source.loaded.policy_set
    if policy_set is None:
        raise PoliciesRefusedError(source.loaded.errors)
    metrics = Metrics(version=metadata.version("okta-usher"), revision=policy_set.revision)
    decision_log = DecisionLog(settings.decisions.file, _redactor(loaded, policy_set), metrics.lost)
    try:
        decision_log.open()  # an unwritable folder is said at the start, not at the first decision
        policies = PoliciesInForce(policy_set, datetime.now(UTC))
        pulse = Pulse(metrics)
        view = _view(source, policies, pulse, decision_log, metrics)
        line = _line(settings, source.schemas, policies, decision_log, pulse)
        hook_app = create_hook_app(
            line, authentication, refusals=metrics, body_limit_bytes=settings.server.body_limit_bytes
        )
        yield Service(
            hook=Listener(hook_app, _hook_options(settings.server), refusals=metrics),
            operations=Listener(create_operations_app(view, authentication), _operations_options(settings.server)),
            view=view,
            policies=policies,
            source=source,
            decision_log_file=decision_log.path,
        )
    finally:
        decision_log.close()


def _view(
    source: PolicySource, policies: PoliciesInForce, pulse: Pulse, decision_log: DecisionLog, metrics: Metrics
) -> OperationsView:
    return OperationsView(
        version=metadata.version("okta-usher"),
        policies=policies,
        folder=str(source.folder),
        pulse=pulse,
        decision_log=str(decision_log.path),
        losses=lambda: decision_log.losses,
        metrics=metrics.exposition,
    )


def _line(
    settings: Settings, schemas: Schemas, policies: PoliciesInForce, decision_log: DecisionLog, pulse: Pulse
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
        stores=memory_stores(settings.ledger),
        on_fault=_report_fault,
    )


def _authentication(loaded: LoadedSettings, environ: Mapping[str, str], *, authenticated: bool) -> Authentication:
    if not authenticated:
        return NoAuthentication()
    auth = loaded.settings.auth
    return HeaderAuthentication(auth.header, read_secrets(auth, environ))


def _redactor(loaded: LoadedSettings, policy_set: PolicySet) -> Redactor | None:
    if not loaded.settings.decisions.redaction:
        return None
    public = policy_set.profiles
    return Redactor(
        redaction_key(loaded.settings.state.folder),
        public_user=public.user.public,
        public_app_user=public.app_user.public,
        lookup_names=public.declared("user") | {"id", "status"} | loaded.settings.ledger.namespaces.keys(),
    )


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
