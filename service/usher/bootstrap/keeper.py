"""Who decides which policy set is in force: looks at the folder, lets a changed set through the gate, or keeps the old.

Owns reloads: when the folder is looked at, what becomes of what is found, and what is told about it. One look at a
time, under a lock; the worker threads that answer calls never wait for it. What others read is written in single
assignments.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from usher.adapters.last_good import Kept, KeptFile, LastGoodError, save
from usher.bootstrap.candidates import TOO_SLOW, Candidate, Memory, Verdict, judge, read_candidate
from usher.bootstrap.in_force import PoliciesInForce
from usher.bootstrap.looks import Folders, Look, Rejected, ReloadMeter, Result
from usher.bootstrap.schemas import Schemas
from usher.domain.place import Problem
from usher.engine import PolicySet
from usher.engine.changes import Change, Kind, changes
from usher.errors import fault_place
from usher.proof.running import NoLongerWantedError
from usher.settings import LoadedSettings

MAX_TOLD: Final = 10
"""Names told in one line of the service log; `usher diff` tells all."""
_LOOK_AGAIN_SECONDS: Final = 0.3
_MAX_SETTLING: Final = 50
"""Looks until a folder that never rests is judged as it is."""


class Keeper:
    """Keeps the best set in force. `before_swap` is called with a set just before it answers."""

    try_again_seconds = 60.0
    """After which a set that was rejected for its slow tests alone is judged again: the machine may have been busy."""

    def __init__(
        self,
        loaded: LoadedSettings,
        schemas: Schemas,
        folders: Folders,
        in_force: PoliciesInForce,
        *,
        meter: ReloadMeter,
        before_swap: Callable[[PolicySet], None],
        memory: Memory | None = None,
    ) -> None:
        self.folders = folders
        self.in_force = in_force
        self.rejected: Rejected | None = None
        self.fell_back = False
        self._loaded = loaded
        self._schemas = schemas
        self._meter = meter
        self._before_swap = before_swap
        self._lock = threading.Lock()
        self._memory = memory or Memory()
        self._source_revision = ""

    def started_with(self, verdict: Verdict, *, rejected: Verdict | None) -> None:
        """Note what the service started with; `rejected` is the folder's own set where it fell back to another."""
        self._source_revision = verdict.candidate.revision
        if rejected is not None:
            self.fell_back = True
            self._reject(rejected)
        else:
            self._keep(verdict)

    def look(self, *, again: bool = False, wait_seconds: float = 0) -> Look | None:
        """Look at the folder now; None when another look is under way for longer than may be waited.

        `again`: judge what was rejected once more.
        """
        if not self._lock.acquire(timeout=wait_seconds):
            return None
        try:
            return self._look(again=again)
        finally:
            self._lock.release()

    def run(self, hints: Iterable[None]) -> None:
        """Look whenever there is a hint, until there are no more. Never raises: the set in force goes on."""
        for _ in hints:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - a fault here must not end the watch
                structlog.get_logger(__name__).error(
                    "policies_look_failed", error=type(error).__name__, place=fault_place(error)
                )

    def _look(self, *, again: bool) -> Look:
        began = time.monotonic()
        candidate = self._read()
        revision = candidate.revision
        if revision == self._source_revision:
            self._settled()
            return self._told(Result.UNCHANGED, revision)
        if self.rejected is not None and revision == self.rejected.revision and not (again or self._may_pass()):
            return self._told(Result.REJECTED, revision, self.rejected.problems)
        # Who asks for a look has finished writing; who saves may not have.
        verdict = self._judged(candidate if again else self._settle(candidate))
        if verdict is None:
            self._settled()
            return self._told(Result.UNCHANGED, self._source_revision)
        if verdict.policy_set is None:
            self._reject(verdict)
            return self._told(
                Result.REJECTED, verdict.candidate.revision, verdict.problems, seconds=time.monotonic() - began
            )
        made = self._accept(verdict, verdict.policy_set)
        return self._told(
            Result.ACCEPTED,
            verdict.candidate.revision,
            verdict.problems,
            changed=made,
            seconds=time.monotonic() - began,
        )

    def _judged(self, candidate: Candidate) -> Verdict | None:
        """Judge what lies in the folder, beginning anew when that changes meanwhile; None when it is what is in force.

        A set whose tests take long must not keep a good one that was saved after it waiting.
        """
        for attempt in range(_MAX_SETTLING):
            if candidate.revision == self._source_revision:
                return None
            wanted = self._still(candidate) if attempt < _MAX_SETTLING - 1 else _always
            with suppress(NoLongerWantedError):
                return judge(
                    candidate,
                    self._loaded,
                    self._schemas,
                    gate=self._loaded.settings.policies.gate,
                    memory=self._memory,
                    wanted=wanted,
                )
            candidate = self._settle(self._read())
        return None

    def _still(self, candidate: Candidate) -> Callable[[], bool]:
        """Return what says whether the folder still holds a candidate; it looks now and then, not each time."""
        looked_at = time.monotonic()

        def wanted() -> bool:
            nonlocal looked_at
            if time.monotonic() - looked_at < _LOOK_AGAIN_SECONDS:
                return True
            looked_at = time.monotonic()
            return self._read().revision == candidate.revision

        return wanted

    def _may_pass(self) -> bool:
        """Say whether what was rejected deserves another look: its tests were too slow, perhaps on a busy machine."""
        rejected = self.rejected
        if rejected is None or {problem.code for problem in rejected.errors} != {TOO_SLOW}:
            return False
        return time.monotonic() - rejected.tried_monotonic > self.try_again_seconds

    def _read(self) -> Candidate:
        return read_candidate(self.folders.policies, self.folders.schemas)

    def _settle(self, candidate: Candidate) -> Candidate:
        """Read until two readings are the same: an editor, a copy or a checkout may be half done."""
        for _ in range(_MAX_SETTLING):
            time.sleep(self._loaded.settings.policies.settle_seconds)
            again = self._read()
            if again.revision == candidate.revision:
                break
            candidate = again
        return candidate

    def _accept(self, verdict: Verdict, policy_set: PolicySet) -> tuple[Change, ...]:
        made = changes(self.in_force(), policy_set)
        self._before_swap(policy_set)
        self.in_force.replace(policy_set, datetime.now(UTC))
        self._source_revision = verdict.candidate.revision
        self.rejected = None
        self.fell_back = False
        self._meter.accepted(policy_set.revision)
        structlog.get_logger(__name__).info(
            "policies_reloaded",
            revision=policy_set.revision,
            **_by_kind(made),
            tests=verdict.case_count,
            warnings=len(verdict.problems),
            seconds=round(verdict.seconds, 3),
        )
        self._keep(verdict)
        return made

    def _reject(self, verdict: Verdict) -> None:
        errors, before = verdict.errors, self.rejected
        if before is None or before.revision != verdict.candidate.revision:
            before = Rejected(verdict.candidate.revision, datetime.now(UTC), time.monotonic(), 0.0, ())
        self.rejected = replace(before, tried_monotonic=time.monotonic(), problems=verdict.problems)
        self._meter.rejected()
        structlog.get_logger(__name__).error(
            "policies_rejected",
            revision_in_force=self.in_force().revision,
            errors=len(errors),
            first=str(errors[0]) if errors else "",
            seconds=round(verdict.seconds, 3),
        )

    def _settled(self) -> None:
        """Note that the folder holds what is in force, for example again after a broken set was taken back."""
        if self.rejected is not None:
            self.rejected = None
            self.fell_back = False
            self._meter.settled()
            structlog.get_logger(__name__).info("policies_restored", revision=self.in_force().revision)

    def _keep(self, verdict: Verdict) -> None:
        """Put the set that is in force aside for a start whose own policies fail; losing that is no reason to stop."""
        kept = Kept(
            revision=self.in_force().revision,
            since=self.in_force.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            folder=verdict.candidate.folder,
            files=tuple(KeptFile(file.name, file.shown, file.content) for file in verdict.candidate.sources),
        )
        try:
            save(self.folders.state, kept)
        except LastGoodError as error:
            structlog.get_logger(__name__).warning("last_good_not_kept", reason=str(error))

    def _told(
        self,
        result: Result,
        found: str,
        problems: tuple[Problem, ...] = (),
        *,
        changed: tuple[Change, ...] = (),
        seconds: float = 0.0,
    ) -> Look:
        return Look(result, self.in_force().revision, found, problems, changed, seconds)


def _by_kind(made: tuple[Change, ...]) -> dict[str, str]:
    """Return the names of what was added, removed and changed, those of each in one text."""
    told = {}
    for kind in Kind:
        names = [_name(change) for change in made if change.kind is kind]
        if names:
            more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
            told[kind.value] = ", ".join(names[:MAX_TOLD]) + more
    return told


def _name(change: Change) -> str:
    return change.name if change.what == "rule" else f"{change.what} {change.name}"


def _always() -> bool:
    return True
