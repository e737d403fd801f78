"""``http``: how an identity provider is reached."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from authsvc.authn.http_settings import HTTPSettings, url_fault
from authsvc.decoding.structs import Duration, Place, Wire, seconds
from authsvc.errors import InvalidConfigurationError
from authsvc.secret_files import read_secret


class HTTP(Wire, frozen=True):
    """TLS, proxy and time for the requests to one provider.

    A proxy that needs a password is named in a file, since the URL holds it.
    """

    ca_file: str = msgspec.field(name="caFile", default="")
    client_cert_file: str = ""
    client_key_file: str = ""
    proxy_url: str = msgspec.field(name="proxyURL", default="")
    proxy_url_file: str = msgspec.field(name="proxyURLFile", default="")
    timeout: Duration = "5s"

    def to_settings(self, at: Place, ca_data: str = "") -> HTTPSettings:
        """Convert to the internal model; ``ca_data`` is a CA that was given elsewhere."""
        if bool(self.client_cert_file) != bool(self.client_key_file):
            at.error("clientCertFile and clientKeyFile belong together")
        if ca_data and self.ca_file:
            at.field("caFile").error("a CA is given twice")
        return HTTPSettings(
            ca_file=_file(at.field("caFile"), self.ca_file),
            ca_data=ca_data,
            client_cert_file=_file(at.field("clientCertFile"), self.client_cert_file),
            client_key_file=_file(at.field("clientKeyFile"), self.client_key_file),
            proxy=self._proxy(at),
            timeout=seconds(self.timeout),
        )

    def _proxy(self, at: Place) -> str:
        if self.proxy_url:
            if self.proxy_url_file:
                at.field("proxyURLFile").error("a proxy is given twice")
            _check_proxy(self.proxy_url, at.field("proxyURL"), secret=False)
            return self.proxy_url
        if not self.proxy_url_file:
            return ""
        place = at.field("proxyURLFile")
        file = place.existing_file(self.proxy_url_file)
        if place.has_errors():
            return ""
        try:
            url = read_secret(file)
        except InvalidConfigurationError as error:
            place.error(str(error))
            return ""
        _check_proxy(url, place, secret=True)
        return url


def checked_url(url: str, at: Place) -> str:
    """Return the URL; record an error where it may not be asked."""
    if fault := url_fault(url):
        at.error(fault)
    return url


def _check_proxy(url: str, at: Place, *, secret: bool) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or url.split() != [url]:
        at.error("expected the URL of an HTTP proxy, such as http://proxy.example.com:3128")
    elif parts.username is not None and not secret:
        at.error("must hold no user or password; put the URL into a file, in proxyURLFile")


def _file(at: Place, name: str) -> Path | None:
    return at.existing_file(name) if name else None
