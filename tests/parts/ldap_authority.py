"""The certificates of the test directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parts.certificates import Authority


class LDAPAuthority(Authority):
    """The authority of the test directory, with what it signed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "ldap CA")
        self.server = self.issue("ldap", "localhost", "127.0.0.1")
        self.elsewhere = self.issue("elsewhere", "ldap.example.com")
        self.client = self.issue("authsvc")
        self.stranger = Authority(folder, "another CA").issue("stranger", "localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def ldap_authority(tmp_path_factory: pytest.TempPathFactory) -> LDAPAuthority:
    """Make the certificates of the test directory."""
    return LDAPAuthority(tmp_path_factory.mktemp("ldap-pki"))
