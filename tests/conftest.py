"""Fixtures that every test may use: the real programs of tests/parts."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("authsvc", deadline=None)
settings.load_profile("authsvc")

pytest_plugins = [
    "tests.parts.authsvc_server",
    "tests.parts.chromium",
    "tests.parts.faulty_proxy",
    "tests.parts.issuer",
    "tests.parts.kubectl",
    "tests.parts.login_server",
    "tests.parts.ldap_authority",
    "tests.parts.openid_provider",
    "tests.parts.redis",
    "tests.parts.samba",
    "tests.parts.scripted_directory",
    "tests.parts.slapd",
    "tests.parts.web_server",
]
