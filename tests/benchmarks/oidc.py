"""TokenReviews of OAuth tokens: JWTs by algorithm, and introspection, cold and from the cache.

``python -m tests.benchmarks.oidc``

oidc-provider, the service with one worker and without TLS, and wrk with 1 and
16 requests at a time, all on this machine. Cold: the cache is off, so each
review verifies a signature, or asks the provider. At the end: how often keys
were fetched for all of the reviews of JWTs, the scheduled refresh included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.authn.oidc import sign
from tests.benchmarks import load
from tests.parts.authsvc_server import free_port, token_review
from tests.parts.openid_provider import AUTHSVC_SECRET, OPAQUE, ROBOT_SECRET, OpenIDProvider

TOKENS = 500
ALGORITHMS = ("RS256", "ES256", "EdDSA")
OFF = {"size": 0, "ttl": "0s", "rejectedTTL": "0s"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load for each figure")
    seconds = parser.parse_args().seconds
    print("| reviews | at once | per second | p50 | p99 | failed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        provider = OpenIDProvider(folder, ttl={"ClientCredentials": 3600}).start()
        try:
            total = _jwts(folder, provider, seconds)
            fetches = provider.requests("/jwks")
            _introspection(folder, provider, seconds)
        finally:
            provider.stop()
    services = 2 * (len(ALGORITHMS) + 1)
    print(f"\nkeys were fetched {fetches} times for {total:,.0f} reviews of JWTs, by {services}")
    print("services that were started for them: once at the start of each worker, then every")
    print("refreshInterval (5m), however many reviews there are")


def _jwts(folder: Path, provider: OpenIDProvider, seconds: float) -> float:
    total = 0.0
    settings = _oidc(provider)
    for algorithm in ALGORITHMS:
        bodies = _bodies(folder / f"{algorithm}.jsonl", _signed(provider, algorithm))
        for at_once in (1, 16):
            what = f"JWT {algorithm}, cold"
            total += _row(folder, what, settings, bodies, at_once, seconds, cached=False)
    bodies = _bodies(folder / "cached.jsonl", _signed(provider, ALGORITHMS[0]))
    for at_once in (1, 16):
        total += _row(folder, "JWT, cached", settings, bodies, at_once, seconds, cached=True)
    return total


def _signed(provider: OpenIDProvider, algorithm: str) -> list[str]:
    claims: dict[str, Any] = {"groups": ["a", "b"], "exp": int(time.time()) + 3600}
    return [
        sign(provider, algorithm=algorithm, sub=f"u{number}", **claims) for number in range(TOKENS)
    ]


def _introspection(folder: Path, provider: OpenIDProvider, seconds: float) -> None:
    (folder / "secret").write_text(AUTHSVC_SECRET, encoding="utf-8")
    tokens = [
        provider.grants.client_credentials("robot", ROBOT_SECRET, resource=OPAQUE)["access_token"]
        for _ in range(TOKENS)
    ]
    bodies = _bodies(folder / "opaque.jsonl", tokens)
    settings = {
        "name": "opaque",
        "type": "OAuth2Introspection",
        "oauth2Introspection": {
            "url": f"{provider.issuer}/token/introspection",
            "client": {"id": "authsvc", "secretFile": str(folder / "secret")},
            "audiences": ["kubernetes"],
            "claimMappings": {"username": {"claim": "client_id", "prefix": ""}},
        },
    }
    for what, cached in (("introspection, cold", False), ("introspection, cached", True)):
        for at_once in (1, 16):
            _row(folder, what, settings, bodies, at_once, seconds, cached=cached)


def _row(
    folder: Path,
    what: str,
    settings: dict[str, Any],
    bodies: Path,
    at_once: int,
    seconds: float,
    *,
    cached: bool,
) -> float:
    """Measure and print one line; return how many reviews it was."""
    with _service(folder, settings, cached=cached) as url:
        load.run(url, bodies, connections=at_once, seconds=1)
        measured = load.run(url, bodies, connections=at_once, seconds=seconds)
    print(
        f"| {what} | {at_once} | {measured.rate:,.0f} | {measured.p50:.2f} ms "
        f"| {measured.p99:.2f} ms | {measured.failed} |",
        flush=True,
    )
    return measured.rate * (seconds + 1)


def _oidc(provider: OpenIDProvider) -> dict[str, Any]:
    return {
        "name": "sso",
        "type": "OIDC",
        "oidc": {
            "issuer": {"url": provider.issuer, "audiences": ["kubernetes"]},
            "claimMappings": {
                "username": {"claim": "sub", "prefix": "sso:"},
                "groups": {"claim": "groups", "prefix": "sso:"},
            },
        },
    }


def _bodies(file: Path, tokens: Sequence[str]) -> Path:
    file.write_text(
        "".join(json.dumps(token_review(token)) + "\n" for token in tokens), encoding="ascii"
    )
    return file


@contextlib.contextmanager
def _service(folder: Path, authenticator: dict[str, Any], *, cached: bool) -> Iterator[str]:
    port = free_port()
    document = {
        "apiVersion": "config.authsvc.io/v1alpha1",
        "kind": "AuthsvcConfiguration",
        "server": {"bind": f"127.0.0.1:{port}", "workers": 1},
        "authentication": {
            "authenticators": [authenticator],
            "cache": {} if cached else OFF,
        },
        "logging": {"decisions": str(folder / "decisions")},
    }
    file = folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "authsvc", "serve", "--config", str(file)],
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}/authenticate"
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(url),  # noqa: S310  the service on loopback
        ):
            return
        time.sleep(0.05)
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
