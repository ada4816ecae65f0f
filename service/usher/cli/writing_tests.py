"""`usher test --scaffold` and `--from-decision`: a test file written for a person to go on with.

Owns where it goes and that no file is ever replaced. Main thread only.
"""

import sys
from pathlib import Path

import click

from usher.adapters.decision_search import find_decision
from usher.adapters.files import create_file
from usher.answer.recorded_line import record_of
from usher.bootstrap.anonymity import anonymous
from usher.bootstrap.policies import PolicySource, load_source, world_of
from usher.cli.group import FINDINGS
from usher.cli.talk import say
from usher.errors import UsherError
from usher.proof.from_decision import NotReproducibleError, decision_as_test
from usher.proof.scaffold import scaffold
from usher.proof.suite import passes
from usher.settings import LoadedSettings


class UnwritableTestError(UsherError):
    """The test file cannot be written."""


def write_test(
    loaded: LoadedSettings,
    folder: Path | None,
    *,
    policy: str | None,
    decision_id: str | None,
    output: Path | None,
) -> None:
    """Write a test for a policy or from a decision, and say where; exits 1 where there is none to write."""
    if policy is not None and decision_id is not None:
        raise click.UsageError("--scaffold and --from-decision write one test each; ask for one of them")
    source = load_source(loaded, folder)
    policy_set = source.loaded.policy_set
    if policy_set is None:
        for problem in source.loaded.errors:
            click.echo(str(problem), err=True)
        sys.exit(FINDINGS)
    world = world_of(loaded.settings, source.schemas)
    if policy is not None:
        text, path = scaffold(policy_set, policy, world), _beside(source, policy)
    else:
        record = record_of(find_decision(loaded.settings.decisions.file, decision_id or "").line)
        try:
            text = decision_as_test(anonymous(record, loaded, policy_set), policy_set, world)
        except NotReproducibleError as error:
            say(f"usher: {error}")
            sys.exit(FINDINGS)
        path = source.folder / f"decision-{record.decision_id}_test.yaml"
    if not passes(text, path.name, policy_set, world):
        say("usher: nothing is written: the test would not pass, it depends on more than a test can say")
        sys.exit(FINDINGS)
    _write(text, output or path)


def _beside(source: PolicySource, policy: str) -> Path:
    """Return the path of a policy's test: its own file's, with `_test` before the ending."""
    found = source.loaded.policy_set
    file = next(Path(entry.place.file) for entry in (found.policies if found else ()) if entry.name == policy)
    return file.with_name(f"{file.stem}_test.yaml")


def _write(text: str, path: Path) -> None:
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    try:
        create_file(path, text.encode())
    except FileExistsError:
        raise UnwritableTestError(f"{path}: there is such a file already; name another with --output") from None
    except OSError as error:
        raise UnwritableTestError(f"{path}: cannot be written: {error.strerror or type(error).__name__}") from None
    say(f"wrote {path}; `usher test` runs it")
