"""`usher doctor` on the real service behind a real nginx with TLS: all well, and each fault really there."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.integration.fronts import Authority, authority, caddy_before, free_port, nginx_before, nginx_with, program
from tests.integration.installations import Ran, must_run, run
from tests.integration.usher_process import UsherProcess
from usher.cli.group import usher

if TYPE_CHECKING:
    from collections.abc import Iterator

USHER = Path(sys.executable).with_name("usher")
STRANGERS_SECRET = "a secret that nobody has set up"


@dataclass(frozen=True)
class Site:
    """A running service in its folder, and how to put nginx before it."""

    service: UsherProcess
    folder: Path
    nginx: str
    authority: Authority

    def doctor(self, *arguments: str, port: int | None = None, path: str = "/okta/import") -> Ran:
        """Examine what listens on a port of this machine, as somebody who knows the authority."""
        url = () if port is None else ("--url", f"https://localhost:{port}{path}", *self.trusting)
        told = self.usher("doctor", *url, *arguments, "--set", self.operations)
        assert (self.folder / "usher.secret").read_text(encoding="ascii").strip() not in told.out + told.err
        assert told.err == ""
        return told

    def usher(self, *arguments: str) -> Ran:
        """Run a command with the service's settings, in this process: that takes half the time."""
        environ: dict[str, str | None] = {name: None for name in os.environ if name.startswith("USHER_")}
        config = ("--config", str(self.folder / "usher.toml"))
        result = CliRunner(env=environ).invoke(usher, [*arguments, *config])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return Ran(result.exit_code, result.stdout, result.stderr)

    @property
    def trusting(self) -> tuple[str, ...]:
        """The option that names the authority."""
        return ("--ca-file", str(self.authority.certificate))

    @property
    def operations(self) -> str:
        """The setting that says where the running service's operations listener is."""
        return f"server.operations_port={self.service.operations[1]}"

    @contextmanager
    def behind(self, folder: Path, *, stem: str = "usher", hook: tuple[str, int] | None = None) -> Iterator[int]:
        """Run the shipped nginx with a certificate before the service, or before another address; give its port."""
        address = hook or self.service.hook
        with nginx_before(address, self.nginx, self.authority.folder, folder, stem=stem) as front:
            yield front.port

    @contextmanager
    def behind_own(self, folder: Path, locations: str) -> Iterator[int]:
        """Run an nginx that an admin wrote."""
        port, keys = free_port(), self.authority.folder
        tls = f"listen 127.0.0.1:{port} ssl; ssl_certificate {keys}/usher.crt; ssl_certificate_key {keys}/usher.key;"
        with nginx_with(f"server {{ {tls} {locations} }}", port, self.nginx, folder):
            yield port


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, nginx_program: str) -> Iterator[Site]:
    """Return a service as `usher init` sets it up, and an authority of its own."""
    folder = tmp_path_factory.mktemp("site") / "usher"
    must_run([USHER, "init", folder], folder.parent)
    folder.chmod(0o700)
    service = UsherProcess([USHER, "serve", "--set", "policies.gate=off"], folder)
    try:
        service.wait_until_ready()
        yield Site(service, folder, nginx_program, authority(tmp_path_factory.mktemp("keys")))
    finally:
        service.clear_away()


def states(told: Ran) -> dict[str, str]:
    """Return the state of each check by name; every line has the form that is promised."""
    found = {}
    for line in told.out.splitlines():
        state, name = line[:9].strip(), line[9:].partition(": ")[0]
        assert state in {"ok", "warning", "fault", "skipped"}, line
        found[name] = state
    return found


def others(told: Ran) -> dict[str, str]:
    """Return the checks that are not ok."""
    return {name: state for name, state in states(told).items() if state != "ok"}


def faults(told: Ran) -> str:
    """Return the lines that are faults; there are some exactly if the exit code says so."""
    lines = [line for line in told.out.splitlines() if line.startswith("fault ")]
    assert told.code == (1 if lines else 0)
    return "\n".join(lines)


