"""Settings that one platform cannot serve: known before anything is opened."""

from pathlib import Path

import pytest

from usher.bootstrap.setting_checks import WINDOWS_CONNECTIONS, check_platform
from usher.settings import LoadedSettings, ServerSettings, SettingsError, load


def settings(limit: int, folder: Path) -> LoadedSettings:
    """Return settings with that many connections."""
    return load(None, environ={}, overrides={"server.connection_limit": limit}, folder=folder)


def test_more_connections_than_windows_can_serve_are_refused(tmp_path: Path) -> None:
    """One clear line says what to set; elsewhere the same settings are fine."""
    check_platform(settings(WINDOWS_CONNECTIONS, tmp_path), "win32")
    check_platform(settings(WINDOWS_CONNECTIONS + 1, tmp_path), "linux")
    with pytest.raises(SettingsError) as refused:
        check_platform(settings(WINDOWS_CONNECTIONS + 1, tmp_path), "win32")
    assert str(refused.value) == (
        "command line: too-many-connections: server.connection_limit: 501 connections are too many for Windows: "
        "set at most 500"
    )


def test_the_default_is_fine_everywhere() -> None:
    """Who sets nothing is served; with listeners it stays below the 512 sockets of Windows' select."""
    assert ServerSettings().connection_limit <= WINDOWS_CONNECTIONS < 512 - 10
