"""`usher test [DIR]`: the policy tests of a folder, what they cover, and what they would not notice."""

import importlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Final

import click

from usher.adapters.files import replace_file
from usher.adapters.watching import hints
from usher.bootstrap.candidates import read_candidate
from usher.bootstrap.policies import folder_of, schemas_of
from usher.bootstrap.testing import ProofRun, load_tests, run_tests
from usher.cli.group import FINDINGS
from usher.cli.options import config_option, set_option, settings_in_force
from usher.cli.talk import say
from usher.cli.writing_tests import write_test
from usher.errors import UsherError
from usher.proof.mutation import score
from usher.proof.run_words import shown_percent
from usher.settings import LoadedSettings

Report = Callable[[ProofRun], Iterator[str]]

_FORMATS: Final = ("pretty", "json", "junit", "github")
_RESCAN_SECONDS: Final = 1.0


class _Percent(click.FloatRange):
    """A figure between 0 and 100; `nan` is none, and would be below no threshold."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Refuse what is no percentage."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no percentage", param, ctx)
        return number


_PERCENT: Final = _Percent(0, 100)


class LcovError(UsherError):
    """The trace file cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a run is asked for, as the options say it; thresholds in percent."""

    name: str
    report: str
    covering: bool
    threshold: float | None
    lcov: Path | None
    mutating: bool
    mutant_threshold: float | None

    @property
    def covers(self) -> bool:
        """Whether coverage is needed."""
        return self.covering or self.threshold is not None or self.lcov is not None

    @property
    def mutates(self) -> bool:
        """Whether mutants are needed."""
        return self.mutating or self.mutant_threshold is not None


_NOTHING_WANTED: Final = Wanted(
    name="", report="pretty", covering=False, threshold=None, lcov=None, mutating=False, mutant_threshold=None
)


@click.command("test")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("-k", "name", metavar="TEXT", default="", help="Run only the cases whose name contains TEXT.")
@click.option(
    "--format", "report", type=click.Choice(_FORMATS), default="pretty", show_default=True, help="Of the report."
)
@click.option("--coverage", "covering", is_flag=True, help="Say what never fired, was never true or never false.")
@click.option("--threshold", metavar="PERCENT", type=_PERCENT, help="Least coverage; below it, exit 1.")
@click.option("--lcov", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write coverage as LCOV.")
@click.option("--mutants", "mutating", is_flag=True, help="Make one thing wrong at a time; say what no test notices.")
@click.option("--mutant-threshold", metavar="PERCENT", type=_PERCENT, help="Least score; below it, exit 1.")
@click.option("--scaffold", "policy", metavar="POLICY", help="Write a first test for a policy, and run nothing.")
@click.option("--from-decision", metavar="ID", help="Write a test from a decision on record, and run nothing.")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where the test goes; - is standard output."
)
@click.option("--watch", is_flag=True, help="Run again whenever a file of the folder is saved, until Ctrl-C.")
@config_option
@set_option
def test_command(
    folder: Path | None,
    watch: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    policy: str | None,
    from_decision: str | None,
    output: Path | None,
    **said: object,
) -> None:
    """Run the policy tests of a folder, those in the settings without DIR.

    Exits 1 when a test fails, a file has an error, there is no test at all, or a threshold is not reached. With
    --scaffold or --from-decision a test is written instead, by default beside what it tests; it never replaces a file.
    """
    wanted = Wanted(**said)  # type: ignore[arg-type]  # click has checked the types
    writes = policy is not None or from_decision is not None
    if writes and (watch or wanted != _NOTHING_WANTED):
        raise click.UsageError("--scaffold and --from-decision run nothing: leave out what a run is asked for")
    if output is not None and not writes:
        raise click.UsageError("--output says where --scaffold or --from-decision writes; give one of them")
    loaded = settings_in_force(config, overrides)
    if writes:
        write_test(loaded, folder, policy=policy, decision_id=from_decision, output=output)
        return
    if watch:
        _again_and_again(loaded, folder, wanted)
    elif not _once(loaded, folder, wanted):
        sys.exit(FINDINGS)


def _again_and_again(loaded: LoadedSettings, folder: Path | None, wanted: Wanted) -> None:
    """Run the tests now and whenever policies, tests or profile schemas have changed, until Ctrl-C comes."""
    policies, schemas = folder_of(loaded, folder), schemas_of(loaded)
    with suppress(KeyboardInterrupt):
        seen = read_candidate(policies, schemas).revision
        _once(loaded, folder, wanted)
        if not policies.is_dir():  # which the report has told
            sys.exit(FINDINGS)
        for _ in hints((policies, schemas), every_seconds=_RESCAN_SECONDS, stop=Event(), polling=False):
            # What a report writes into the folder is no change of what it is about.
            if (now := read_candidate(policies, schemas).revision) != seen:
                seen = now
                say("")
                _once_more(loaded, folder, wanted)


def _once_more(loaded: LoadedSettings, folder: Path | None, wanted: Wanted) -> None:
    """Run the tests again; what cannot be read for the moment ends nothing."""
    try:
        _once(loaded, folder, wanted)
    except UsherError as error:
        say(f"usher: {error}")


def _once(loaded: LoadedSettings, folder: Path | None, wanted: Wanted) -> bool:
    """Run the tests, report, and say whether all is well."""
    began = time.monotonic()
    run = run_tests(load_tests(loaded, folder), name=wanted.name, covering=wanted.covers, mutating=wanted.mutates)
    report: Report = importlib.import_module(f"usher.cli.reports.run_{wanted.report}").lines
    colour = False if os.environ.get("NO_COLOR") else None
    for line in report(run):
        click.echo(line, color=colour)
    if wanted.lcov is not None and run.covered is not None:
        _write_lcov(wanted.lcov, run)
    cases = "1 case" if len(run.results) == 1 else f"{len(run.results)} cases"
    say(f"{cases}, {len(run.failed)} failed ({time.monotonic() - began:.2f} s)")
    return _is_well(run, wanted)


def _is_well(run: ProofRun, wanted: Wanted) -> bool:
    well = run.passes
    if wanted.name and not run.results and run.passes:
        say(f"usher: no case is named like {wanted.name!r}")
        well = False
    if wanted.mutates and run.judged is None:
        say("usher: no mutant was made: every test has to pass first")
    reached = {
        "coverage": (run.covered.percent if run.covered else None, wanted.threshold),
        "the mutation score": (None if run.judged is None else score(run.judged), wanted.mutant_threshold),
    }
    for what, (percent, least) in reached.items():
        if percent is not None and least is not None and percent < least:
            say(f"usher: {what} is {shown_percent(percent)}, less than {least:g} %")
            well = False
    return well


def _write_lcov(path: Path, run: ProofRun) -> None:
    from usher.cli.reports import lcov  # noqa: PLC0415 - only who asks for it

    assert run.covered is not None  # noqa: S101 - the caller looked
    text = "".join(f"{line}\n" for line in lcov.lines(run.covered))
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise LcovError(f"{path}: cannot be written: {error.strerror or type(error).__name__}") from None