def test_a_set_up_that_is_well(site: Site, tmp_path: Path) -> None:
    """Every check is made and each says ok, but for the clock, which is one and the same; the exit code is 0."""
    url = "https://localhost:{}/okta/import"
    with site.behind(tmp_path) as port:
        command: list[str | Path] = [
            USHER,
            "doctor",
            "--url",
            url.format(port),
            *site.trusting,
            "--set",
            site.operations,
        ]
        told = run(command, site.folder)
    assert others(told) == {"clock": "skipped"}, told.out
    assert (told.code, list(states(told))) == (
        0,
        [
            "settings",
            "name",
            "tls",
            "certificate",
            "without a credential",
            "wrong credential",
            "decision",
            "answer",
            "kept connection",
            "large body",
            "clock",
            "operations from outside",
            "ready",
            "policies",
            "ledger",
            "directory",
            "decision log",
            "files",
        ],
    )
    assert "TLSv1.3" in told.out


def test_a_set_up_that_is_well_behind_caddy(site: Site, tmp_path: Path) -> None:
    """The other proxy that ships passes, too."""
    keys = site.authority.folder
    with caddy_before(site.service.hook, program("caddy", "caddy"), keys, tmp_path, host="localhost") as front:
        told = site.doctor(port=front.port)
    assert others(told) == {"clock": "skipped"}, told.out


def test_an_examination_changes_nothing_but_the_records(site: Site) -> None:
    """Nothing is held afterwards that was not before; the decision log has a line for each of the two decisions."""
    before = len(site.service.decisions())
    told = site.doctor("--set", f"server.port={site.service.hook[1]}")
    assert (faults(told), states(told)["tls"], states(told)["decision"]) == ("", "skipped", "ok")
    assert len(site.usher("ledger", "export").out.splitlines()) == 1  # its header
    made = site.service.decisions()[before:]
    assert [line["application"]["name"] for line in made] == ["usher-doctor"] * 2  # type: ignore[index]  # JSON
    assert [(line["ending"], line["remembered"], line["claims"]) for line in made] == [("link", [], [])] * 2
    assert len({line["event_id"] for line in made}) == 2


@pytest.mark.parametrize(
    ("stem", "names", "days", "told"),
    [
        ("expired", ("localhost",), -1, "fault    certificate: certificate has expired; renew it"),
        ("other", ("other.example.com",), 90, "fault    certificate: Hostname mismatch"),
    ],
)
def test_a_certificate_no_client_would_take(
    site: Site, tmp_path: Path, stem: str, names: tuple[str, ...], days: int, told: str
) -> None:
    """It is named with what to do, and not a byte goes to who shows it."""
    site.authority.sign(stem, names, days=days)
    with site.behind(tmp_path, stem=stem) as port:
        found = site.doctor(port=port)
    assert faults(found).startswith(told)
    assert states(found)["hook"] == "skipped"
    assert states(found)["ready"] == "ok"


def test_an_authority_that_okta_does_not_know(site: Site, tmp_path: Path) -> None:
    """Without --ca-file it is this system's authorities that count."""
    with site.behind(tmp_path) as port:
        told = site.usher("doctor", "--url", f"https://localhost:{port}/okta/import", "--outside")
    assert "fault    certificate: unable to get local issuer certificate; send the intermediate" in faults(told)
    assert states(told)["operations"] == "skipped"


def test_a_certificate_that_ends_soon(site: Site, tmp_path: Path) -> None:
    """Twenty days before its end it is a warning, on the last day a fault."""
    site.authority.sign("soon", ("localhost",), days=20)
    with site.behind(tmp_path, stem="soon") as port:
        told = site.doctor(port=port)
    assert (states(told)["certificate"], faults(told)) == ("warning", "")


def test_a_secret_that_the_service_does_not_know(site: Site, tmp_path: Path) -> None:
    """Settings and running service disagree, as after a rotation without a restart."""
    other = tmp_path / "other.secret"
    other.write_text(STRANGERS_SECRET, encoding="ascii")
    with site.behind(tmp_path) as port:
        told = site.doctor("--set", f"auth.secret_files={other}", port=port)
    assert faults(told).startswith("fault    credential: it is refused (403); restart the service")
    assert STRANGERS_SECRET not in told.out


