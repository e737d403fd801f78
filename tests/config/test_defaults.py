"""A default stands twice, in a version's wire form and in the settings: both are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.authn.claims import ClaimMappings
from authsvc.config import KIND, load, v1alpha1

BARE: dict[str, dict[str, Any]] = {
    "GitHub": {"organizations": ["acme"]},
    "GitLab": {"groups": ["acme"]},
    "Issued": {},
    "LDAP": {
        "servers": ["ldaps://ldap.test"],
        "bind": {"type": "Anonymous"},
        "users": {"base": "dc=test", "filter": "(uid={username})"},
    },
    "OAuth2Introspection": {
        "url": "https://id.test/introspect",
        "client": {"id": "authsvc", "secretFile": "secret"},
        "clientIDs": ["app"],
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
    },
    "OIDC": {
        "issuer": {"url": "https://id.test", "audiences": ["kubernetes"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
    },
    "StaticPasswords": {"file": "secret"},
    "StaticTokens": {"file": "secret"},
}
"""What each type needs, and no more."""

SAID = {"client_ids", "store", "issuing", "file"}
"""Fields that are there because something has to be."""


def otherwise(value: object, path: str = "") -> Iterator[str]:
    """Yield the fields below a value that are not what their settings have for a default."""
    if isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from otherwise(each, f"{path}[{index}]")
    if not dataclasses.is_dataclass(value) or isinstance(value, type | ClaimMappings):
        return  # a forge's mappings are the default of its settings as a whole
    for field in dataclasses.fields(value):
        found, place = getattr(value, field.name), f"{path}.{field.name}"
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if default not in (dataclasses.MISSING, found) and field.name not in SAID:
            yield f"{type(value).__name__}{place}: {found!r}, not {default!r}"
        yield from otherwise(found, place)


@pytest.mark.parametrize(
    "store",
    [
        {"type": "SQLite", "sqlite": {"file": "store.db"}},
        {"type": "Redis", "redis": {"url": "rediss://r.test"}},
    ],
    ids=lambda store: store["type"],
)
def test_what_a_file_leaves_out_is_what_the_settings_have_for_it(
    tmp_path: Path, store: dict[str, Any]
) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "keys").mkdir()
    (tmp_path / "authsvc.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": v1alpha1.API_VERSION,
                "kind": KIND,
                "authentication": {
                    "authenticators": [
                        {
                            "name": type_.lower(),
                            "type": type_,
                            v1alpha1.authentication.field_of(type_): bare,
                        }
                        for type_, bare in BARE.items()
                    ]
                },
                "issuer": {
                    "url": "https://auth.test",
                    "keys": "keys",
                    "passwords": ["staticpasswords"],
                },
                "store": store,
            }
        )
    )

    configuration = load(tmp_path / "authsvc.yaml")

    assert len(configuration.authentication.authenticators) == len(BARE)
    assert list(otherwise(configuration)) == []
