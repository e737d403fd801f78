"""No provider can name the control plane, however it spells it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from authsvc.authn.guard import (
    MAX_TOKEN_BYTES,
    GuardedTokenAuthenticator,
    guard_user,
    is_reserved,
    is_reserved_key,
)
from authsvc.interfaces import Identity, UserInfo


class Says:
    """Says the same of every token; remembers what it was asked."""

    def __init__(self, answer: Identity | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.asked.append((token, tuple(audiences)))
        return self.answer


SPELLINGS = [
    "system:masters",
    "system:",
    "SYSTEM:masters",
    "SyStEm:node:x",
    " system:masters",
    "\tsystem:masters",
    "sys tem:masters",
    "\u00a0system:masters",
    "system\u200b:masters",
    "\u202esystem:masters",
    "\ufeffsystem:masters",
    "sy\u00adstem:masters",
    "sy\ufe0fstem:masters",
    "sy\u034fstem:masters",
    "s\u0301ystem:masters",
    "sýstem:masters",
    "\u115fsystem:masters",
    "\u3164system:masters",
    "\u2800system:masters",
    "system\uff1amasters",
    "ｓｙｓｔｅｍ:masters",
    "ſystem:masters",
    "𝐬𝐲𝐬𝐭𝐞𝐦:masters",
    "ⓢystem:masters",
    "syﬆem:masters",
    "\x00system:masters",
    "\nsystem:masters",
    "KubeADM:cluster-admins",
]


@pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
def test_a_name_of_the_control_plane_is_reserved_however_it_is_spelled(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "alice",
        "system",
        "systems:x",
        "my-system:x",
        "oidc:system:masters",
        "sys:tem",
        "система:x",
    ],
)
def test_other_names_are_not(name: str) -> None:
    assert not is_reserved(name)


INVISIBLE = st.characters(categories=["Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp"])


@given(st.data())
def test_no_spelling_of_system_passes(data: st.DataObject) -> None:
    letters = []
    for letter in "system:":
        forms = [
            form
            for form in (letter, letter.upper(), chr(ord(letter) + 0xFEE0))
            if unicodedata.normalize("NFKC", form).casefold() == letter
        ]
        letters += data.draw(st.lists(INVISIBLE, max_size=2))
        letters.append(data.draw(st.sampled_from(forms)))
    name = "".join(letters) + data.draw(st.text())
    assert is_reserved(name)
    assert guard_user(UserInfo(name)) is None
    guarded = guard_user(UserInfo("alice", groups=(name, "team-a")))
    assert guarded is not None
    assert guarded.groups == ("team-a",)


@given(st.text(), st.lists(st.text()))
def test_what_passes_the_guard_is_in_order(name: str, groups: list[str]) -> None:
    with capture_logs():
        user = guard_user(UserInfo(name, groups=tuple(groups)))
    if user is None:
        assert not name or is_reserved(name)
        return
    assert user.username == name
    assert list(user.groups) == sorted(set(user.groups))
    assert set(user.groups) == {group for group in groups if group and not is_reserved(group)}


@pytest.mark.parametrize(
    "user",
    [
        UserInfo("\ud800"),
        UserInfo("alice", uid="\udfff"),
        UserInfo("alice", groups=("team-a", "x\ud800")),
        UserInfo("alice", extra={"\ud800": ()}),
        UserInfo("alice", extra={"example.org/x": ("y", "\ud800")}),
    ],
    ids=ascii,
)
def test_a_user_of_what_is_no_text_is_refused(user: UserInfo) -> None:
    with capture_logs() as logged:
        assert guard_user(user, "corp") is None

    assert [line["event"] for line in logged] == ["user_of_no_text_refused"]
    assert str(logged).encode()


def test_what_is_dropped_is_logged_by_who_said_it() -> None:
    with capture_logs() as logged:
        guard_user(UserInfo("alice", groups=("system:masters",)), "corp")
        guard_user(UserInfo("system:admin"), "corp")
        guard_user(UserInfo("alice", extra={"k8s.io/x": ("y",), "team": ("a",)}), "corp")
    assert [(line["event"], line["authenticator"], line["user"]) for line in logged] == [
        ("reserved_groups_dropped", "corp", "alice"),
        ("reserved_user_refused", "corp", "system:admin"),
        ("reserved_extra_dropped", "corp", "alice"),
    ]
    assert logged[0]["groups"] == ["system:masters"]
    assert logged[2]["keys"] == ["k8s.io/x"]


def test_of_a_user_of_whom_nothing_is_dropped_nothing_is_logged() -> None:
    with capture_logs() as logged:
        guard_user(UserInfo("alice", groups=("team-a",), extra={"team": ("a",)}), "corp")

    assert logged == []


@pytest.mark.parametrize(
    ("key", "stays"),
    [
        ("authentication.kubernetes.io/node-name", False),
        ("kubernetes.io/x", False),
        ("Authentication.K8S.io/x", False),
        ("k8s.io", False),
        ("example.org/kubernetes.io", True),
        ("notkubernetes.io/x", True),
        ("department", True),
    ],
)
def test_extra_in_kubernetes_own_domains_is_dropped(key: str, stays: bool) -> None:
    with capture_logs():
        user = guard_user(UserInfo("alice", extra={key: ("x",)}))
    assert user is not None
    assert (key in user.extra) is stays
    assert is_reserved_key(key) is not stays


@pytest.mark.parametrize(
    "token",
    ["", "x" * (MAX_TOKEN_BYTES + 1), "é" * (MAX_TOKEN_BYTES // 2 + 1), "\ud800" * MAX_TOKEN_BYTES],
    ids=["empty", "long", "long in bytes", "surrogates"],
)
def test_what_is_no_token_reaches_no_back_end(token: str) -> None:
    provider = Says(Identity(UserInfo("alice")))
    assert GuardedTokenAuthenticator(provider).authenticate_token(token, ()) is None
    assert provider.asked == []


def test_a_token_of_the_longest_length_is_one() -> None:
    provider = Says(Identity(UserInfo("alice")))
    token = "x" * MAX_TOKEN_BYTES
    assert GuardedTokenAuthenticator(provider).authenticate_token(token, ()) is not None


def test_what_binds_an_identity_passes_the_guard() -> None:
    identity = Identity(UserInfo("alice", "1", ("b", "a")), ("aud",), 99.0)
    guarded = GuardedTokenAuthenticator(Says(identity)).authenticate_token("t", ("aud",))
    assert guarded == Identity(UserInfo("alice", "1", ("a", "b"), {}), ("aud",), 99.0)


@pytest.mark.parametrize(
    "answer", [None, Identity(UserInfo("system:admin")), Identity(UserInfo(""))]
)
def test_who_may_not_be_named_is_nobody(answer: Identity | None) -> None:
    with capture_logs():
        assert GuardedTokenAuthenticator(Says(answer)).authenticate_token("t", ()) is None


def test_an_explanation_ends_as_the_guard_does() -> None:
    user = UserInfo("alice", groups=("system:masters", "dev"), extra={"k8s.io/x": ("y",)})

    with capture_logs():
        refused = GuardedTokenAuthenticator(Says(Identity(UserInfo("system:x")))).explain("t", ())
        dropped = GuardedTokenAuthenticator(Says(Identity(user))).explain("t", ())
        too_long = GuardedTokenAuthenticator(Says(Identity(user))).explain("x" * 20_000, ())

    assert refused.identity is None
    assert refused.checks[-1][:2] == ("system: names", False)
    assert dropped.identity == Identity(UserInfo("alice", groups=("dev",)))
    assert [check.detail for check in dropped.checks[-2:]] == [
        "dropped the groups system:masters",
        "dropped the extra keys k8s.io/x",
    ]
    assert too_long.checks == (("token", False, "it is longer than 16384 bytes", ""),)
