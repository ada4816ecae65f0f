"""Every way of installing Usher, each in a fresh environment, used from an empty folder outside the checkout."""

import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.installations import (
    CHECKOUT,
    Distributions,
    Installation,
    copy_of_checkout,
    install,
    must_run,
    run,
)

SAMPLE = CHECKOUT / "tests" / "golden" / "okta-sample.json"


# From the sdist and from the folder comes what the wheel and the editable installation are made of, at 15 s each.
WAYS = ("wheel", "pip install -e .", *(("sdist", "pip install .") if os.environ.get("USHER_LONG_TESTS") else ()))


@pytest.fixture(scope="module", params=WAYS)
def installation(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    distributions: Distributions,
    wheel_installation: Installation,
) -> Iterator[Installation]:
    """Yield an environment for each way of installing."""
    folder = tmp_path_factory.mktemp("installed")
    if request.param == "wheel":
        yield wheel_installation
    elif request.param == "sdist":
        yield install(folder / "env", distributions.sdist)
    else:
        checkout = copy_of_checkout(folder / "clone")
        yield install(folder / "env", *(["-e"] if "-e" in request.param else []), checkout)


def test_the_version_is_that_of_the_distribution(installation: Installation, tmp_path: Path) -> None:
    """`usher --version` runs and tells the version in setup.cfg."""
    version = next(
        line.partition("=")[2].strip()
        for line in (CHECKOUT / "setup.cfg").read_text(encoding="utf-8").splitlines()
        if line.startswith("version")
    )
    assert must_run([installation.usher, "--version"], tmp_path).out.split()[-1] == version


def test_the_shipped_policies_are_found_and_right(installation: Installation, tmp_path: Path) -> None:
    """`usher check` in an empty folder checks the shipped policies and has nothing to say, not even a warning."""
    ran = run([installation.usher, "check", "--strict"], tmp_path)
    assert (ran.code, ran.out) == (0, ""), ran.err
    files = len([path for path in (CHECKOUT / "policies").glob("*.yaml") if not path.stem.endswith("_test")])
    assert ran.err.startswith(f"{files} policy files, ")
    assert not any(tmp_path.iterdir())


def test_oktas_sample_is_answered(installation: Installation, tmp_path: Path) -> None:
    """`usher eval` decides Okta's own sample: her login is taken, so she gets one of her own."""
    ran = run([installation.usher, "eval", "-"], tmp_path, stdin=SAMPLE.read_bytes())
    assert ran.code == 0, ran.err
    assert '"login":"sally2.admin2@clouditude.net"' in ran.out


def test_what_init_writes_runs_as_it_is(installation: Installation, tmp_path: Path) -> None:
    """`usher init x`, then in there `usher check` and `usher eval` work on what was written."""
    must_run([installation.usher, "init", "x"], tmp_path)
    folder = tmp_path / "x"
    must_run([installation.usher, "check", "--strict"], folder)
    ran = must_run(
        [installation.usher, "eval", folder / "policies" / "testdata" / "george-alexander-smith.json"], folder
    )
    assert '"login":"george.alexander.smith@example.com"' in ran.out
    # The copy is what answers: with its policy gone there is nothing left to check.
    (folder / "policies" / "logins.yaml").write_text("policy: [", encoding="utf-8")
    assert run([installation.usher, "check"], folder).code == 1


def test_types_are_shipped(installation: Installation, tmp_path: Path) -> None:
    """The package says that it is typed."""
    question = "from importlib import resources; print((resources.files('usher') / 'py.typed').is_file())"
    assert must_run([installation.python, "-I", "-c", question], tmp_path).out.strip() == "True"


def test_the_wheel_holds_every_data_file_and_no_deleted_policy(distributions: Distributions) -> None:
    """What lies in policies/ and schemas/ is in the wheel, and nothing that lay there at an earlier build."""
    with zipfile.ZipFile(distributions.wheel) as wheel:
        shipped = {name for name in wheel.namelist() if name.startswith(("usher/policies/", "usher/schemas/"))}
    there = {
        f"usher/{path.relative_to(distributions.checkout).as_posix()}"
        for folder in ("policies", "schemas")
        for path in (distributions.checkout / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert distributions.deleted_policy in distributions.first_wheel_names
    assert shipped == there
    assert "usher/policies/testdata/george-alexander-smith.json" in shipped


def test_the_wheel_holds_the_licence_and_every_module(distributions: Distributions) -> None:
    """No package is forgotten in setup.cfg's list."""
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = set(wheel.namelist())
    package = distributions.checkout / "service" / "usher"
    modules = {f"usher/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert modules <= names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)


def test_the_source_distribution_holds_what_it_takes_to_build_and_test(distributions: Distributions) -> None:
    """Makefile, changelog, tests with their data, deployment files and CI are in the sdist; caches are not."""
    with tarfile.open(distributions.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"Makefile", "CHANGELOG.md", "README.md", "LICENSE", "setup.cfg", "pyproject.toml", ".ci/run"}
    wanted.add("SECURITY.md")
    wanted |= {
        path.relative_to(distributions.checkout).as_posix()
        for folder in ("tests", "deploy", "docs", "policies", "schemas")
        for path in (distributions.checkout / folder).rglob("*")
        if path.is_file() and not {"__pycache__", ".DS_Store"} & {*path.parts}
    }
    assert wanted <= names, wanted - names
    assert not [name for name in names if "__pycache__" in name or ".hypothesis" in name]
