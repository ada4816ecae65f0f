"""Where settings come from and which source wins."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from usher.settings import LoadedSettings, Settings, SettingsError, load, render
from usher.settings.options import options


def loaded(
    folder: Path,
    *,
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> LoadedSettings:
    """Load from a folder that holds at most an `usher.toml`."""
    if text is not None:
        (folder / "usher.toml").write_text(text, encoding="utf-8")
    return load(None, environ=environ or {}, overrides=overrides or {}, folder=folder)


def test_an_empty_folder_gives_the_defaults(tmp_path: Path) -> None:
    """Without any source every setting has its default, and says so."""
    result = loaded(tmp_path)
    expected = Settings()
    assert result.settings.server == expected.server
    assert result.settings.policies.folder is None
    assert result.file is None
    below_login = {leaf.path for option in options() if option.entries for leaf in option.entry("login")}
    assert set(result.origins) == {option.path for option in options()} | below_login
    assert set(result.origins.values()) == {"default"}


def test_every_source_overrides_the_one_before(tmp_path: Path) -> None:
    """File over default, variable over file, command line over variable; each origin is kept."""
    result = loaded(
        tmp_path,
        text="[server]\nport = 1001\nthreads = 2\n\nbacklog = 7\n",
        environ={"USHER_SERVER_THREADS": "3", "USHER_SERVER_BACKLOG": "8"},
        overrides={"server.backlog": "9", "server.host": None},
    )
    server = result.settings.server
    assert (server.port, server.threads, server.backlog) == (1001, 3, 9)
    assert result.origins["server.port"] == "usher.toml:2"
    assert result.origins["server.threads"] == "USHER_SERVER_THREADS"
    assert result.origins["server.backlog"] == "command line"
    assert result.origins["server.host"] == "default"


def test_relative_paths_start_at_the_settings_file(tmp_path: Path) -> None:
    """Whatever source a relative path comes from, it starts at the file's folder, not at the working directory."""
    home = tmp_path / "etc"
    home.mkdir()
    (home / "my.toml").write_text('[auth]\nsecret_files = ["a", "b/c"]\n', encoding="utf-8")
    result = load(
        Path("etc/my.toml"),
        environ={"USHER_POLICIES_FOLDER": "rules"},
        overrides={"schemas.folder": Path("shapes")},
        folder=tmp_path,
    )
    assert result.folder == home
    assert result.settings.auth.secret_files == (home / "a", home / "b/c")
    assert result.settings.policies.folder == home / "rules"
    assert result.settings.schemas.folder == home / "shapes"
    assert result.settings.decisions.file == home / "decisions.jsonl"
    assert result.settings.state.folder == home / "state"


def test_without_a_file_relative_paths_start_at_the_working_directory(tmp_path: Path) -> None:
    """Defaults are absolute in the end, so that a later change of directory moves nothing."""
    assert loaded(tmp_path).settings.state.folder == tmp_path / "state"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    """An absolute path is taken as it is."""
    elsewhere = tmp_path / "elsewhere"
    result = loaded(tmp_path, overrides={"state.folder": str(elsewhere)})
    assert result.settings.state.folder == elsewhere


def test_a_symbolic_link_is_not_resolved(tmp_path: Path) -> None:
    """A config map is swapped by changing a link: the setting must keep naming the link."""
    (tmp_path / "first").mkdir()
    (tmp_path / "current").symlink_to(tmp_path / "first")
    result = loaded(tmp_path, text='[policies]\nfolder = "current"\n')
    assert result.settings.policies.folder == tmp_path / "current"


def test_shipped_means_the_policies_that_came_with_usher(tmp_path: Path) -> None:
    """`shipped` is a word of the settings, not a folder's name."""
    result = loaded(tmp_path, text='[policies]\nfolder = "shipped"\n[schemas]\nfolder = "./shipped"\n')
    assert result.settings.policies.folder is None
    assert result.settings.schemas.folder == tmp_path / "shipped"


