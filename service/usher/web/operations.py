"""What the people who run Usher ask it: is it alive, is it ready, what is in force, how is it doing.

Owns paths and wire format; what is asked for comes from the collaborator. Runs on the operations listener's own worker
threads, so it answers while the hook's are all busy.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import falcon

LIVE_PATH: Final = "/health/live"
READY_PATH: Final = "/health/ready"
STATUS_PATH: Final = "/status"
METRICS_PATH: Final = "/metrics"
RELOAD_PATH: Final = "/reload"
# Probes, scrapers and people here carry no secret; the listener is the machine's own unless an admin opens it.
OPEN_PATHS: Final = frozenset({LIVE_PATH, READY_PATH, STATUS_PATH, METRICS_PATH})


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether calls can be decided; `checks` says why, as JSON values by name."""

    ready: bool
    checks: Mapping[str, object]


class Operations(Protocol):
    """What the operations listener needs to know; called on its worker threads."""

    def readiness(self) -> Readiness:
        """Return whether calls can be decided right now."""
        ...

    def status(self) -> Mapping[str, object]:
        """Return what is in force, as JSON values."""
        ...

    def reload(self) -> Mapping[str, object] | None:
        """Look at the policy folder now; return what came of it, None while another look is under way."""
        ...

    def exposition(self) -> tuple[bytes, str]:
        """Return the metrics and their Content-Type."""
        ...


class OperationsResource:
    """All operations paths; each is one responder with a suffix. HEAD is GET without the body."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def on_get_live(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answering at all is the proof."""
        del req
        _put_json(resp, {"live": True})

    def on_get_ready(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 or 503, with the checks either way."""
        del req
        readiness = self._operations.readiness()
        if not readiness.ready:
            resp.status = falcon.HTTP_503
        _put_json(resp, {"ready": readiness.ready, "checks": dict(readiness.checks)})

    def on_get_status(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Say what is in force."""
        del req
        _put_json(resp, dict(self._operations.status()))

    def on_get_metrics(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Hand the exposition on as it is."""
        del req
        resp.data, resp.content_type = self._operations.exposition()
        resp.set_header("Cache-Control", "no-store")

    def on_post_reload(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 with what came of it, 422 when the set is rejected, 503 while another look is under way."""
        del req
        made = self._operations.reload()
        if made is None:
            raise falcon.HTTPServiceUnavailable(retry_after=1)
        if made.get("result") == "rejected":
            resp.status = falcon.HTTP_422
        _put_json(resp, dict(made))

    on_head_live = on_get_live
    on_head_ready = on_get_ready
    on_head_status = on_get_status
    on_head_metrics = on_get_metrics


def _put_json(resp: falcon.Response, value: Mapping[str, object]) -> None:
    resp.data = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
    resp.set_header("Cache-Control", "no-store")
