"""`usher doctor`: the hook as Okta meets it: who is let in, what is answered and how soon, and what must not be there.

Owns these checks. They know the service by its answers alone; none of them changes anything (`doctor_sample`).
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from usher.answer.line import UNDECIDED_SUMMARY
from usher.answer.own_answer import MAX_ANSWER_BYTES, OwnAnswerError, checked_bytes
from usher.cli.doctor_calls import Answer, Caller, CallError
from usher.cli.doctor_findings import Finding, fault, ok, shown, skipped, warning
from usher.cli.doctor_sample import sample
from usher.shapes import Shape
from usher.web.hook import DECISION_HEADER, HOOK_PATH
from usher.web.operations import METRICS_PATH, READY_PATH, RELOAD_PATH, STATUS_PATH

OKTA_WAITS_SECONDS: Final = 3.0
_SLOW_SECONDS: Final = 1.0
_SKEW_SECONDS: Final = 30.0
_JSON: Final = {"Content-Type": "application/json"}
# Refused (415) once the credential is taken, before there is anything to decide.
_NOT_JSON: Final = {"Content-Type": "text/plain"}
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NOT_SERVED: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
)
_OPERATIONS: Final = (("GET", STATUS_PATH), ("GET", METRICS_PATH), ("GET", READY_PATH), ("POST", RELOAD_PATH))


@dataclass(frozen=True, slots=True)
class Credentials:
    """The header that lets a caller in, by each of the `values`. Without any, `why` says why there is none to try."""

    header: str
    values: tuple[str, ...]
    why: str = ""
    scheme: str = ""
    advice: str = (
        "restart the service after changing secrets, or give the settings it runs with: its unit's --set counts"
    )

    def fields(self, value: str) -> Mapping[str, str]:
        """Return the header with one of them."""
        return {self.header: f"{self.scheme}{value}"}

    def wrong_fields(self) -> Mapping[str, str]:
        """Return the header with one that nobody has."""
        return {self.header: f"{self.scheme}{secrets.token_urlsafe(24)}"}

    def __repr__(self) -> str:
        return f"<Credentials in {self.header}>"


@dataclass(slots=True)
class HookChecks:
    """Asks the hook; `limit_bytes` is what the settings grant a body, `shape` the response schema."""

    caller: Caller
    credentials: Credentials
    limit_bytes: int
    shape: Shape

    def all(self) -> Iterator[Finding]:
        """Check everything; when nobody answers at all, one finding is enough."""
        try:
            answer = self.caller.once("POST", HOOK_PATH, b"{}", _JSON)
        except CallError as error:
            yield fault("without a credential", str(error), "is the service running? its log says")
            return
        finding = self._stranger(answer)
        yield finding
        if answer.status // 100 in {3, 5}:
            yield skipped("decision", "the hook does not answer")
        else:
            yield self._wrong()
            yield from self._sampled()
            yield self._too_large()
        yield self._clock(answer)
        yield self._operations_are_closed()

    def _stranger(self, answer: Answer) -> Finding:
        name, found = "without a credential", f"answered with {answer.status}"
        if answer.is_redirect:
            where = shown(answer.headers.get("location", "nowhere"))
            return fault(
                "redirect", f"{found} to {where}", "Okta follows no redirect: have Okta call that address itself"
            )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return ok(name, "refused (401)")
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return fault(name, found, "the proxy runs, the service behind it does not answer it: start it, see its log")
        if answer.status == HTTPStatus.OK and DECISION_HEADER.lower() not in answer.headers:
            return fault(name, f"{found}, and not by Usher", "does the proxy serve this host name and this path?")
        if answer.status == HTTPStatus.OK:
            return fault(name, "it was let in", "never start it with --insecure-no-auth where others can reach it")
        return fault(name, f"{found} instead of 401", "is this address Usher's? a proxy may keep the call from it")

    def _wrong(self) -> Finding:
        name = "wrong credential"
        try:
            answer = self.caller.once("POST", HOOK_PATH, b"{}", {**_JSON, **self.credentials.wrong_fields()})
        except CallError as error:
            return fault(name, str(error), "see the service's log")
        if answer.status == HTTPStatus.FORBIDDEN:
            return ok(name, "refused (403)")
        todo = "is auth.header the header these settings name, and does the proxy hand it on?"
        return fault(name, f"answered with {answer.status} instead of 403", todo)

    def _sampled(self) -> Iterator[Finding]:
        values = self.credentials.values
        if not values:
            yield skipped("decision", self.credentials.why)
        elif len(values) == 1:
            yield from self._calls(values[0])
        else:
            yield from self._several(values)

    def _several(self, values: tuple[str, ...]) -> Iterator[Finding]:
        """Try each secret, as while one is being changed; ask for decisions with the first that is taken."""
        accepted = []
        for number, value in enumerate(values, 1):
            which = f"secret {number} of {len(values)}"
            try:
                answer = self.caller.once("POST", HOOK_PATH, b"{}", {**_NOT_JSON, **self.credentials.fields(value)})
            except CallError as error:
                yield fault("credential", f"{which}: {error}", "see the service's log")
                continue
            if answer.status in _REFUSED:
                yield fault("credential", f"{which} is refused ({answer.status})", self.credentials.advice)
            else:
                accepted.append(value)
        if len(accepted) == len(values):
            yield ok("credential", f"each of the {len(values)} secrets is taken")
        if accepted:
            yield from self._calls(accepted[0])

    def _calls(self, value: str) -> Iterator[Finding]:
        headers = {**_JSON, **self.credentials.fields(value)}
        try:
            with self.caller.open() as line:
                first = line.call("POST", HOOK_PATH, sample(), headers)
                yield from self._decision(first)
                if first.is_kept and first.status == HTTPStatus.OK:
                    yield self._soon("kept connection", line.call("POST", HOOK_PATH, sample(), headers))
        except CallError as error:
            yield fault("decision", str(error), f"Okta gives up after {OKTA_WAITS_SECONDS:g} s: see the service's log")

    def _decision(self, answer: Answer) -> Iterator[Finding]:
        if answer.status in _REFUSED:
            yield fault("credential", f"it is refused ({answer.status})", self.credentials.advice)
            return
        yield self._soon("decision", answer)
        yield self._contents(answer)

    def _soon(self, name: str, answer: Answer) -> Finding:
        found = f"answered with {answer.status} in {answer.seconds * 1000:.0f} ms; Okta waits {OKTA_WAITS_SECONDS:g} s"
        if answer.status != HTTPStatus.OK:
            return fault(name, found, "a call with a valid credential gets 200: see the service's log")
        if answer.seconds >= OKTA_WAITS_SECONDS:
            return fault(name, found, "see what takes its time: docs/operations.md, UsherSlow")
        if answer.seconds >= _SLOW_SECONDS:
            return warning(name, found, "see whether the machine or the way to it is busy")
        return ok(name, found)

    def _contents(self, answer: Answer) -> Finding:
        name, decision = "answer", shown(answer.headers.get(DECISION_HEADER.lower(), ""))
        todo = "is this Usher that answers? a proxy may put a page of its own in place"
        if answer.status != HTTPStatus.OK:
            return skipped(name, "there is none to look at")
        if not decision:
            return fault(name, f"it carries no {DECISION_HEADER}", todo)
        try:
            value = json.loads(answer.body)
            if not isinstance(value, dict) or len(answer.body) >= MAX_ANSWER_BYTES:
                return fault(name, "it is no JSON object of a size that Okta takes", todo)
            checked_bytes(value, self.shape)
        except (ValueError, RecursionError):
            return fault(name, "it is not JSON", todo)
        except OwnAnswerError as error:
            return fault(name, str(error), "do service and these settings name the same schemas?")
        return _told(name, value, decision)

    def _too_large(self) -> Finding:
        name, size = "large body", self.limit_bytes + 1
        try:
            answer = self.caller.once("POST", HOOK_PATH, b" " * size, _JSON)
        except CallError as error:
            return warning(name, f"{size} bytes: {error}", "a refusal (413) would tell the caller why")
        # IIS says 404 (404.13) for a body over its own limit.
        if answer.status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.NOT_FOUND}:
            return ok(name, f"{size} bytes are refused ({answer.status})")
        todo = "have service and proxy grant what server.body_limit_bytes says"
        return fault(name, f"{size} bytes are answered with {answer.status} instead of 413", todo)

    def _clock(self, answer: Answer) -> Finding:
        if self.caller.target.is_here:
            return skipped("clock", "it is this machine's own: ask from another one, with --outside")
        try:
            told = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (ValueError, TypeError, IndexError):
            return skipped("clock", "the answer carries no date")
        skew = told - answer.at
        found = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's, which may be the wrong one"
        if abs(skew) > _SKEW_SECONDS:
            return fault("clock", found, "set both by NTP: certificates, tokens and the records depend on it")
        return ok("clock", f"within {max(1, round(abs(skew)))} s of this machine's")

    def _operations_are_closed(self) -> Finding:
        name = "operations from outside"
        try:
            for method, path in _OPERATIONS:
                status = self.caller.once(method, path).status
                if status not in _NOT_SERVED:
                    todo = f"have the proxy hand on {HOOK_PATH} alone"
                    return fault(name, f"{method} {path} is answered with {status}", todo)
        except CallError as error:
            return warning(name, str(error), f"see that the proxy hands on {HOOK_PATH} alone")
        return ok(name, "not served at this address")


def _told(name: str, value: Mapping[str, object], decision: str) -> Finding:
    error = value.get("error")
    summary = error.get("errorSummary") if isinstance(error, Mapping) else None
    if summary == UNDECIDED_SUMMARY:
        return fault(name, f"decision {decision} is undecided", "see the service's log and /health/ready")
    if summary is not None:
        todo = f"a policy holds even this row: usher why {decision}"
        return warning(name, f"decision {decision} is an error", todo)
    what = "commands" if value.get("commands") else "no change"
    return ok(name, f"{what}, decision {decision}, fits the response schema")
