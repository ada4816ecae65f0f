"""`usher doctor`: what a caller meets before the service itself: name, TLS, certificate.

Owns these checks. Source: Okta calls HTTPS only, with a certificate that public authorities vouch for.
"""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from usher.cli.doctor_calls import Caller, CallError, Line, UntrustedError
from usher.cli.doctor_findings import Finding, fault, ok, shown, skipped, warning

_DAY_SECONDS: Final = 86_400
_FAULT_DAYS: Final = 1
_WARNING_DAYS: Final = 21
_NAMES_SHOWN: Final = 4

# OpenSSL's codes (X509_V_ERR_*), and what an admin does about each.
_EXPIRED: Final = 10
_TODO: Final = {
    9: "its time has not come: check this machine's clock, or wait",
    _EXPIRED: "renew it and have the proxy read it",
    18: "Okta trusts public authorities only: get a certificate from one; to test with your own, give --ca-file",
    19: "Okta trusts public authorities only: get a certificate from one; to test with your own, give --ca-file",
    20: "send the intermediate certificates behind your own; to test with an authority of yours, give --ca-file",
    21: "send the intermediate certificates behind your own; to test with an authority of yours, give --ca-file",
    62: "get a certificate for this very name, or give the name it is for",
    64: "get a certificate for this very address, or give the name it is for",
}


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return whose certificates count: this system's authorities, or those in the file alone; raises `OSError`."""
    return ssl.create_default_context(cafile=ca_file)


def front(caller: Caller, ca_file: Path | None) -> Iterator[Finding]:
    """Check name, connection, TLS and certificate, as far as each lets the next be asked."""
    target = caller.target
    if not target.guards_secrets:
        yield fault(
            "tls", "http:// sends profiles and the secret in clear, and Okta refuses it", "give the https:// address"
        )
        return
    try:
        addresses = caller.addresses()
    except CallError as error:
        yield fault("name", f"{target.host}: {error}", "check the name and its DNS entry")
        return
    yield ok("name", f"{target.host} is {', '.join(addresses)}")
    try:
        with caller.open() as line:
            yield from _tls(line, ca_file) if target.is_tls else (_plain(),)
    except UntrustedError as error:
        todo = _TODO.get(error.code, "get one from a public authority, for this name")
        yield fault("certificate", shown(error), todo)
    except CallError as error:
        todo = "is the proxy running, and does the firewall let Okta's addresses in?"
        yield fault("connection", str(error), "is the service running?" if target.is_here else todo)


def _plain() -> Finding:
    return skipped("tls", "this is the service itself, on this machine; give --url https://… to check what Okta calls")


def _tls(line: Line, ca_file: Path | None) -> Iterator[Finding]:
    stream = line.stream
    if not isinstance(stream, ssl.SSLSocket):
        return
    cipher = stream.cipher()
    yield ok("tls", f"{stream.version()}, {cipher[0] if cipher else 'no cipher'}")
    yield _certificate(stream, ca_file)


def _certificate(stream: ssl.SSLSocket, ca_file: Path | None) -> Finding:
    certificate = stream.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = (ends - time.time()) / _DAY_SECONDS
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ends))
    names = certificate.get("subjectAltName", ())
    listed = ", ".join(shown(name[-1]) for name in names[:_NAMES_SHOWN])
    voucher = "" if ca_file is None else f"; vouched for by {ca_file}: Okta itself trusts public authorities only"
    found = f"for {listed}, valid until {until} ({days:.0f} days){voucher}"
    if days < _FAULT_DAYS:
        return fault("certificate", found, _TODO[_EXPIRED])
    if days < _WARNING_DAYS:
        return warning("certificate", found, "see that its renewal works")
    return ok("certificate", found)