def test_usher_config_names_the_file_and_config_wins(tmp_path: Path) -> None:
    """`--config` goes before `USHER_CONFIG`, which goes before the working directory's `usher.toml`."""
    for name, port in (("usher.toml", 1001), ("variable.toml", 1002), ("option.toml", 1003)):
        (tmp_path / name).write_text(f"[server]\nport = {port}\n", encoding="utf-8")
    environ = {"USHER_CONFIG": "variable.toml"}
    by_option = load(Path("option.toml"), environ=environ, overrides={}, folder=tmp_path)
    by_variable = load(None, environ=environ, overrides={}, folder=tmp_path)
    by_place = load(None, environ={"USHER_CONFIG": ""}, overrides={}, folder=tmp_path)
    assert [found.settings.server.port for found in (by_option, by_variable, by_place)] == [1003, 1002, 1001]
    assert by_variable.file == tmp_path / "variable.toml"


def test_windows_editors_are_understood(tmp_path: Path) -> None:
    """A byte order mark and carriage returns change nothing, the lines of origins included."""
    (tmp_path / "usher.toml").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\nhost = 'a'\r\n")
    result = loaded(tmp_path)
    assert result.settings.server.host == "a"
    assert result.origins["server.host"] == "usher.toml:3"


def test_variables_have_the_form_of_their_setting(tmp_path: Path) -> None:
    """Text becomes a number, a truth value or a list only where the setting is one."""
    result = loaded(
        tmp_path,
        environ={
            "USHER_SERVER_DEADLINE_SECONDS": "1",
            "USHER_DECISIONS_REDACTION": "False",
            "USHER_AUTH_SECRET_FILES": "one, two",
            "USHER_AUTH_SECRET_VARIABLES": "",
            "USHER_SERVER_HOST": "127.0.0.1",
        },
    )
    assert result.settings.server.deadline_seconds == 1.0
    assert result.settings.decisions.redaction is False
    assert result.settings.auth.secret_files == (tmp_path / "one", tmp_path / "two")
    assert result.settings.auth.secret_variables == ()


def test_a_secret_may_live_in_a_variable_that_looks_like_a_setting(tmp_path: Path) -> None:
    """A name declared to hold a secret is no unknown setting, even if it begins like one."""
    result = loaded(
        tmp_path,
        text='[auth]\nsecret_variables = ["USHER_AUTH_NEXT"]\n',
        environ={"USHER_AUTH_NEXT": "x" * 20, "USHER_SECRET": "y" * 20, "USHER_HOME": "z"},
    )
    assert result.settings.auth.secret_variables == ("USHER_AUTH_NEXT",)


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nothing changes a setting after it was checked."""
    server = loaded(tmp_path).settings.server
    with pytest.raises(dataclasses.FrozenInstanceError):
        server.port = 1  # type: ignore[misc]  # the error is the point


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    port=st.integers(0, 65535).filter(lambda port: port != 8081),
    seconds=st.floats(0.01, 3.0),
    header=st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True),
    folder=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30),
    redaction=st.booleans(),
)
@example(port=0, seconds=0.00001 + 0.01, header="X", folder='a\x7f"\\\u00e9\n\t#', redaction=False)
def test_what_usher_settings_prints_is_the_same_settings(
    tmp_path: Path, port: int, seconds: float, header: str, folder: str, *, redaction: bool
) -> None:
    """The printed settings, read again, are the settings: quoting, escapes and numbers included."""
    overrides = {"server.port": port, "server.deadline_seconds": seconds, "auth.header": header}
    overrides |= {"state.folder": Path(folder), "decisions.redaction": redaction}
    first = load(None, environ={}, overrides=overrides, folder=tmp_path)
    again = tmp_path / "again.toml"
    again.write_text("\n".join(render(first, {})), encoding="utf-8", newline="\n")
    assert load(again, environ={}, overrides={}, folder=tmp_path).settings == first.settings


def test_an_unreadable_default_file_is_not_taken_for_none(tmp_path: Path) -> None:
    """A link to nowhere under the usual name is a fault: the defaults would not be what the admin set."""
    (tmp_path / "usher.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(SettingsError, match=r"usher\.toml: not-found"):
        loaded(tmp_path)
