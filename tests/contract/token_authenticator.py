"""What every token authenticator must do, whatever stands behind it.

Subclass it and give the fixtures; pytest runs each test on your authenticator::

    class TestStaticTokens(TokenAuthenticatorContract):
        @pytest.fixture
        def authenticator(self, tmp_path): ...
        @pytest.fixture
        def good_token(self): ...
        @pytest.fixture
        def expected_user(self): ...
"""

from __future__ import annotations

import threading

import pytest

from authsvc.interfaces import Identity, TokenAuthenticator, UserInfo

AUDIENCE = "https://kubernetes.default.svc"


class TokenAuthenticatorContract:
    """Base of the suites; needs ``authenticator``, ``good_token`` and ``expected_user``."""

    @pytest.fixture
    def authenticator(self) -> TokenAuthenticator:
        raise NotImplementedError

    @pytest.fixture
    def good_token(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        raise NotImplementedError

    def test_a_good_token_is_its_users(
        self, authenticator: TokenAuthenticator, good_token: str, expected_user: UserInfo
    ) -> None:
        identity = authenticator.authenticate_token(good_token, ())
        assert identity is not None
        assert identity.user.username == expected_user.username
        assert identity.user.uid == expected_user.uid
        assert sorted(identity.user.groups) == sorted(expected_user.groups)

    def test_groups_are_a_tuple_of_distinct_strings(
        self, authenticator: TokenAuthenticator, good_token: str
    ) -> None:
        identity = authenticator.authenticate_token(good_token, ())
        assert identity is not None
        groups = identity.user.groups
        assert isinstance(groups, tuple)
        assert len(set(groups)) == len(groups)
        assert {type(group) for group in groups} <= {str}
        assert "" not in groups

    @pytest.mark.parametrize(
        "token",
        [
            "",
            " ",
            "x",
            "\x00",
            "é" * 100,
            "a.b.c",
            "eyJhbGciOiJub25lIn0.e30.",
            "=" * 40,
            "\ud800",
            "Og==",
        ],
        ids=[
            "empty",
            "space",
            "short",
            "nul",
            "unicode",
            "dots",
            "alg-none",
            "padding",
            "surrogate",
            "b64-colon",
        ],
    )
    def test_a_token_of_nobody_is_nobodys(
        self, authenticator: TokenAuthenticator, token: str
    ) -> None:
        assert authenticator.authenticate_token(token, ()) is None

    def test_a_token_with_something_before_or_after_it_is_nobodys(
        self, authenticator: TokenAuthenticator, good_token: str
    ) -> None:
        assert authenticator.authenticate_token(f"x{good_token}", ()) is None
        assert authenticator.authenticate_token(f"{good_token}\x00", ()) is None

    def test_the_audiences_of_an_answer_are_among_those_asked_for(
        self, authenticator: TokenAuthenticator, good_token: str
    ) -> None:
        identity = authenticator.authenticate_token(good_token, (AUDIENCE,))
        if identity is not None:
            assert set(identity.audiences) <= {AUDIENCE}

    def test_many_threads_get_the_same_answer(
        self, authenticator: TokenAuthenticator, good_token: str, expected_user: UserInfo
    ) -> None:
        answers: list[Identity | None] = []

        def ask() -> None:
            answers.append(authenticator.authenticate_token(good_token, ()))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        names = [answer.user.username for answer in answers if answer is not None]
        assert names == [expected_user.username] * 8
