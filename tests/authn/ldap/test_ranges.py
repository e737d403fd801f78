"""Groups that a directory gives in parts are all of them, or a failure.

Active Directory does so from 1,500 values on (its MaxValRange); here a scripted
server does, since Samba does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from authsvc.attempts import Curve, MemoryAttemptCounter
from authsvc.authn.ldap import ranges
from authsvc.authn.ldap.authenticator import LDAPAuthenticator
from authsvc.authn.ldap.settings import (
    Groups,
    LDAPSettings,
    MemberOf,
    NoBind,
    Security,
    UserTemplate,
)
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import server
from tests.parts.scripted_directory import Asked, Found, ScriptedDirectory

GROUPS = [f"cn=g{number:04},dc=x" for number in range(4_000)]
FIRST = Found({"uid": ["eve"], "memberOf": [], "memberOf;range=0-1499": GROUPS[:1_500]})

NewDirectory = Callable[[Callable[[Asked], Found]], ScriptedDirectory]


@pytest.fixture
def log_in(scripted_directory: NewDirectory) -> Iterator[Callable[..., tuple[str, ...]]]:
    """Give a function that returns the groups of eve at a directory that answers so."""
    made: list[LDAPAuthenticator] = []

    def groups(following: Callable[[Asked], Found], deadline: float = 5.0) -> tuple[str, ...]:
        def answer(asked: Asked) -> Found:
            is_first = not any(";range=" in name for name in asked.attributes)
            return FIRST if is_first else following(asked)

        settings = LDAPSettings(
            servers=(server(scripted_directory(answer).port, Security.PLAINTEXT),),
            bind=NoBind(),
            user=UserTemplate(dn="cn={username},dc=x"),
            groups=Groups(sources=(MemberOf(name="dn"),)),
            deadline=deadline,
        )
        made.append(LDAPAuthenticator(settings, MemoryAttemptCounter(Curve())))
        user = made[-1].authenticate_password("eve", "password")
        assert user is not None
        return user.groups

    yield groups
    for authenticator in made:
        authenticator.close()


def test_all_parts_are_asked_for_and_put_together(log_in: Callable[..., tuple[str, ...]]) -> None:
    parts = {
        "memberof;range=1500-*": Found({"memberOf;range=1500-2999": GROUPS[1_500:3_000]}),
        "memberof;range=3000-*": Found({"memberOf": [], "memberOf;range=3000-*": GROUPS[3_000:]}),
    }
    asked: list[Asked] = []

    def following(search: Asked) -> Found:
        asked.append(search)
        (name,) = search.attributes
        return parts[name]

    assert log_in(following) == tuple(GROUPS)
    assert [each.base for each in asked] == ["cn=eve,dc=x"] * 2


@pytest.mark.parametrize(
    "following",
    [
        *(Found(None, code) for code in (0, 1, 11, 32, 50, 51)),
        Found({"memberOf;range=1500-*": GROUPS[1_500:]}, 1),
        Found({}),
        Found({"memberOf": GROUPS}),
        Found({"memberOf;range=1500-*": []}),
        Found({"memberOf;range=1501-*": GROUPS[1_501:]}),
        Found({"memberOf;range=1500-2999": GROUPS[1_500:2_000]}),
        Found({"memberOf;range=0-1499": GROUPS[:1_500]}),
        Found({"memberOf;range=all": GROUPS}),
        Found({"member;range=1500-*": GROUPS[1_500:]}),
    ],
    ids=lambda found: f"{found.code} {list(found.attributes or ['no entry'])}",
)
def test_a_part_that_does_not_come_is_a_failure_and_not_fewer_groups(
    log_in: Callable[..., tuple[str, ...]], following: Found
) -> None:
    with pytest.raises(BackendError):
        log_in(lambda _: following)


def test_parts_without_an_end_are_a_failure(log_in: Callable[..., tuple[str, ...]]) -> None:
    def one_more(search: Asked) -> Found:
        position = search.attributes[0].removeprefix("memberof;range=").removesuffix("-*")
        return Found({f"memberOf;range={position}-{position}": ["cn=more,dc=x"]})

    with pytest.raises(BackendError, match=f"more than {ranges.MAX_PARTS} parts"):
        log_in(one_more, deadline=60)


def test_parts_come_before_the_deadline_of_the_login_or_not_at_all(
    log_in: Callable[..., tuple[str, ...]],
) -> None:
    over = threading.Event()

    def hang(_: Asked) -> Found:
        over.wait(60)
        return Found(None)

    try:
        with pytest.raises(BackendError, match=r"in time|took more"):
            log_in(hang, deadline=0.5)
    finally:
        over.set()
