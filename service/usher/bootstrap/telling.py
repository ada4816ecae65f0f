"""What the service log tells of single calls, by the settings: decisions, HTTP requests, both or neither.

Owns that choice. Main thread only.
"""

from collections.abc import Mapping
from typing import Final

from usher.adapters.decision_events import DecisionEvents
from usher.adapters.service_log import ServiceEvents
from usher.answer.record import Meter
from usher.settings.telling import LoggingSettings
from usher.web.access import AccessLog
from usher.web.hook import HOOK_PATH
from usher.web.operations import OPEN_PATHS, RELOAD_PATH

_PATHS: Final[Mapping[str, frozenset[str]]] = {
    "hook": frozenset({HOOK_PATH}),
    "operations": OPEN_PATHS | {RELOAD_PATH},
}


def meter_of(settings: LoggingSettings, meter: Meter, events: ServiceEvents) -> Meter:
    """Return the meter that also tells of decisions, if anybody would hear it."""
    return DecisionEvents(meter, events) if settings.decisions and events.is_heard else meter


def access_of(settings: LoggingSettings, events: ServiceEvents) -> Mapping[str, AccessLog | None]:
    """Return the access log of each listener; None costs a request nothing."""
    is_heard = settings.access and events.is_heard
    return {name: AccessLog(name, paths, events) if is_heard else None for name, paths in _PATHS.items()}
