"""Files of a configuration that hold secrets and that everybody on the machine can read.

What a group can read is not spoken of: a Secret that is mounted under an fsGroup
is so, and whom a group is made of is the administrator's to know. The issuer's
keys are stricter and refused by themselves.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from authsvc.authn.ldap.settings import LDAPSettings, SimpleBind
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.config.model import Configuration
from authsvc.store.redis import RedisSettings


def exposed(configuration: Configuration) -> list[Path]:
    """Return the files of secrets, and of the server's key, that others can read."""
    return [file for file in dict.fromkeys(_secrets(configuration)) if _is_open(file)]


def _secrets(configuration: Configuration) -> Iterator[Path]:
    if configuration.server.tls is not None:
        yield configuration.server.tls.key_file
    for named in configuration.authentication.authenticators:
        match named.settings:
            case StaticTokensSettings(file=file) | StaticPasswordsSettings(file=file):
                yield file
            case LDAPSettings(bind=SimpleBind(password_file=file)):
                yield file
    if isinstance(configuration.store, RedisSettings) and configuration.store.password_file:
        yield configuration.store.password_file
    if configuration.issuing is not None:
        clients = configuration.issuing.issuer.clients
        yield from (client.secret_file for client in clients if client.secret_file)


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:  # gone by now: who reads it will say so
        return False
