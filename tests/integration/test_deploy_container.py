"""The container file that ships. No engine runs here, so no image was built: what it copies and starts is tried.

What stays unseen is the engine's part: the base image, users and folders, the volume.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.fronts import DEPLOY
from tests.integration.installations import CHECKOUT, must_run
from tests.integration.usher_process import UsherProcess
from usher.settings import ServerSettings, Settings, load
from usher.settings.options import options

FOLDER = DEPLOY / "container"
SETTINGS = (FOLDER / "usher.toml").read_text(encoding="utf-8")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container
USHER = Path(sys.executable).with_name("usher")


def instructions() -> list[tuple[str, str]]:
    """Return each instruction and what it says, continued lines joined, comments left out."""
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines) if word]


def said(word: str) -> list[str]:
    """Return what all instructions of one name say."""
    return [rest for name, rest in instructions() if name == word]


def environ() -> dict[str, str]:
    """Return the variables of the image."""
    return dict(entry.split("=", 1) for entry in said("ENV")[0].split())


def settings_of(folder: Path, text: str) -> Settings:
    """Return what is in force with a settings file in a folder and the variables of the image."""
    (folder / "usher.toml").write_text(text, encoding="utf-8")
    variables = {name: value for name, value in environ().items() if name not in {"PATH", "USHER_CONFIG"}}
    return load(folder / "usher.toml", environ=variables, overrides={}, folder=folder).settings


def sources() -> list[str]:
    """Return what is copied out of the checkout."""
    return [name for rest in said("COPY") if not rest.startswith("--from") for name in rest.split()[:-1]]


def test_every_instruction_is_one() -> None:
    """A word that no engine knows would end the build."""
    known = {"FROM", "WORKDIR", "COPY", "ARG", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {word for word, _ in instructions()} == known | {"ENTRYPOINT", "CMD"}
    first, second = said("FROM")
    assert first == f"{second} AS build"


def test_what_is_copied_is_there_and_may_be_copied() -> None:
    """The list of what may be copied holds what is copied, and nothing that an admin keeps for himself."""
    allowed = (FOLDER / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert allowed[1] == "*"
    assert sorted(line[1:] for line in allowed if line.startswith("!")) == sorted(sources())
    assert [name for name in sources() if not (CHECKOUT / name).exists()] == []


@pytest.mark.skipif("USHER_LONG_TESTS" not in os.environ, reason="the same build as any other, of fewer files")
def test_usher_can_be_built_from_what_is_copied(tmp_path: Path) -> None:
    """The wheel made of these files alone has the policies, the schemas and the command."""
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.py[cod]")
    (tmp_path / "source").mkdir()
    for name in sources():
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, tmp_path / "source" / name, ignore=skipped)
        else:
            shutil.copy(CHECKOUT / name, tmp_path / "source")
    must_run([sys.executable, "-m", "build", "--wheel", "--outdir", "dist", "source"], tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"usher/policies/logins.yaml", "usher/schemas/policy.schema.json", "usher/cli/serve.py"} <= set(names)


def test_what_an_admin_writes_into_the_mounted_file_holds(tmp_path: Path) -> None:
    """A variable of the image would be over it, and a shared ledger would quietly be one for each container."""
    url = "postgresql://usher@db.example.com/usher"
    text = SETTINGS.replace("sqlite:////var/lib/usher/usher.db", url).replace(EVERYWHERE, "10.1.2.3")
    settings = settings_of(tmp_path, text)
    assert (settings.ledger.url, settings.server.host) == (url, "10.1.2.3")
    assert [name for name in environ() if name in {option.variable for option in options()}] == []


def test_the_steps_make_what_the_service_can_read() -> None:
    """Before `usher init` the folder is given to the number it runs as; the image keeps its health check."""
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    (user,) = said("USER")
    made, ran = text.index(f"chown {user} usher "), text.index("usher init /etc/usher\n")
    assert made < ran < text.index("cp deploy/container/usher.toml usher/usher.toml")
    assert f"podman unshare chown {user} usher" in text
    assert re.findall(r"podman build (\S+ \S+)", text) == ["--format docker"]


def test_its_variables_are_settings_and_its_extras_exist(tmp_path: Path) -> None:
    """Where it writes is the volume, and it is reached from outside the container by the hook's port alone."""
    names = {option.variable for option in options()} | {"USHER_CONFIG", "PATH"}
    assert [name for name in environ() if name not in names and not name.startswith("PYTHON")] == []
    settings = settings_of(tmp_path, SETTINGS)
    assert settings.server.host == EVERYWHERE
    volume = Path(said("VOLUME")[0])
    written = [
        settings.state.folder,
        settings.decisions.file,
        *map(_file, (settings.ledger.url, settings.directory.url)),
    ]
    assert all(path.is_relative_to(volume) for path in written)
    assert said("EXPOSE") == [str(ServerSettings().port)]
    assert settings.server.operations_host == "127.0.0.1"
    setup = (CHECKOUT / "setup.cfg").read_text(encoding="utf-8")
    assert all(f"\n{extra} =\n" in setup for extra in said("ARG")[0].partition("=")[2].split(","))


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.mark.skipif(os.name != "posix", reason="it is what runs in a Linux container")
def test_what_it_starts_lives_and_stops(tmp_path: Path) -> None:
    """Entry point and command with these variables: the health check says yes while it runs, no when it does not."""
    must_run([USHER, "init", tmp_path / "etc"], tmp_path)
    (tmp_path / "lib").mkdir()
    text = SETTINGS.replace("/var/lib/usher", str(tmp_path / "lib")).replace(EVERYWHERE, "127.0.0.1")
    (tmp_path / "etc" / "usher.toml").write_text(text, encoding="utf-8")
    places = {"/etc/usher": str(tmp_path / "etc"), "/var/lib/usher": str(tmp_path / "lib")}
    variables = {name: value for name, value in environ().items() if name != "PATH"}
    for old, new in places.items():
        variables = {name: value.replace(old, new) for name, value in variables.items()}
    entry, command = json.loads(said("ENTRYPOINT")[0]), json.loads(said("CMD")[0])
    process = UsherProcess([USHER.with_name(entry[0]), *command], tmp_path / "lib", **variables)
    try:
        process.wait_until_ready()
        assert _health(process.operations[1]) == 0
        assert process.stop() == 0
        written = sorted(path.name.partition(".")[0] for path in (tmp_path / "lib").iterdir())
        assert written == ["decisions", "directory", "state", "usher"]
        assert _health(process.operations[1]) != 0
    finally:
        process.clear_away()
    assert said("STOPSIGNAL") == ["SIGTERM"]


def _health(port: int) -> int:
    check = json.loads(said("HEALTHCHECK")[0].partition(" CMD ")[2])
    assert f":{ServerSettings().operations_port}/" in check[-1]
    command = [sys.executable, *check[1:-1], check[-1].replace(f":{ServerSettings().operations_port}/", f":{port}/")]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode


def test_it_runs_as_nobody_special() -> None:
    """By number, and after everything that needs root."""
    user, command = (
        next(i for i, (word, _) in enumerate(instructions()) if word == name) for name in ("USER", "HEALTHCHECK")
    )
    assert said("USER") == ["10001:10001"]
    assert max(i for i, (word, _) in enumerate(instructions()) if word == "RUN") < user < command
