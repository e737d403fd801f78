"""A real OpenID provider for the tests: npm's ``oidc-provider`` on a free loopback port.

    def test_something(openid_provider: OpenIDProvider) -> None:
        tokens = openid_provider.grants.authorization_code("alice")
        tokens["id_token"], tokens["refresh_token"]

``openid_provider`` is one provider for the whole run: do not rotate its keys
and do not change its lifetimes. ``new_openid_provider`` makes one of a test's
own (0.5 s), which may be stopped, rotated and changed at will::

    provider = new_openid_provider(ttl={"AccessToken": 2, "IdToken": 2})

What it knows
    Users: any login name is a user and becomes ``sub`` and
    ``preferred_username``; any password is right but ``wrong``. The accounts in
    ``ACCOUNTS`` have groups and an e-mail address besides.
    Clients: ``CLIENTS``, whose public ones use PKCE; ``kubectl`` may redirect
    to any port of http://127.0.0.1, [::1] or localhost, at /, /callback and
    /oauth2/callback, and has code, device and refresh grants.
    Resources (RFC 8707): ``resource=RS256`` (or ES256, EDDSA) in a grant gives a
    JWT access token (RFC 9068) for the audience ``kubernetes`` with the user's
    claims, ``resource=OPAQUE`` an opaque one whose introspection tells them, and
    none an opaque one that is good for userinfo only.
    Refresh tokens rotate with each use; using one twice revokes its family.

In a browser
    The login page has ``#login``, ``#password``, ``#continue`` and ``#deny``;
    consent is never asked. The device page (``verification_uri_complete``) has
    ``#continue`` twice, then the login page; its end has the title ``Signed in``.

Without a browser, ``provider.grants`` walks the same pages over HTTP.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from joserfc.jwk import ECKey, Key, KeyParameters, OKPKey, RSAKey

from tests.parts.openid_provider.grants import Grants
from tests.parts.openid_provider.install import node, node_modules

RS256 = "https://rs256.kubernetes.test"
ES256 = "https://es256.kubernetes.test"
EDDSA = "https://eddsa.kubernetes.test"
OPAQUE = "https://opaque.kubernetes.test"
OTHER = "https://other.test"

RESOURCES = {
    RS256: {"audience": "kubernetes", "format": "jwt", "alg": "RS256"},
    ES256: {"audience": "kubernetes", "format": "jwt", "alg": "ES256"},
    EDDSA: {"audience": "kubernetes", "format": "jwt", "alg": "EdDSA"},
    OPAQUE: {"audience": "kubernetes", "format": "opaque"},
    OTHER: {"audience": "other", "format": "opaque"},
}

ACCOUNTS: dict[str, dict[str, Any]] = {
    "alice": {
        "email": "alice@example.com",
        "email_verified": True,
        "name": "Alice Ångström",
        "groups": ["dev", "ops"],
        "realm_access": {"roles": ["viewer"]},
    },
    "bob": {"email": "bob@example.com", "email_verified": False, "groups": ["dev"]},
    "mallory": {"groups": ["system:masters", "dev"]},
}

_LOOPBACKS = ("http://127.0.0.1", "http://[::1]", "http://localhost")
_NATIVE = {
    "application_type": "native",
    "token_endpoint_auth_method": "none",
    "redirect_uris": [
        f"{host}{path}" for host in _LOOPBACKS for path in ("/", "/callback", "/oauth2/callback")
    ],
    "grant_types": [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    "response_types": ["code"],
}
_MACHINE: dict[str, Any] = {
    "redirect_uris": [],
    "response_types": [],
    "grant_types": ["client_credentials"],
}

ROBOT_SECRET = "the secret of robot, long enough for HS256"
AUTHSVC_SECRET = "s3cret:with/odd+characters %& for RFC 6749 2.3.1"

CLIENTS: tuple[dict[str, Any], ...] = (
    {"client_id": "kubectl", **_NATIVE},
    {"client_id": "kubectl-es256", **_NATIVE, "id_token_signed_response_alg": "ES256"},
    {"client_id": "kubectl-eddsa", **_NATIVE, "id_token_signed_response_alg": "EdDSA"},
    {"client_id": "robot", "client_secret": ROBOT_SECRET, **_MACHINE},
    {
        "client_id": "authsvc",  # asks for introspection
        "client_secret": AUTHSVC_SECRET,
        "token_endpoint_auth_method": "client_secret_basic",
        **_MACHINE,
    },
    {
        "client_id": "authsvc-post",
        "client_secret": AUTHSVC_SECRET,
        "token_endpoint_auth_method": "client_secret_post",
        **_MACHINE,
    },
)

_TTL = {
    "AccessToken": 600,
    "AuthorizationCode": 60,
    "ClientCredentials": 600,
    "DeviceCode": 600,
    "Grant": 3600,
    "IdToken": 600,
    "Interaction": 600,
    "RefreshToken": 3600,
    "Session": 3600,
}


def new_keys() -> list[Key]:
    """Make a signing key of each kind that the provider signs with."""
    parameters: KeyParameters = {"use": "sig"}
    return [
        RSAKey.generate_key(2048, parameters, auto_kid=True),
        ECKey.generate_key("P-256", parameters, auto_kid=True),
        OKPKey.generate_key("Ed25519", parameters, auto_kid=True),
    ]


class OpenIDProvider:
    """A running provider; ``issuer`` is its URL, ``grants`` gets tokens from it."""

    def __init__(
        self,
        folder: Path,
        *,
        keys: Sequence[Key] = (),
        clients: Sequence[Mapping[str, Any]] = (),
        ttl: Mapping[str, int] | None = None,
        tls: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        """Prepare a provider with ``clients`` besides CLIENTS and lifetimes ``ttl`` in seconds.

        ``tls``: paths of ``certificate`` and ``key``; then it also takes
        self-signed client certificates (RFC 8705). ``port`` brings a stopped
        provider back where it was, together with its ``keys``.
        """
        self.keys = list(keys) or new_keys()
        self.issuer = ""
        self._file = folder / "provider.json"
        self._configuration = {
            "port": port,
            "tls": tls,
            "clients": [*CLIENTS, *clients],
            "accounts": ACCOUNTS,
            "resources": RESOURCES,
            "ttl": {**_TTL, **(ttl or {})},
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        configuration = {**self._configuration, "keys": self._private(self.keys)}
        self._file.write_text(json.dumps(configuration), encoding="utf-8")
        with self._file.with_suffix(".log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [node(), "provider.mjs", str(self._file)],
                cwd=node_modules().parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.issuer = self._read()["issuer"]
        self.grants = Grants(self.issuer)
        return self

    def stop(self) -> None:
        """Stop it, so that its port refuses connections."""
        process, self._process = self._process, None
        if process is not None:
            self.grants.close()
            process.communicate(timeout=30)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.issuer.rpartition(":")[2])

    def key(self, kty: str) -> Key:
        """Return the private key of a type (RSA, EC, OKP) that the provider signs with."""
        return next(key for key in self.keys if key.key_type == kty)

    def rotate_keys(self) -> None:
        """Sign with new keys from now on; the old ones are no longer published."""
        self.keys = new_keys()
        self._command({"command": "keys", "keys": self._private(self.keys)})

    def set_ttl(self, **seconds: int) -> None:
        """Change lifetimes, by the names of oidc-provider (``AccessToken=2``)."""
        self._command({"command": "ttl", "ttl": seconds})

    def set_account(self, login: str, **claims: Any) -> None:
        """Change what is known of a user."""
        self._command({"command": "accounts", "accounts": {login: claims}})

    def requests(self, path: str) -> int:
        """Return how many requests a path (``/jwks``, ``/token/introspection``) has had."""
        count = self._command({"command": "requests"}).get(path, 0)
        assert isinstance(count, int)
        return count

    def _private(self, keys: Sequence[Key]) -> list[dict[str, Any]]:
        return [dict(key.as_dict(private=True)) for key in keys]

    def _command(self, command: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            log = self._file.with_suffix(".log").read_text(encoding="utf-8")
            pytest.fail(f"the OpenID provider ended:\n{log}")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


NewOpenIDProvider = Callable[..., OpenIDProvider]


@pytest.fixture(scope="session")
def openid_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIDProvider]:
    """One provider for the whole run, left as it is by every test."""
    provider = OpenIDProvider(tmp_path_factory.mktemp("openid-provider")).start()
    yield provider
    provider.stop()


@pytest.fixture
def new_openid_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewOpenIDProvider]:
    """Make providers of a test's own; the arguments are those of OpenIDProvider."""
    made: list[OpenIDProvider] = []

    def make(**arguments: Any) -> OpenIDProvider:
        made.append(OpenIDProvider(tmp_path_factory.mktemp("openid-provider"), **arguments))
        return made[-1].start()

    yield make
    for provider in made:
        provider.stop()
