"""Directories as one: order, failures, and names that belong to nobody here."""

from __future__ import annotations

import pytest

from authsvc.attempts import TooManyAttemptsError
from authsvc.authn.directories import Directories, Directory
from authsvc.errors import BackendError
from authsvc.interfaces import UserInfo


class Book:
    """A directory of names and passwords."""

    def __init__(self, name: str, users: dict[str, str], error: BackendError | None = None) -> None:
        self.name = name
        self.users = users
        self.error = error

    def authenticate_password(self, username: str, password: str) -> UserInfo | None:
        if self.error:
            raise self.error
        return self.lookup(username) if self.users.get(username) == password else None

    def lookup(self, username: str) -> UserInfo | None:
        return UserInfo(username, self.name, ("g",)) if username in self.users else None


def _directories(*books: Book) -> Directories:
    return Directories([Directory(book.name, book, book) for book in books], lambda: 0.0)


def test_the_first_directory_that_knows_the_password_answers() -> None:
    directories = _directories(Book("a", {"alice": "1"}), Book("b", {"alice": "2", "bob": "2"}))

    assert directories.authenticate_password("alice", "1") == ("a", UserInfo("alice", "a", ("g",)))
    assert directories.authenticate_password("alice", "2") == ("b", UserInfo("alice", "b", ("g",)))
    assert directories.authenticate_password("alice", "3") is None


def test_one_that_fails_does_not_hide_another() -> None:
    down = Book("down", {}, BackendError("down"))
    directories = _directories(down, Book("b", {"bob": "2"}))

    assert directories.authenticate_password("bob", "2") is not None
    with pytest.raises(BackendError, match="down"):
        directories.authenticate_password("bob", "wrong")


def test_one_that_refuses_to_try_says_so() -> None:
    slowed = Book("slowed", {}, TooManyAttemptsError(30))

    with pytest.raises(TooManyAttemptsError):
        _directories(slowed, Book("b", {})).authenticate_password("bob", "2")


def test_a_user_is_looked_up_where_they_came_from_and_nowhere_else() -> None:
    directories = _directories(Book("a", {"alice": "1"}), Book("b", {"bob": "2"}))

    assert directories.lookup("a", "bob").user is None
    assert directories.lookup("b", "bob").user == UserInfo("bob", "b", ("g",))


@pytest.mark.parametrize("name", ["system:admin", "SYSTEM:masters", " system:x"])
def test_nobody_is_of_the_control_plane(name: str) -> None:
    directories = _directories(Book("a", {name: "1"}))

    assert directories.authenticate_password(name, "1") is None
    assert directories.lookup("a", name).user is None


def test_a_name_that_now_finds_somebody_else_is_nobody() -> None:
    class Renamed(Book):
        def lookup(self, username: str) -> UserInfo | None:
            return UserInfo("x" + username)

    assert _directories(Renamed("a", {})).lookup("a", "alice").user is None
