"""No password is ever in a log line, an error or a traceback."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from authsvc.authn.ldap.settings import Attributes, Security, SimpleBind, UserSearch
from authsvc.errors import AuthsvcError
from tests.authn.ldap.conftest import USERS, MakeAuthenticator, by_search, server
from tests.parts.faulty_proxy import Fault, FaultyProxy
from tests.parts.ldap_people import SERVICE, SERVICE_PASSWORD
from tests.parts.slapd import Slapd

CANARY = "canary-3f9a"


SETTINGS: dict[str, dict[str, object]] = {
    "groups": {"groups": by_search(base="ou=nowhere")},
    "base": {"user": UserSearch(base="ou=nowhere", filter=USERS.filter)},
    "filter": {"user": UserSearch(base=USERS.base, filter="(broken={username}")},
    "attribute": {"attributes": Attributes(username="title")},
    "bind": {"bind": "wrong"},
}


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        *(pytest.param(fault, {}, id=fault.name) for fault in Fault),
        *(pytest.param(Fault.NONE, changes, id=name) for name, changes in SETTINGS.items()),
    ],
)
def test_whatever_goes_wrong_no_password_is_told(
    make_authenticator: MakeAuthenticator,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    changes: dict[str, object],
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy = faulty_proxy(slapd.port)
    proxy.fault = fault
    if changes.get("bind") == "wrong":
        file = slapd.folder / f"canary-{fault.name}"
        file.write_text(CANARY)
        changes = {"bind": SimpleBind(dn=SERVICE, password_file=file)}
    authenticator = make_authenticator(
        servers=(server(proxy.port, Security.PLAINTEXT),), deadline=0.3, **changes
    )
    told = ""

    with capture_logs() as logs:
        for password in (CANARY, f"{CANARY}\x00", f"\ud800{CANARY}"):
            try:
                told += repr(authenticator.authenticate_password("bob", password))
            except AuthsvcError as error:
                told += "".join(traceback.format_exception(error)) + repr(error)

    told += repr(logs) + caplog.text
    assert CANARY not in told
    assert SERVICE_PASSWORD not in told
