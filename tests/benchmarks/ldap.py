"""TokenReviews of people in an LDAP directory: cold, and from the cache.

``python -m tests.benchmarks.ldap``

A slapd with 5,000 users and 3,000 groups, the service with one worker and
connections over ldaps://, and wrk with 1 and 16 requests at a time, all on this
machine. Cold: the cache is off and each review is of the next user, so each one
is a search, a bind and the searches for groups. Beside it stand the exchanges
with the directory that one cold review takes, the connections that were opened
for each 1,000, and how many reviews did not end with the user.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.benchmarks import load
from tests.parts.faulty_proxy import FaultyProxy
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.ldap_people import (
    BASE,
    CROWD_PASSWORD,
    CROWD_USERS,
    GROUPS,
    PEOPLE,
    SERVICE,
    SERVICE_PASSWORD,
)
from tests.parts.slapd import Slapd, free_port

CACHED_USERS = 100

_COUNTERS = {
    "opened": r"^authsvc_ldap_connections_total\{.*\} (.+)$",
    "authenticated": r'^authsvc_authentications_total\{outcome="authenticated"\} (.+)$',
    "others": r'^authsvc_authentications_total\{outcome="(?:rejected|error)"\} (.+)$',
}


class Setup(NamedTuple):
    """A folder with a running slapd and what is needed to ask it."""

    folder: Path
    slapd: Slapd
    authority: LDAPAuthority


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load for each figure")
    seconds = parser.parse_args().seconds
    print("| reviews | at once | per second | p50 | p99 | exchanges | opened/1,000 | failed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name, _directory(Path(name)) as setup:
        for what, nested in (("cold, direct groups", "None"), ("cold, nested groups", "Recursive")):
            exchanges = _exchanges(setup, nested)
            for at_once in (1, 16):
                with _service(setup, nested, cached=False) as port:
                    _row(setup, port, what, at_once, seconds, exchanges)
        for at_once in (1, 16):
            with _service(setup, "Recursive", cached=True) as port:
                bodies = _bodies(setup.folder, CACHED_USERS)
                load.run(_url(port), bodies, connections=4, seconds=2)
                _row(setup, port, "cached", at_once, seconds, "0", users=CACHED_USERS)


def _row(
    setup: Setup,
    port: int,
    what: str,
    at_once: int,
    seconds: float,
    exchanges: str,
    *,
    users: int = CROWD_USERS,
) -> None:
    bodies = _bodies(setup.folder, users)
    before = _counted(port)
    measured = load.run(_url(port), bodies, connections=at_once, seconds=seconds, threads=1)
    counted = _counted(port)
    opened, answered, others = (counted[name] - before[name] for name in _COUNTERS)
    print(
        f"| {what} | {at_once} | {measured.rate:,.0f} | {measured.p50:.1f} ms "
        f"| {measured.p99:.1f} ms | {exchanges} | {opened / answered * 1000:.1f} "
        f"| {measured.failed + others:.0f} |",
        flush=True,
    )


@contextlib.contextmanager
def _directory(folder: Path) -> Iterator[Setup]:
    authority = LDAPAuthority(folder)
    home = folder / "slapd"
    home.mkdir()
    slapd = Slapd(home, authority.certificate, authority.server)
    slapd.load()
    slapd.start()
    (folder / "password").write_text(SERVICE_PASSWORD)
    try:
        yield Setup(folder, slapd, authority)
    finally:
        slapd.stop()


@contextlib.contextmanager
def _service(
    setup: Setup, nested: str, *, cached: bool, through: int | None = None
) -> Iterator[int]:
    port = free_port()
    server = f"ldaps://127.0.0.1:{setup.slapd.tls_port}"
    document = {
        "apiVersion": "config.authsvc.io/v1alpha1",
        "kind": "AuthsvcConfiguration",
        "server": {"bind": f"127.0.0.1:{port}", "workers": 1},
        "authentication": {
            "cache": {} if cached else {"size": 0, "ttl": "0s", "rejectedTTL": "0s"},
            "authenticators": [
                {
                    "name": "corp",
                    "type": "LDAP",
                    "ldap": {
                        "preset": "OpenLDAP",
                        "baseDN": BASE,
                        "servers": [f"ldap://127.0.0.1:{through}" if through else server],
                        "insecure": through is not None,
                        "tls": {"caFile": str(setup.authority.certificate)},
                        "bind": {"dn": SERVICE, "passwordFile": "password"},
                        "users": {"base": PEOPLE},
                        "groups": {"search": [{"base": GROUPS, "nested": nested}]},
                        "pool": {"size": 16},
                        "passwordTokens": True,
                    },
                }
            ],
        },
        "logging": {"decisions": str(setup.folder / "decisions")},
    }
    file = setup.folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document))
    with (setup.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "authsvc", "serve", "--config", str(file)],
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _exchanges(setup: Setup, nested: str) -> str:
    """Count what one cold review asks of the directory once the pools are warm."""
    proxy = FaultyProxy(setup.slapd.port)
    counts = []
    with _service(setup, nested, cached=False, through=proxy.port) as port:
        for body in _bodies(setup.folder, 21).read_bytes().splitlines():
            proxy.forget()
            request = urllib.request.Request(  # noqa: S310  the service on loopback
                _url(port), body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request) as response:  # noqa: S310  as above
                assert json.load(response)["status"]["authenticated"]
            counts.append(sum(proxy.requests.values()))
    proxy.close()
    fewest, most = min(counts[1:]), max(counts[1:])
    return str(fewest) if fewest == most else f"{fewest}–{most}"


def _bodies(folder: Path, users: int) -> Path:
    file = folder / f"bodies-{users}.jsonl"
    with file.open("w") as lines:
        for number in range(users):
            token = base64.b64encode(f"u{number:04}:{CROWD_PASSWORD}".encode()).decode()
            review = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": token},
            }
            lines.write(json.dumps(review) + "\n")
    return file


def _counted(port: int) -> dict[str, float]:
    """Return what the service has counted since it started."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        text = response.read().decode()
    return {
        name: sum(float(number) for number in re.findall(pattern, text, re.MULTILINE))
        for name, pattern in _COUNTERS.items()
    }


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/authenticate"


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"),
        ):
            return
        time.sleep(0.05)
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
