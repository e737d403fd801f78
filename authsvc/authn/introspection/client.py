"""How authsvc authenticates itself to a provider's endpoint.

A secret or key follows its file, so it can be rotated under a running service.
It goes into requests and nowhere else.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote_plus
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError

from authsvc.authn.introspection.settings import ClientAuthentication, ClientMethod
from authsvc.jose import Algorithms, PrivateKey, algorithm_of, read_private_key
from authsvc.reloading import Reloading
from authsvc.secret_files import read_secret, secret_in, unusable

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60


class Proof(NamedTuple):
    """What a request carries to say whose it is."""

    form: Mapping[str, str]
    headers: Mapping[str, str]


class Client(Protocol):
    """Makes proofs for one endpoint."""

    @property
    def files(self) -> tuple[Reloading[Any], ...]:
        """The files it follows."""
        ...

    def proof(self) -> Proof:
        """Make a proof for one request."""
        ...


def client_for(settings: ClientAuthentication, endpoint: str, name: str) -> Client:
    """Make the client that settings speak of."""
    if settings.method is ClientMethod.TLS:
        return TLSClient(settings.client_id)
    if settings.method is ClientMethod.PRIVATE_KEY_JWT:
        return PrivateKeyJWTClient(settings, endpoint, name)
    return SecretClient(settings, name)


class TLSClient:
    """Is known by the certificate of its connections (RFC 8705 2)."""

    def __init__(self, client_id: str) -> None:
        self.files = ()
        self._proof = Proof({"client_id": client_id}, {})

    def proof(self) -> Proof:
        """Name the client."""
        return self._proof


class SecretClient:
    """Shows its secret, in a header or in the form (RFC 6749 2.3.1)."""

    def __init__(self, settings: ClientAuthentication, name: str) -> None:
        file = settings.file
        assert file is not None  # noqa: S101  the settings' own promise for this method
        self._basic = settings.method is ClientMethod.BASIC
        self._id = settings.client_id
        self._secret = secret_in(file, f"authenticator/{name}/secret")
        self.files = (self._secret,)

    def proof(self) -> Proof:
        """Show the secret."""
        secret = self._secret.current
        if not self._basic:
            return Proof({"client_id": self._id, "client_secret": secret}, {})
        pair = f"{quote_plus(self._id)}:{quote_plus(secret)}".encode("ascii")
        return Proof({}, {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")})


class PrivateKeyJWTClient:
    """Signs an assertion for each request (RFC 7523 2.2)."""

    def __init__(self, settings: ClientAuthentication, endpoint: str, name: str) -> None:
        file = settings.file
        assert file is not None  # noqa: S101  the settings' own promise for this method
        self._settings = settings
        self._audience = settings.assertion_audience or endpoint
        self._signer: Reloading[_Signer] = Reloading(
            f"authenticator/{name}/secret", lambda: _signer(file, settings.algorithm), [file]
        )
        self.files = (self._signer,)

    def proof(self) -> Proof:
        """Sign an assertion that is good for a minute and for one use."""
        client_id, now = self._settings.client_id, int(time.time())
        key, algorithm = self._signer.current
        header = {"alg": algorithm}
        if self._settings.key_id:
            header["kid"] = self._settings.key_id
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": self._audience,
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        assertion = jwt.encode(header, claims, key, registry=Algorithms([algorithm]))
        form = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        return Proof({"client_id": client_id, **form}, {})


class _Signer(NamedTuple):
    """A private key, and the algorithm it signs with."""

    key: PrivateKey
    algorithm: str


def _signer(file: Path, algorithm: str) -> _Signer:
    try:
        key = read_private_key(read_secret(file).encode())
    except ValueError as error:
        raise unusable(file, str(error)) from None
    algorithm = algorithm or algorithm_of(key)
    try:
        Algorithms([algorithm]).get_alg(algorithm).check_key(key)
    except JoseError:
        raise unusable(file, f"not a key for {algorithm}") from None
    return _Signer(key, algorithm)