def test_a_second_secret_that_the_service_has_not_read(site: Site, tmp_path: Path) -> None:
    """A change of the secret that the running service has missed is a fault, though the old secret is still right."""
    other = tmp_path / "other.secret"
    other.write_text(STRANGERS_SECRET, encoding="ascii")
    before = len(site.service.decisions())
    with site.behind(tmp_path) as port:
        told = site.doctor("--set", f"auth.secret_files={site.folder / 'usher.secret'},{other}", port=port)
    assert faults(told).startswith("fault    credential: secret 2 of 2 is refused (403); restart the service")
    assert (states(told)["decision"], len(site.service.decisions()) - before) == ("ok", 2)
    assert STRANGERS_SECRET not in told.out


def test_a_service_that_is_down_behind_its_proxy(site: Site, tmp_path: Path) -> None:
    """The proxy answers 502; one line says so and none repeats it."""
    with site.behind(tmp_path, hook=("127.0.0.1", free_port())) as port:
        told = site.doctor(port=port)
    assert "fault    without a credential: answered with 502; the proxy runs" in faults(told)
    assert (states(told)["decision"], faults(told).count("\n")) == ("skipped", 0)


def test_nobody_there_at_all(site: Site) -> None:
    """Neither at the address nor, with these settings, on this machine."""
    port = free_port()
    url = f"https://localhost:{port}/okta/import"
    told = site.usher("doctor", "--url", url, "--set", f"server.operations_port={port}")
    assert "fault    connection: cannot connect to localhost" in faults(told)
    assert "fault    operations: cannot connect to 127.0.0.1" in faults(told)


def test_operations_that_can_be_reached_from_outside(site: Site, tmp_path: Path) -> None:
    """A proxy that hands everything on is found out."""
    host, port = site.service.operations
    hook = f"location = /okta/import {{ proxy_pass http://127.0.0.1:{site.service.hook[1]}; client_max_body_size 1m; }}"
    with site.behind_own(tmp_path, f"{hook} location / {{ proxy_pass http://{host}:{port}; }}") as public:
        told = site.doctor(port=public)
    found = faults(told)
    assert found == (
        "fault    operations from outside: GET /status is answered with 200; have the proxy hand on /okta/import alone"
    )


def test_an_address_that_redirects(site: Site, tmp_path: Path) -> None:
    """Okta would not follow, and neither is the secret sent there."""
    with site.behind_own(tmp_path, "location / { return 308 https://elsewhere.example.com/okta/import; }") as port:
        told = site.doctor(port=port)
    assert (
        "fault    redirect: answered with 308 to https://elsewhere.example.com/okta/import; Okta follows no"
        in faults(told)
    )
    assert states(told)["decision"] == "skipped"


def test_a_proxy_with_another_limit_and_no_header(site: Site, tmp_path: Path) -> None:
    """A proxy that drops the credential locks Okta out, however right the secret is."""
    where = f"http://127.0.0.1:{site.service.hook[1]}"
    location = f'location / {{ proxy_pass {where}; proxy_set_header Authorization ""; client_max_body_size 9m; }}'
    with site.behind_own(tmp_path, location) as port:
        told = site.doctor(port=port)
    assert "fault    wrong credential: answered with 401 instead of 403" in faults(told)
    assert "fault    credential: it is refused (401)" in faults(told)


def test_a_set_that_is_rejected_and_a_secret_that_everybody_may_read(site: Site) -> None:
    """What only the machine itself knows is told, too."""
    broken, secret = site.folder / "policies" / "broken.yaml", site.folder / "usher.secret"
    broken.write_text("policy: broken\nrules: 7\n", encoding="utf-8")
    site.folder.chmod(0o755)
    secret.chmod(0o644)
    try:
        assert site.usher("reload", "--set", site.operations).code == 1
        told = site.doctor("--set", f"server.port={site.service.hook[1]}")
    finally:
        site.folder.chmod(0o700)
        secret.chmod(0o600)
        broken.unlink()
        assert site.usher("reload", "--set", site.operations).code == 0
    assert "fault    policies: the newest set is rejected; 8 in force" in faults(told)
    assert f"fault    files: everybody may read {secret}; chmod o-rwx {secret}" in faults(told)
    assert states(told)["decision"] == "ok"
