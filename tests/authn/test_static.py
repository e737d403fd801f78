"""Static tokens: the table, its faults with their lines, and its reload."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.authn.cache import CachedTokenAuthenticator
from authsvc.authn.guard import GuardedTokenAuthenticator
from authsvc.authn.static import (
    StaticTokenAuthenticator,
    hash_token,
    read,
)
from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.authn.union import UnionTokenAuthenticator
from authsvc.errors import InvalidPolicyError, NotReadyError
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.waiting import eventually

TOKEN = "31ada4fd-adec-460c-809a-9e56ceb75269"
ALICE = UserInfo("alice", "1001", ("developers", "team-a"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.csv"
    file.write_text(f'{TOKEN},alice,1001,"team-a,developers"\n')
    return file


@pytest.fixture
def static(table: Path) -> Iterator[StaticTokenAuthenticator]:
    authenticator = StaticTokenAuthenticator(StaticTokensSettings(table))
    authenticator.table.load()
    yield authenticator
    authenticator.table.close()


class TestStaticTokens(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, static: StaticTokenAuthenticator) -> TokenAuthenticator:
        return static

    @pytest.fixture
    def good_token(self) -> str:
        return TOKEN

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        return ALICE


class TestTheWholeChain(TestStaticTokens):
    """Cached, guarded and united: what a service is made of."""

    @pytest.fixture
    def authenticator(self, static: StaticTokenAuthenticator) -> TokenAuthenticator:
        guarded = GuardedTokenAuthenticator(static, "tokens")
        union = UnionTokenAuthenticator([("tokens", guarded), ("again", guarded)])
        return CachedTokenAuthenticator(union)


def errors_of(file: Path) -> list[tuple[int, str]]:
    with pytest.raises(InvalidPolicyError) as caught:
        read(file)
    assert all(error.file == str(file) for error in caught.value.errors)
    return [(error.line, error.message) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("row", "user"),
    [
        ("t,bob,", UserInfo("bob")),
        ("t,bob,7", UserInfo("bob", "7")),
        ('t,bob,7,"b,a,b"', UserInfo("bob", "7", ("a", "b"))),
        ("t,bob,7,a", UserInfo("bob", "7", ("a",))),
        ('t,bob,7,""', UserInfo("bob", "7")),
        ('t,bob,,"a, ,b"', UserInfo("bob", "", ("a", "b"))),
        (' t , bob , 7 , "a, b"', UserInfo("bob", "7", ("a", "b"))),
        ('t,"CN=bob,OU=People",', UserInfo("CN=bob,OU=People")),
        ('t,"say ""hi""",', UserInfo('say "hi"')),
        ("t,bøb\u2028\u0085x,", UserInfo("bøb\u2028\u0085x")),
    ],
)
def test_a_row_is_a_token_and_its_user(tmp_path: Path, row: str, user: UserInfo) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text(f"{row}\n", encoding="utf-8")
    assert read(file) == {hash_token("t"): user}


def test_a_table_may_have_comments_blank_lines_a_bom_and_windows_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_bytes(b'\xef\xbb\xbft,bob,\r\n# who "left": x,y\r\n\r\n   \r\nu,eve,')
    assert {user.username for user in read(file).values()} == {"bob", "eve"}


@pytest.mark.parametrize("word", ["sha256:", "SHA256:"])
def test_a_hashed_token_is_known_by_the_token_and_not_by_its_hash(
    static: StaticTokenAuthenticator, table: Path, word: str
) -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    table.write_text(f"{word}{digest.upper()},alice,\n")
    static.table.reload()
    assert static.authenticate_token(TOKEN, ()) is not None
    for pretender in (digest, f"{word}{digest}", f"{word}{digest.upper()}"):
        assert static.authenticate_token(pretender, ()) is None


def test_every_fault_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text(
        "one,alice,\n"
        "two,bob\n"
        'three,"multi\nline",1\n'
        ",nobody,\n"
        "four,,\n"
        "five,x,1,g,more\n"
        "Token, User, UID, Groups\n"
        "six,bob,1001 # since May\n"
        "seven,bob,1001,devs # since May\n"
        "eight,bob#1,10#01,dev#1\n"
        "sha256:12,bob,\n"
        "one,mallory,\n"
        f"sha256:{hashlib.sha256(b'one').hexdigest()},mallory,\n"
    )
    behind = "a comment behind a row would be read as part of it: give it a line of its own"
    assert errors_of(file) == [
        (2, 'expected token,user,uid,"group1,group2", got 2 cells'),
        (5, "the token is empty"),
        (6, "the user is empty"),
        (7, 'expected token,user,uid,"group1,group2", got 5 cells'),
        (8, "a header, which would be a token: put # in front of it"),
        (9, behind),
        (10, behind),
        (12, "expected 64 hexadecimal digits after sha256:"),
        (13, "the same token as in line 1"),
        (14, "the same token as in line 1"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 0, "empty: a comment in it would say that no token is meant"),
        (b"\xef\xbb\xbf", 0, "empty"),
        (b" \n\r\n", 0, "empty"),
        (b"canary,alice,\ncanary2,al", 2, "got 2 cells"),
        (b'canary,alice,\n"canary2,al\n', 2, "unexpected end of data"),
        (b'canary,"al"ice,\n', 1, "expected after"),
        (b"canary,al\xffice,\n", 0, "not UTF-8 at byte 9"),
    ],
    ids=["emptied", "of a mark alone", "blank", "cut", "open quote", "stray quote", "latin-1"],
)
def test_a_table_that_can_not_be_meant_is_refused_without_quoting_it(
    tmp_path: Path, content: bytes, line: int, message: str
) -> None:
    file = tmp_path / "tokens.csv"
    file.write_bytes(content)
    ((where, what),) = errors_of(file)
    assert where == line
    assert message in what
    assert "canary" not in what


def test_a_table_of_comments_alone_is_meant_to_be_empty(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text("# nobody yet\n")
    assert read(file) == {}


def test_a_fault_without_words_of_the_system_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bytes:
        raise OSError

    monkeypatch.setattr(Path, "read_bytes", fail)

    assert errors_of(tmp_path / "tokens.csv") == [(0, "cannot be read")]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert errors_of(tmp_path / "none.csv") == [(0, "no such file or directory")]


def test_a_bad_edit_keeps_the_old_table_and_a_good_one_is_live(
    static: StaticTokenAuthenticator, table: Path
) -> None:
    static.table.start()
    table.write_text("one,alice,\none,bob,\n")
    eventually(lambda: static.table.last_error, "the error is known")
    assert static.authenticate_token(TOKEN, ()) is not None
    table.write_text("new,bob,\n")
    eventually(lambda: static.authenticate_token("new", ()), "the new table is live")
    assert static.authenticate_token(TOKEN, ()) is None


def test_a_table_never_loaded_is_no_verdict(table: Path) -> None:
    with pytest.raises(NotReadyError):
        StaticTokenAuthenticator(StaticTokensSettings(table)).authenticate_token(TOKEN, ())


NO_QUOTES = st.characters(exclude_characters='"\r\n\x00', exclude_categories=["Cs"])


@given(token=st.text(NO_QUOTES, min_size=1), user=st.text(NO_QUOTES, min_size=1))
def test_a_quoted_token_and_user_are_read_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, token: str, user: str
) -> None:
    file = tmp_path_factory.mktemp("table") / "tokens.csv"
    file.write_text(f'"{token}","{user}",\n', encoding="utf-8")
    token, user = token.strip(), user.strip()
    if token.lower().startswith(("#", "sha256:")) or not token or not user:
        return
    assert read(file) == {hash_token(token): UserInfo(user)}
