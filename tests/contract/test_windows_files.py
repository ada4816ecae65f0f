"""The files for Windows, as far as they can be tried elsewhere: XML, commands, settings, limits, Python's part."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path, PureWindowsPath

import click
from ruamel.yaml import YAML

from usher.bootstrap import service as wiring
from usher.cli.group import usher
from usher.settings import ServerSettings, load
from usher.settings.options import options
from usher.web.hook import HOOK_PATH

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "windows"
SERVICE = ET.parse(FOLDER / "usher-service.xml").getroot()  # noqa: S314 - our own file
SITE = ET.parse(FOLDER / "web.config").getroot()  # noqa: S314 - our own file
README = (FOLDER / "README.md").read_text(encoding="utf-8")
SETTINGS = (FOLDER / "usher.toml").read_text(encoding="utf-8")
PLATFORM = "system.webServer/httpPlatform"
SERVER = ServerSettings()


def text(path: str) -> str:
    """Return what stands in an element of the service's definition."""
    found = SERVICE.findtext(path)
    assert found is not None, path
    return found


def attribute(path: str, name: str) -> str:
    """Return an attribute of an element of the site's configuration."""
    found = SITE.find(path)
    assert found is not None, path
    return found.attrib[name]


def test_the_elements_are_those_winsw_and_iis_know() -> None:
    """A misspelt element would be ignored without a word."""
    assert {child.tag for child in SERVICE} == {
        *("id", "name", "description", "executable", "arguments", "workingdirectory", "env", "serviceaccount"),
        *("startmode", "onfailure", "resetfailure", "stoptimeout", "stopparentprocessfirst", "logpath", "log"),
    }
    (server,) = SITE
    assert [child.tag for child in server] == [
        *("handlers", "httpPlatform", "applicationInitialization", "security", "httpErrors")
    ]


def test_both_start_a_command_that_exists_with_options_that_exist() -> None:
    """What they start is `usher serve` with the settings file the instructions write."""
    serve = usher.get_command(click.Context(usher), "serve")
    assert serve is not None
    assert "--config" in {name for parameter in serve.params for name in parameter.opts}
    assert text("executable") == attribute(PLATFORM, "processPath") == r"C:\usher\venv\Scripts\python.exe"
    assert text("arguments") == attribute(PLATFORM, "arguments")
    assert text("arguments").endswith(' serve --config "C:\\usher\\etc\\usher.toml"')


def test_what_python_is_given_to_run_is_the_command() -> None:
    """The code in the arguments is run by a real Python."""
    (code,) = re.findall(r'^-c "([^"]*)" serve', text("arguments"))
    done = subprocess.run([sys.executable, "-c", code, "serve", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("Usage: usher serve ")) == (0, True)


def test_every_variable_is_a_setting() -> None:
    """Unknown ones would keep the service from starting; IIS' port is the hook's."""
    known = {option.variable for option in options()}
    of_service = {entry.attrib["name"]: entry.attrib["value"] for entry in SERVICE.iter("env")}
    of_site = {entry.attrib["name"]: entry.attrib["value"] for entry in SITE.iter("environmentVariable")}
    assert [name for name in (*of_service, *of_site) if name not in known and not name.startswith("PYTHON")] == []
    assert of_site["USHER_SERVER_PORT"] == "%HTTP_PLATFORM_PORT%"


def test_what_nothing_rotates_does_not_grow_by_decisions() -> None:
    """HttpPlatformHandler's file grows as long as the process lives; WinSW rotates its own."""
    of_site = {entry.attrib["name"]: entry.attrib["value"] for entry in SITE.iter("environmentVariable")}
    assert attribute(PLATFORM, "stdoutLogEnabled") == "true"
    assert of_site["USHER_LOGGING_DECISIONS"] == "false"
    assert "`logging.decisions`" in README
    assert SERVICE.find("log/keepFiles") is not None


def test_the_hook_is_all_that_iis_hands_on() -> None:
    """One handler for one path; what is refused comes through in Usher's words; the limits agree."""
    handlers = SITE.find("system.webServer/handlers")
    assert handlers is not None
    assert [(child.tag, child.attrib.get("path")) for child in handlers] == [("clear", None), ("add", HOOK_PATH[1:])]
    assert attribute("system.webServer/applicationInitialization/add", "initializationPage") == HOOK_PATH
    limits = "system.webServer/security/requestFiltering/requestLimits"
    assert attribute(limits, "maxAllowedContentLength") == str(SERVER.body_limit_bytes)
    assert attribute("system.webServer/httpErrors", "existingResponse") == "PassThrough"
    assert attribute(PLATFORM, "processesPerApplication") == "1"


def test_a_stop_has_time_to_drain() -> None:
    """WinSW kills what has not ended by then."""
    seconds = int(text("stoptimeout").removesuffix(" sec"))
    assert seconds > SERVER.drain_seconds + wiring._JOIN_SECONDS + 5
    comments = (FOLDER / "usher-service.xml").read_text(encoding="utf-8")
    assert f"server.drain_seconds ({SERVER.drain_seconds:g} s), then {wiring._JOIN_SECONDS:g} s" in comments
    assert f"waits {seconds} s" in README


def test_the_settings_load_and_separate_what_is_read_from_what_is_written(tmp_path: Path) -> None:
    """Nothing is written where people edit; on Windows these paths are absolute."""
    (tmp_path / "usher.toml").write_text(SETTINGS, encoding="utf-8")
    settings = load(tmp_path / "usher.toml", environ={}, overrides={}, folder=tmp_path).settings
    urls = (settings.ledger.url, settings.directory.url)
    shown = [
        str(settings.state.folder),
        str(settings.decisions.file),
        *(url.removeprefix("sqlite:///") for url in urls),
    ]
    # Elsewhere they are relative names with a backslash, put below the folder.
    written = [PureWindowsPath(path.removeprefix(f"{tmp_path}/")) for path in shown]
    assert {path.parent for path in written} == {PureWindowsPath(r"C:\usher\data")}


def test_the_steps_for_iis_are_in_an_order_that_can_be_followed() -> None:
    """The section that IIS locks is unlocked, and the site is made before it is given a pool."""
    marks = (
        "appcmd.exe unlock config -section:system.webServer/handlers",
        "New-Website -Name usher -PhysicalPath C:\\usher\\site ",
        "New-WebAppPool usher",
        "IIS:\\Sites\\usher applicationPool usher",
    )
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)
    assert SITE.find("system.webServer/handlers") is not None


def test_a_step_of_the_workflow_is_one_command() -> None:
    """Of several in one step PowerShell reports the last one's failure alone."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    steps = YAML(typ="safe", pure=True).load(text)["jobs"]["windows"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert len(runs) > 5
    assert [run for run in runs if "\n" in run.strip() or ";" in run or "&" in run] == []


def test_text_has_the_same_line_ends_on_windows() -> None:
    """Else Git writes CRLF there, and what is compared with a file written anew differs; what is pinned comes after."""
    lines = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "* text=auto eol=lf"
    assert "tests/golden/** -text" in rules[1:]


def test_the_instructions_name_what_there_is() -> None:
    """Every command, setting and file in them exists."""
    commands = set(re.findall(r"Scripts\\usher ([a-z]+)", README))
    assert commands <= set(usher.list_commands(click.Context(usher)))
    assert {"init", "check", "settings", "doctor", "okta"} <= commands
    settings = {option.path for option in options()}
    assert set(re.findall(r"`((?:server|logging)\.\w+)`", README)) <= settings
    for name in re.findall(r"\]\(([^)#]+)", README):
        assert (FOLDER / name).exists(), name
